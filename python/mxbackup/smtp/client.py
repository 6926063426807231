# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMTP dialogue as one would type it into telnet: what the server said, and what that means.

Every dialogue ends within its time-out, whatever the server does. RFC 5321; commands go one at a time.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from typing import NamedTuple

from mxbackup.errors import MxBackupError, Sentence
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.smtp import SMTP_PORT, replies
from mxbackup.smtp.replies import NoReply, Outcome, Reply

TIMEOUT = 20.0
LINE_LIMIT = 4096  # bytes; RFC 5321 section 4.5.3.1.5 has 512
TOTAL_LIMIT = 65536


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

    `outcome` and `reply` are for the recipient, or of the step before at which it ended; `asked` tells that the reply
    is one to RCPT. `refuse` is for the address that must be refused, `control` for the one beside the recipient: no
    reply when it did not come to that. `sent` and `sent_reply` are for the message. `trouble` says what was no SMTP.
    `size` is the announced limit in bytes (RFC 1870), 0 for none.
    """

    outcome: Outcome = Outcome.BROKEN
    reply: Reply = replies.NONE
    banner: Reply = replies.NONE
    asked: bool = False
    starttls: bool = False
    size: int = 0
    refuse: Reply = replies.NONE
    control: Reply = replies.NONE
    sent: Outcome | None = None
    sent_reply: str = ""
    trouble: MxBackupError | None = None
    transcript: tuple[str, ...] = ()

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
    clock = Clock(timeout)
    transcript: list[str] = []
    try:
        connection = _connect(host, port, clock, transcript)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        transcript.append(f"telnet: Unable to connect to remote host: {reason}")
        trouble = _why_unreachable(error, host, port, reason)
        return Dialogue(Outcome.UNREACHABLE, trouble=trouble, transcript=tuple(transcript))
    except TimeIsUp:  # it went by in looking the host up
        return Dialogue(Outcome.UNREACHABLE, trouble=_late(clock), transcript=tuple(transcript))
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


class _Lines:
    """The server's lines, read no longer than the clock allows and not more than the limits."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._buffer = b""
        self._total = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the next line, again and again. Raises Trouble, TimeIsUp."""
        while True:
            yield self._line()

    def _line(self) -> bytes:
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
        return line


class _Client:
    """Our side of a dialogue on a connection, with a record of both sides."""

    def __init__(self, connection: socket.socket, clock: Clock, transcript: list[str]) -> None:
        self._connection = connection
        self._lines = _Lines(connection, clock)
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
        except Trouble as trouble:
            self._fail(trouble)
        except TimeIsUp:
            self._fail(_late(self._clock))
        return self._done

    def _command(self, *words: str) -> Reply:
        """Send a command and return the reply.

        Raises Trouble, TimeIsUp, and ValueError for what is not one line of ASCII.
        """
        line = " ".join(words).encode("ascii")
        if b"\r" in line or b"\n" in line:
            raise ValueError(line)
        self._send(line + b"\r\n")
        return self._reply()

    def _send(self, content: bytes) -> None:
        self._transcript.extend(map(replies.cut, map(replies.shown, content.splitlines())))
        self._connection.settimeout(self._clock.left())
        try:
            self._connection.sendall(content)
        except OSError:
            raise Trouble("The server closed the connection.") from None

    def _reply(self) -> Reply:
        try:
            reply = replies.read(self._lines)
        except NoReply as line:
            self._transcript.append(replies.cut(str(line)))
            raise Trouble("The server's answer is no SMTP.") from None
        self._transcript += reply.transcript()
        return reply

    def _greet(self, helo: str) -> bool:
        banner = self._reply()
        self._done = replace(self._done, outcome=banner.outcome, reply=banner, banner=banner)
        if banner.code != 220:
            return False
        name = helo or self._own_name()
        reply = self._command("EHLO", name)
        offers = _offers(reply)
        if reply.outcome == Outcome.REFUSED:
            reply = self._command("HELO", name)
        self._done = replace(
            self._done,
            outcome=reply.outcome,
            reply=reply,
            starttls="STARTTLS" in offers,
            size=_size(offers.get("SIZE", "")),
        )
        return reply.outcome == Outcome.ACCEPTED

    def _own_name(self) -> str:
        # Not getfqdn: that asks the resolver, and waits for it where there is none.
        name = socket.gethostname()
        if "." in name:
            return name
        address = str(self._connection.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def _judge(self, question: Question) -> bool:
        """Ask for both addresses; tell whether there is more to do."""
        asked, reply = self._ask(question.sender, question.recipient)
        self._done = replace(self._done, outcome=reply.outcome, reply=reply, asked=asked)
        self._judged = True
        if question.control and asked and reply.outcome == Outcome.REFUSED:
            self._done = replace(self._done, control=self._command("RCPT", f"TO:<{question.control}>"))
        if question.refuse and not reply.closing:
            self._command("RSET")
            _, reply = self._ask(question.sender, question.refuse)
            self._done = replace(self._done, refuse=reply)
        return self._done.outcome == Outcome.ACCEPTED and not reply.closing

    def _ask(self, sender: str, recipient: str) -> tuple[bool, Reply]:
        """Return whether it came to RCPT, and the reply to that or to MAIL."""
        reply = self._command("MAIL", f"FROM:<{sender}>")
        if reply.outcome != Outcome.ACCEPTED:
            return False, reply
        return True, self._command("RCPT", f"TO:<{recipient}>")

    def _deliver(self, question: Question) -> None:
        if question.message is None:
            return
        content = question.message.as_bytes()
        if 0 < self._done.size < len(content):
            self._done = replace(self._done, sent=Outcome.REFUSED, sent_reply=f"SIZE {self._done.size}")
            return
        self._command("RSET")
        _, reply = self._ask(question.sender, question.recipient)
        outcome = reply.outcome
        if outcome == Outcome.ACCEPTED:
            outcome, reply = self._data(content)
        self._done = replace(self._done, sent=outcome, sent_reply=str(reply))

    def _data(self, content: bytes) -> tuple[Outcome, Reply]:
        """Send a message, whose lines all have their ends (RFC 5321 section 4.5.2)."""
        reply = self._command("DATA")
        if reply.code != 354:
            return Outcome.BROKEN if reply.outcome == Outcome.ACCEPTED else reply.outcome, reply
        self._send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
        reply = self._reply()
        return reply.outcome, reply

    def _quit(self) -> None:
        """Be polite; what the server says to that changes nothing."""
        with suppress(Trouble, TimeIsUp):
            self._command("QUIT")
        self._transcript.append("Connection closed by foreign host.")

    def _fail(self, trouble: Trouble) -> None:
        """Keep what was found out before; the recipient's fate stands once it is known."""
        self._transcript.append("Connection closed.")
        outcome = self._done.outcome if self._judged else Outcome.BROKEN
        self._done = replace(self._done, outcome=outcome, trouble=trouble)


def _connect(host: str, port: int, clock: Clock, transcript: list[str]) -> socket.socket:
    """Try each address of the host. Raises TimeIsUp, OSError: the one of the last address."""
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


def _late(clock: Clock) -> Late:
    return Late("The server did not answer within {seconds} s.", seconds=f"{clock.seconds:g}")


def _offers(reply: Reply) -> dict[str, str]:
    """What a reply to EHLO offers, after the server's name: keywords and their parameters, RFC 5321 section 4.1.1.1."""
    offered = (line.partition(" ") for line in reply.lines[1:]) if reply.outcome == Outcome.ACCEPTED else ()
    return {keyword.upper(): parameters for keyword, _, parameters in offered}


def _size(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else 0
