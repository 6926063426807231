# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that reads, writes and asks in the spool directory of qpsmtpd, and what it may tell us.

That directory belongs to the user whom the network talks to, who can turn every path below it into a link elsewhere. So
root does nothing there: a child that has become that user for good does, and answers through a socket, a line each,
its words divided by TABs. What it says is limited and validated, and awaited no longer than it may take.
"""

import os
import pwd
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from mxbackup.errors import HostError
from mxbackup.esmith.database import log_to_syslog
from mxbackup.esmith.host import Host
from mxbackup.recipients import callout, journal
from mxbackup.recipients.callout import Came, Said
from mxbackup.recipients.journal import Note, Taken
from mxbackup.smtp import replies
from mxbackup.smtp.client import Question

CONFIGURED_SPOOL = Path("/var/service/qpsmtpd/config/spool_dir")
SPOOL = Path("/var/spool/qpsmtpd")
DIRECTORY = "mxbackup"
LINE_LIMIT = 16 * 1024  # bytes
REPLY_LIMIT = 1000  # characters
NOTES_LIMIT = journal.SIZE_LIMIT // 8  # no note is shorter
PATIENCE = 30.0  # seconds for one answer; a question takes at most its wait and its dialogue

_TARGET = re.compile(r"[0-9a-f.:\[\]]+:[0-9]{1,5}")
_SAID = re.compile(r"(reply|silence|not-now)\t([^\t\n]*)\t([^\t\n]*)")
_TROUBLE = re.compile(r"error\t([0-9]{1,5})\t([ -~]{0,200})")


def spool(host: Host) -> Path:
    """Return the spool directory of qpsmtpd on this host."""
    try:
        configured = host.path(CONFIGURED_SPOOL).read_text().strip()
    except OSError:
        configured = ""
    return host.path(Path(configured) if configured.startswith("/") else SPOOL)


class Envoy:
    """The other process. All methods raise HostError, when it fails or does not keep to the form."""

    def __init__(self, channel: socket.socket, where: Path) -> None:
        self._channel = channel
        self._where = where
        self._buffer = b""

    def notes(self) -> list[Note]:
        """Take the journal and return its notes; `drop_notes` is to follow when they are kept elsewhere."""
        self._send("notes")
        found: list[Note] = []
        for _ in range(NOTES_LIMIT):
            match self._answer().split("\t", 1):
                case ["end"]:
                    return found
                case ["more"]:
                    log_to_syslog([f"the journal of qpsmtpd in {self._where} is beyond its limits: some is left out"])
                case ["note", line] if note := journal.parse(line):
                    found.append(note)
        raise self._astray()

    def drop_notes(self) -> None:
        """Drop what was taken."""
        self._send("drop")
        if self._answer() != "end":
            raise self._astray()

    def ask(self, target: str, address: str, control: str = "") -> Said:
        """Ask the primary at `target`, `address:port`, about an address, and if it is refused, about `control`."""
        self._send("ask", target, address, control)
        match = _SAID.fullmatch(self._answer())
        if not match:
            raise self._astray()
        return Said(Came(match[1]), replies.parse(match[2]), replies.parse(match[3]))

    def _send(self, *words: str) -> None:
        try:
            self._channel.sendall(("\t".join(words) + "\n").encode())
        except OSError:
            raise self._astray() from None

    def _answer(self) -> str:
        line = self._line(time.monotonic() + PATIENCE).decode("utf-8", "replace")
        if trouble := _TROUBLE.fullmatch(line):
            path, reason = self._where / trouble[2], os.strerror(int(trouble[1]))
            raise HostError("{path} cannot be used: {reason}.", path=path, reason=reason)
        return line

    def _line(self, end: float) -> bytes:
        while b"\n" not in self._buffer:
            self._channel.settimeout(max(0.01, end - time.monotonic()))
            try:
                received = self._channel.recv(LINE_LIMIT)
            except OSError:
                received = b""
            if not received or len(self._buffer) > LINE_LIMIT or time.monotonic() > end:
                raise self._astray()
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _astray(self) -> HostError:
        return HostError("The process that works in {path} gave no answer that can be used.", path=self._where)


@contextmanager
def sent(where: Path, helo: str, probe: callout.Probe = callout.probe) -> Iterator[Envoy]:
    """Start the process, which works in `where` and greets as `helo`, and end it. Raises OSError, HostError.

    To be called before anything is open that it must not have.
    """
    owner = where.stat()  # its parent is root's: nobody else can turn this
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _live(owner, theirs, lambda channel: Service(where, helo, probe).serve(channel))
    theirs.close()
    try:
        with ours:
            yield Envoy(ours, where / DIRECTORY)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _live(owner: os.stat_result, channel: socket.socket, serve: Callable[[socket.socket], None]) -> NoReturn:
    """Become the owner, keep the channel alone, serve, and never return into what was forked."""
    try:
        _become(owner)
        _keep_only(channel.fileno())
        serve(channel)
    finally:
        os._exit(0)


def _become(owner: os.stat_result) -> None:
    """Give up all that root may do, for good. Who is not root stays who he is."""
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    try:
        group = pwd.getpwuid(owner.st_uid).pw_gid
    except KeyError:
        group = owner.st_gid
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)


def _keep_only(descriptor: int) -> None:
    """Close all else, and have no terminal."""
    os.setsid()
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    limit = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, min(limit, 65536) if limit > 0 else 65536)


class Service:
    """The side that works in the directory."""

    def __init__(self, where: Path, helo: str, probe: callout.Probe) -> None:
        self._where = where.absolute()
        self._helo = helo
        self._probe = probe

    def serve(self, channel: socket.socket) -> None:
        """Answer each line, until there are no more or something fails."""
        with channel.makefile("r", encoding="utf-8", newline="\n") as requests:
            for request in requests:
                try:
                    answer = "".join(f"{line}\n" for line in self._do(request.rstrip("\n").split("\t")))
                except OSError as error:
                    name = Path(str(error.filename or "")).name
                    answer = f"error\t{error.errno or 0}\t{'' if name == DIRECTORY else name}\n"
                channel.sendall(answer.encode("utf-8", "replace"))

    def _do(self, request: list[str]) -> Iterator[str]:
        self._enter()
        match request:
            case ["notes"]:
                taken = Taken(Path())
                yield from (f"note\t{line}" for line in taken.lines())
                if taken.more:
                    yield "more"
                yield "end"
            case ["drop"]:
                Taken(Path()).drop()
                yield "end"
            case ["ask", target, address, control] if _TARGET.fullmatch(target):
                question = Question(address, helo=self._helo, control=control)
                said = callout.ask(Path(), target, question, self._probe)
                yield "\t".join((said.came, *(reply.line(REPLY_LIMIT) for reply in (said.reply, said.control))))
            case _:
                raise ValueError(request)

    def _enter(self) -> None:
        """Go into the directory, made if missing: no link can turn where a process is. Linux 2.4 has no openat(2)."""
        path = self._where / DIRECTORY
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(directory).st_uid != os.geteuid():
                raise PermissionError(1, os.strerror(1), DIRECTORY)
            os.fchdir(directory)
        finally:
            os.close(directory)
