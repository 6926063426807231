# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to a mail server: commands and replies one at a time, recorded as telnet would show them.

Nothing here takes longer than the clock allows, whatever the server does.
"""

import socket
from collections.abc import Iterator, Sequence

from mxbackup.errors import MxBackupError, Sentence
from mxbackup.lookup.clock import Clock
from mxbackup.smtp import replies
from mxbackup.smtp.replies import NoReply, Outcome, Reply

LINE_LIMIT = 4096  # bytes; RFC 5321 section 4.5.3.1.5 has 512
TOTAL_LIMIT = 65536


class Trouble(MxBackupError):
    """Why there was no dialogue, or no end of it."""


class Late(Trouble):
    """The server takes longer than it may."""


class UnknownHost(Trouble):
    """There is nobody to ask: the host's name gave no address."""


class Unreachable(Exception):
    """There is no connection, as `trouble` says; `reason` is the system's word for it."""

    def __init__(self, trouble: Trouble, reason: str) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason


class Session:
    """Our side of a dialogue on a connection, with a record of both sides."""

    def __init__(self, connection: socket.socket, clock: Clock, transcript: list[str]) -> None:
        self.connection = connection
        self._lines = _Lines(connection, clock)
        self._clock = clock
        self._transcript = transcript

    def command(self, *words: str) -> Reply:
        """Send a command and return the reply.

        Raises Trouble, TimeIsUp, and ValueError for what is not one line of ASCII.
        """
        line = " ".join(words).encode("ascii")
        if b"\r" in line or b"\n" in line:
            raise ValueError(line)
        self.send(line + b"\r\n")
        return self.reply()

    def send(self, content: bytes) -> None:
        """Send lines. Raises Trouble, TimeIsUp."""
        self._transcript.extend(map(replies.cut, map(replies.shown, content.splitlines())))
        self.connection.settimeout(self._clock.left())
        try:
            self.connection.sendall(content)
        except OSError:
            raise Trouble("The server closed the connection.") from None

    def reply(self) -> Reply:
        """Return the server's next reply. Raises Trouble, TimeIsUp."""
        try:
            reply = replies.read(self._lines)
        except NoReply as line:
            self._transcript.append(replies.cut(str(line)))
            raise Trouble("The server's answer is no SMTP.") from None
        self._transcript += reply.transcript()
        return reply

    def greet(self, helo: str) -> Reply:
        """Say EHLO, with this machine's name unless `helo` is one, and return the reply. Raises Trouble, TimeIsUp."""
        return self.command("EHLO", helo or self.own_name())

    def own_name(self) -> str:
        """Return the name to greet with: this machine's, or its address where that has no dot (RFC 5321 4.1.4)."""
        # Not getfqdn: that asks the resolver, and waits for it where there is none.
        name = socket.gethostname()
        if "." in name:
            return name
        address = str(self.connection.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


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


def connect(host: str, port: int, clock: Clock, transcript: list[str], addresses: Sequence[str] = ()) -> socket.socket:
    """Return a connection to the first address of the host that takes one, of those that are given, if any are.

    Raises Unreachable, or TimeIsUp when the time went by in looking the host up.
    """
    try:
        return _connect(host, port, clock, transcript, addresses)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        transcript.append(f"telnet: Unable to connect to remote host: {reason}")
        raise Unreachable(_why(error, host, port, reason), reason) from error


def late(clock: Clock) -> Late:
    """Return what is to be said when the time of the clock is up."""
    return Late("The server did not answer within {seconds} s.", seconds=f"{clock.seconds:g}")


def offers(reply: Reply) -> dict[str, str]:
    """What a reply to EHLO offers, after the server's name: keywords and their parameters, RFC 5321 section 4.1.1.1."""
    offered = (line.partition(" ") for line in reply.lines[1:]) if reply.outcome == Outcome.ACCEPTED else ()
    return {keyword.upper(): parameters for keyword, _, parameters in offered}


def _connect(host: str, port: int, clock: Clock, transcript: list[str], addresses: Sequence[str]) -> socket.socket:
    known = addresses or [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    failure: OSError = TimeoutError("timed out")
    for left, address in zip(range(len(known), 0, -1), known, strict=True):
        transcript.append(f"Trying {address}...")
        try:
            connection = socket.create_connection((address, port), clock.left() / left)
        except OSError as error:
            failure = error
        else:
            transcript += [f"Connected to {host}.", "Escape character is '^]'."]
            return connection
    raise failure


def _why(error: OSError | UnicodeError, host: str, port: int, reason: str) -> Trouble:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return UnknownHost("The DNS cannot be asked for {host} at present: {reason}.", host=host, reason=reason)
    if isinstance(error, socket.gaierror | UnicodeError):
        return UnknownHost("The name {host} is not in the DNS.", host=host)
    closed: Sentence = "{host} port {port} accepts no connection: {reason}."
    if isinstance(error, TimeoutError):
        return Late(closed, host=host, port=port, reason=reason)
    return Trouble(closed, host=host, port=port, reason=reason)
