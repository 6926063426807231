# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMTP dialogue as one would type it into telnet: what the server said, and what that means.

Every dialogue ends within its time-out, whatever the server does. RFC 5321; commands go one at a time.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from typing import NamedTuple

from mxbackup.errors import MxBackupError
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.smtp import SMTP_PORT, replies
from mxbackup.smtp.replies import Outcome, Reply
from mxbackup.smtp.session import Late, Session, Trouble, Unreachable, connect, late, offers

TIMEOUT = 20.0


class Question(NamedTuple):
    """What to find out: whether `recipient` is accepted, and then whether `refuse` is, unless empty.

    `message` is sent to the recipient at the end, unless None. `helo` is the name to greet with, by default this
    machine's, or its address where that name has no dot (RFC 5321 section 4.1.4). `control` is asked for beside a
    recipient that is refused, `nobody` in a transaction of its own, unless empty.
    """

    recipient: str
    sender: str = ""
    refuse: str = ""
    helo: str = ""
    message: EmailMessage | None = None
    control: str = ""
    nobody: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What happened.

    `outcome` and `reply` are for the recipient, or of the step before at which it ended; `asked` tells that the reply
    is one to RCPT. `refuse` is for the address that must be refused, `control` and `nobody` for those who are asked for
    after the recipient: no reply when it did not come to that. `sent` and `sent_reply` are for the message. `trouble`
    says what was no SMTP. `size` is the announced limit in bytes (RFC 1870), 0 for none. `address` is where we were
    connected to, `greeting` the reply to ours.
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
    nobody: Reply = replies.NONE
    greeting: Reply = replies.NONE
    address: str = ""

    @property
    def denied(self) -> bool:
        """Whether `refuse` was refused, be it for now only: Postfix says 454 4.7.1 by defer_unauth_destination.

        Greylisting says alike, of everybody: it does not while the recipient is accepted (RFC 3463 section 3.8).
        """
        by_policy = self.outcome == Outcome.ACCEPTED and any(code.startswith("4.7.") for code in self.refuse.enhanced)
        return self.refuse.outcome == Outcome.REFUSED or (self.refuse.outcome == Outcome.DEFERRED and by_policy)

    @property
    def late(self) -> bool:
        """Whether the server took longer than it was given, and might have answered with more time."""
        return isinstance(self.trouble, Late)


def probe(
    host: str, question: Question, port: int = SMTP_PORT, timeout: float = TIMEOUT, addresses: Sequence[str] = ()
) -> Dialogue:
    """Ask the server at `host`, at one of its `addresses` if they are known. Never raises: trouble is in the result.

    `timeout` is in seconds, for all of it.
    """
    clock = Clock(timeout)
    transcript: list[str] = []
    try:
        connection = connect(host, port, clock, transcript, addresses)
    except Unreachable as error:
        return Dialogue(Outcome.UNREACHABLE, trouble=error.trouble, transcript=tuple(transcript))
    except TimeIsUp:  # it went by in looking the host up
        return Dialogue(Outcome.UNREACHABLE, trouble=late(clock), transcript=tuple(transcript))
    with connection:
        address = str(connection.getpeername()[0])
        done = _Client(Session(connection, clock, transcript), clock).talk(question)
    transcript.append("Connection closed by foreign host." if done.trouble is None else "Connection closed.")
    return replace(done, transcript=tuple(transcript), address=address)


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


class _Client:
    """What is asked in a session, and found out."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._command = session.command
        self._clock = clock
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
            self._fail(late(self._clock))
        return self._done

    def _greet(self, helo: str) -> bool:
        banner = self._session.reply()
        self._done = replace(self._done, outcome=banner.outcome, reply=banner, banner=banner)
        if banner.code != 220:
            return False
        reply = self._session.greet(helo)
        offered = offers(reply)
        if reply.outcome == Outcome.REFUSED:
            reply = self._command("HELO", helo or self._session.own_name())
        self._done = replace(
            self._done,
            outcome=reply.outcome,
            reply=reply,
            greeting=reply,
            starttls="STARTTLS" in offered,
            size=_size(offered.get("SIZE", "")),
        )
        return reply.outcome == Outcome.ACCEPTED

    def _judge(self, question: Question) -> bool:
        """Ask for both addresses; tell whether there is more to do."""
        asked, reply = self._ask(question.sender, question.recipient)
        self._done = replace(self._done, outcome=reply.outcome, reply=reply, asked=asked)
        self._judged = True
        if question.control and asked and reply.outcome == Outcome.REFUSED:
            self._done = replace(self._done, control=self._command("RCPT", f"TO:<{question.control}>"))
        if question.nobody and asked and not reply.closing:
            self._command("RSET")  # some servers take no second recipient of a message without a sender
            _, reply = self._ask(question.sender, question.nobody)
            self._done = replace(self._done, nobody=reply)
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
        self._session.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
        reply = self._session.reply()
        return reply.outcome, reply

    def _quit(self) -> None:
        """Be polite; what the server says to that changes nothing."""
        with suppress(Trouble, TimeIsUp):
            self._command("QUIT")

    def _fail(self, trouble: Trouble) -> None:
        """Keep what was found out before; the recipient's fate stands once it is known."""
        outcome = self._done.outcome if self._judged else Outcome.BROKEN
        self._done = replace(self._done, outcome=outcome, trouble=trouble)


def _size(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else 0
