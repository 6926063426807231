# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMTP dialogue as one would type it into telnet: what the server said, and what that means.

Every dialogue ends within its time-out, whatever the server does. RFC 5321; commands go one at a time.
"""

import re
import smtplib
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mxbackup.errors import MxBackupError, Sentence
from mxbackup.esmith import printable
from mxbackup.smtp import SMTP_PORT

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

TIMEOUT = 20.0
LINE_LIMIT = 4096  # bytes; RFC 5321 section 4.5.3.1.5 has 512
TOTAL_LIMIT = 65536
LINE_SHOWN = 300


class Outcome(StrEnum):
    """What became of an address, or of the dialogue before it came to that."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # 5xx
    DEFERRED = "deferred"  # 4xx
    UNREACHABLE = "unreachable"  # no connection
    BROKEN = "broken"  # connected, but no SMTP


class Question(NamedTuple):
    """What to find out: whether `recipient` is accepted, and then whether `refuse` is, unless empty.

    `message` is sent to the recipient at the end, unless None. `helo` is the name to greet with, by default this
    machine's, or its address where that name has no dot (RFC 5321 section 4.1.4). `control` is asked for beside a
    recipient that is refused, unless empty.
    """

    recipient: str
    sender: str = ""
    refuse: str = ""
    helo: str = ""
    message: EmailMessage | None = None
    control: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What happened.

    `outcome` and `reply` (as `550 text`) are for the recipient, or of the step before at which it ended.
    `refuse` and `sent` are for the address that must be refused and for the message, `control` is for the one beside
    the recipient; None when it did not come to that. `trouble` says what was no SMTP. `size` is the announced limit
    in bytes (RFC 1870), 0 for none.
    """

    outcome: Outcome = Outcome.BROKEN
    reply: str = ""
    banner: str = ""
    starttls: bool = False
    size: int = 0
    refuse: Outcome | None = None
    refuse_reply: str = ""
    sent: Outcome | None = None
    sent_reply: str = ""
    trouble: MxBackupError | None = None
    transcript: tuple[str, ...] = ()
    control: Outcome | None = None

    @property
    def late(self) -> bool:
        """Whether the server took longer than it was given, and might have answered with more time."""
        return isinstance(self.trouble, Late)


class Trouble(MxBackupError):
    """Why there was no dialogue, or no end of it."""


class Late(Trouble):
    """The server takes longer than it may."""


class UnknownHost(Trouble):
    """There is nobody to ask: the host's name gave no address."""


def probe(host: str, question: Question, port: int = SMTP_PORT, timeout: float = TIMEOUT) -> Dialogue:
    """Ask the server at `host`. `timeout` is in seconds, for all of it. Never raises: trouble is in the result."""
    clock = _Clock(timeout)
    transcript: list[str] = []
    try:
        connection = _connect(host, port, clock, transcript)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        transcript.append(f"telnet: Unable to connect to remote host: {reason}")
        trouble = _why_unreachable(error, host, port, reason)
        return Dialogue(Outcome.UNREACHABLE, trouble=trouble, transcript=tuple(transcript))
    except Late as trouble:  # the time went by in looking the host up
        return Dialogue(Outcome.UNREACHABLE, trouble=trouble, transcript=tuple(transcript))
    with connection:
        client = _Client(connection, clock, transcript)
        done = client.talk(question)
    return replace(done, transcript=tuple(transcript))


def sample_message(sender: str, recipient: str) -> EmailMessage:
    """Return the how-to's test message, with a Message-ID of its own and the Date of RFC 5322."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Subject"] = "Test"
    message.set_content("Test of the MX backup.\n")
    return message


class _Clock:
    """The time that is left for a dialogue."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left. Raises Late when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Late("The server did not answer within {seconds} s.", seconds=f"{self._seconds:g}")
        return left


class _Lines:
    """The server's lines, read no longer than the clock allows and not more than the limits."""

    def __init__(self, connection: socket.socket, clock: _Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._buffer = b""
        self._total = 0

    def readline(self, limit: int) -> bytes:
        """Return one line. Raises Trouble."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_LIMIT or self._total > TOTAL_LIMIT:
                raise Trouble("The server sends endless text instead of an answer.")
            self._connection.settimeout(self._clock.left())
            try:
                received = self._connection.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                received = b""
            if not received:
                raise Trouble("The server closed the connection.")
            self._total += len(received)
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def close(self) -> None:
        """There is nothing to close: the connection belongs to the caller."""


class _Client(smtplib.SMTP):
    """The standard library's client on our connection, with a record of both sides."""

    def __init__(self, connection: socket.socket, clock: _Clock, transcript: list[str]) -> None:
        super().__init__(local_hostname="localhost")
        self.sock = self._connection = connection
        self.file = _Lines(connection, clock)
        self._clock = clock
        self._transcript = transcript
        self._done = Dialogue()
        self._judged = False

    def talk(self, question: Question) -> Dialogue:
        """Hold the dialogue, up to QUIT or to where the server breaks it off."""
        try:
            if self._greet(question.helo) and self._judge(question):
                self._deliver(question)
            self._quit()
        except smtplib.SMTPException:
            self._fail(Trouble("The server closed the connection."))
        except Trouble as trouble:
            self._fail(trouble)
        return self._done

    def send(self, s: "Buffer | str") -> None:
        """Record and send, commands in capitals; the record has the lines without their ends."""
        if isinstance(s, str):
            verb, space, argument = s.partition(" ")
            text = s = verb.upper() + space + argument
        else:
            text = bytes(s).decode("utf-8", "replace")
        self._transcript.extend(_printable(line) for line in text.splitlines())
        self._connection.settimeout(self._clock.left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Return a reply, recorded. Raises Trouble when it is none."""
        code, text = super().getreply()
        lines = text.split(b"\n")
        if not 200 <= code <= 599:
            self._transcript.append(_printable(lines[0].decode("utf-8", "replace")))
            raise Trouble("The server's answer is no SMTP.")
        marks = ["-"] * (len(lines) - 1) + [" "]
        for mark, line in zip(marks, lines, strict=True):
            self._transcript.append(_printable(f"{code}{mark}{line.decode('utf-8', 'replace')}"))
        return code, text

    def _greet(self, helo: str) -> bool:
        code, text = self.getreply()
        banner = _reply(code, text)
        self._done = replace(self._done, outcome=_outcome(code), reply=banner, banner=banner)
        if code != 220:
            return False
        name = helo or self._own_name()
        code, text = self.ehlo(name)
        if code // 100 == 5:
            code, text = self.helo(name)
        self._done = replace(
            self._done,
            outcome=_outcome(code),
            reply=_reply(code, text),
            starttls=self.has_extn("starttls"),
            size=_size(self.esmtp_features.get("size", "")),
        )
        return code // 100 == 2

    def _own_name(self) -> str:
        # Not getfqdn: that asks the resolver, and waits for it where there is none.
        name = socket.gethostname()
        if "." in name:
            return name
        address = str(self._connection.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def _judge(self, question: Question) -> bool:
        """Ask for both addresses; tell whether there is more to do."""
        outcome, reply = self._ask(question.sender, question.recipient)
        self._done = replace(self._done, outcome=outcome, reply=reply)
        self._judged = True
        asked = any(line.startswith("RCPT TO:") for line in self._transcript)
        if question.control and asked and outcome == Outcome.REFUSED:
            code, _ = self.docmd("RCPT", f"TO:<{question.control}>")
            self._done = replace(self._done, control=_outcome(code))
        if question.refuse and not _closing(reply):
            self.rset()
            outcome, reply = self._ask(question.sender, question.refuse)
            self._done = replace(self._done, refuse=outcome, refuse_reply=reply)
        return self._done.outcome == Outcome.ACCEPTED and not _closing(reply)

    def _ask(self, sender: str, recipient: str) -> tuple[Outcome, str]:
        code, text = self.docmd("MAIL", f"FROM:<{sender}>")
        if code // 100 == 2:
            code, text = self.docmd("RCPT", f"TO:<{recipient}>")
        return _outcome(code), _reply(code, text)

    def _deliver(self, question: Question) -> None:
        if question.message is None:
            return
        content = question.message.as_bytes()
        if 0 < self._done.size < len(content):
            self._done = replace(self._done, sent=Outcome.REFUSED, sent_reply=f"SIZE {self._done.size}")
            return
        self.rset()
        outcome, reply = self._ask(question.sender, question.recipient)
        if outcome == Outcome.ACCEPTED:
            outcome, reply = self._data(content)
        self._done = replace(self._done, sent=outcome, sent_reply=reply)

    def _data(self, content: bytes) -> tuple[Outcome, str]:
        try:
            code, text = self.data(content)
        except smtplib.SMTPDataError as error:  # the answer to DATA was another than 354
            refusal = _outcome(error.smtp_code) if error.smtp_code >= 400 else Outcome.BROKEN
            return refusal, _reply(error.smtp_code, _bytes(error.smtp_error))
        return _outcome(code), _reply(code, text)

    def _quit(self) -> None:
        """Be polite; what the server says to that changes nothing."""
        with suppress(smtplib.SMTPException, Trouble):
            self.docmd("QUIT")
        self._transcript.append("Connection closed by foreign host.")

    def _fail(self, trouble: Trouble) -> None:
        """Keep what was found out before; the recipient's fate stands once it is known."""
        self._transcript.append("Connection closed.")
        outcome = self._done.outcome if self._judged else Outcome.BROKEN
        self._done = replace(self._done, outcome=outcome, trouble=trouble)


def _connect(host: str, port: int, clock: _Clock, transcript: list[str]) -> socket.socket:
    """Try each address of the host. Raises OSError, the one of the last address."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError("timed out")
    for left, (*_, address) in zip(range(len(found), 0, -1), found, strict=True):
        transcript.append(f"Trying {address[0]}...")
        try:
            connection = socket.create_connection((str(address[0]), port), clock.left() / left)
        except OSError as error:
            failure = error
        else:
            transcript += [f"Connected to {host}.", "Escape character is '^]'."]
            return connection
    raise failure


def _why_unreachable(error: OSError | UnicodeError, host: str, port: int, reason: str) -> Trouble:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return UnknownHost("The DNS cannot be asked for {host} at present: {reason}.", host=host, reason=reason)
    if isinstance(error, socket.gaierror | UnicodeError):
        return UnknownHost("The name {host} is not in the DNS.", host=host)
    closed: Sentence = "{host} port {port} accepts no connection: {reason}."
    if isinstance(error, TimeoutError):
        return Late(closed, host=host, port=port, reason=reason)
    return Trouble(closed, host=host, port=port, reason=reason)


def _outcome(code: int) -> Outcome:
    return {2: Outcome.ACCEPTED, 3: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REFUSED}[code // 100]


def _closing(reply: str) -> bool:
    """421: the server is closing the connection (RFC 5321 section 3.8)."""
    return reply.startswith("421")


def _reply(code: int, text: bytes) -> str:
    return _printable(f"{code} {text.decode('utf-8', 'replace')}".replace("\n", " "))


def _printable(text: str) -> str:
    """The text without what would move a terminal's cursor, cut to a length that can be read."""
    clean = printable.line(text.rstrip("\r\n"))
    return clean if len(clean) <= LINE_SHOWN else clean[:LINE_SHOWN] + "..."


def _size(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else 0


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
