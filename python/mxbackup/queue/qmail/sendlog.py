# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-send's log says of held mail: the last answer for each address, the last tries, what is running.

Lines are stamped with TAI64N by multilog(8), or go through splogger(8) to syslog (SME 5). What a stranger's server
said is in them: qmail-send writes a blank and whatever else is unsafe as `_`, and a line's end as `/` (qsutil.c).
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mxbackup.errors import QueueError
from mxbackup.queue.mailqueue import Attempt, Ending, Failure
from mxbackup.queue.qmail.places import NotOurs, directory, file

LOGS = Path("/var/log/qmail")
LIMIT = 8 * 1024 * 1024  # bytes, from the newest on
TOO_LONG = "this message has been in the queue too long"  # qmail-send.c
TEXT = 500  # characters of an answer that are kept

# multilog's stamp: 2^62 and ten more than the seconds since 1970 (libtai), then nanoseconds; or what splogger adds.
_LINE = re.compile(rb"(?:@4([0-9a-f]{15})[0-9a-f]{8}|.*? qmail(?:\[[0-9]+\])?: ([0-9]{1,12})\.[0-9]+) (.*)")
_START = re.compile(rb"starting delivery ([0-9]{1,18}): msg ([0-9]{1,18}) to (remote|local) (.*)")
_INFO = re.compile(rb"info msg ([0-9]{1,18}): bytes [0-9]+ from <(.*)> qp [0-9]+ uid [0-9]+")
_END = re.compile(rb"delivery ([0-9]{1,18}): (success|failure|deferral): ?(.*)")
_GONE = re.compile(rb"(?:new|end) msg ([0-9]{1,18})")
_ENDED = re.compile(r"@[0-9a-f]{24}\.[su]")
_TAI_AHEAD = 10
_ENDINGS = {b"success": Ending.ACCEPTED, b"deferral": Ending.DEFERRED, b"failure": Ending.REFUSED}
_LINE_ENDS = re.compile(r"/(?=Remote host said:|Giving up on |I'm not going to try again|$)")


@dataclass(frozen=True, slots=True)
class Deferral:
    """The last answer for an address, and when it came, in seconds since 1970."""

    text: str
    when: int


@dataclass(frozen=True, slots=True)
class _Delivery:
    message: int
    address: str


@dataclass(slots=True)
class SendLog:
    """What the log says. Addresses are in the form it has them in: ask for any through `deferral`.

    tried: the last try of each message's remote recipients. failures: what was refused for good. running: the
    messages with a delivery that has not ended.
    """

    tried: dict[int, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    _deferrals: dict[str, Deferral] = field(default_factory=dict)
    _by_name: dict[str, Deferral] = field(default_factory=dict)
    _running: dict[int, _Delivery] = field(default_factory=dict)

    @property
    def running(self) -> frozenset[int]:
        """The numbers of the messages that a remote delivery is being tried of."""
        return frozenset(delivery.message for delivery in self._running.values())

    def deferral(self, addresses: Collection[str]) -> Deferral | None:
        """Return the last answer to any of these addresses, else to any other of their names."""
        logged = [as_logged(address) for address in addresses]
        own = [self._deferrals[address] for address in logged if address in self._deferrals]
        others = [self._by_name[_name(address)] for address in logged if _name(address) in self._by_name]
        return max(own or others, key=lambda deferral: deferral.when, default=None)

    def reason(self, addresses: Collection[str]) -> str:
        """Return the words of that answer; empty when the log has none."""
        deferral = self.deferral(addresses)
        return deferral.text if deferral else ""


def parse(lines: Iterable[bytes]) -> SendLog:
    """Return what these lines, oldest first, say; those that are no line of qmail-send say nothing."""
    log = SendLog()
    for when, text in _said(lines):
        _note(log, when, text)
    return log


def attempt(lines: Iterable[bytes], sender: str) -> Attempt | None:
    """Return how the last delivery of the message with this envelope sender ended, if any has."""
    wanted = as_logged(sender).encode("ascii")
    message, running, last = b"", b"", None
    for _, text in _said(lines):
        if (info := _INFO.fullmatch(text)) and info[2] == wanted:
            message = info[1]
        elif (start := _START.fullmatch(text)) and start[2] == message:
            running = start[1]
        elif (end := _END.fullmatch(text)) and end[1] == running:
            last = Attempt(_ENDINGS[end[2]], _words(end[3]))
    return last


def read_log(path: Path, limit: int = LIMIT) -> SendLog:
    """Return what a log says, see `read_lines`. Raises QueueError."""
    return parse(read_lines(path, limit))


def read_lines(path: Path, limit: int = LIMIT) -> list[bytes]:
    """Return the lines of a log, oldest first: a directory of multilog, or one file of syslog, its last `limit` bytes.

    Raises QueueError when it is not there or cannot be read.
    """
    try:
        return _tail(path, limit)
    except OSError as error:
        raise QueueError("The log {path} cannot be read: {reason}.", path=path, reason=error.strerror) from error


def as_logged(address: str) -> str:
    """Return the address as qmail-send writes it into its log: logsafe() of qsutil.c."""
    raw = address.encode("utf-8", "surrogateescape")
    safe = (chr(byte) if 33 <= byte <= 126 and byte != ord("%") else "_" for byte in raw.replace(b"\n", b"/"))
    return "".join(safe)


def _said(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Return when qmail-send said what."""
    for line in lines:
        if found := _LINE.match(line):
            tai, seconds, text = found.groups()
            yield int(tai, 16) - _TAI_AHEAD if tai else int(seconds), text


def _note(log: SendLog, when: int, text: bytes) -> None:
    if start := _START.fullmatch(text):
        number, message, channel, address = start.groups()
        if channel == b"remote":
            log.tried[int(message)] = when
            log._running[int(number)] = _Delivery(int(message), _clean(address))
    elif end := _END.fullmatch(text):
        number, outcome, answer = end.groups()
        if delivery := log._running.pop(int(number), None):
            _answer(log, delivery, outcome, Deferral(_words(answer), when))
    elif gone := _GONE.fullmatch(text):
        log.tried.pop(int(gone[1]), None)
    elif text == b"status: exiting" or (text.startswith(b"status: local 0/") and b" remote 0/" in text):
        log._running.clear()


def _answer(log: SendLog, delivery: _Delivery, outcome: bytes, answer: Deferral) -> None:
    address = delivery.address
    if outcome == b"deferral":
        log._deferrals[address] = log._by_name[_name(address)] = answer
    else:
        log._deferrals.pop(address, None)
        if outcome == b"success":
            log._by_name.pop(_name(address), None)
        else:
            log.failures.append(Failure(answer.when, delivery.message, _name(address), TOO_LONG in answer.text))


def _name(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _clean(raw: bytes) -> str:
    """ASCII without control characters, whoever wrote the log."""
    return "".join(chr(byte) if 32 <= byte <= 126 else "?" for byte in raw)


def _words(answer: bytes) -> str:
    text = _clean(answer[: 4 * TEXT]).replace("_", " ")
    return " ".join(_LINE_ENDS.sub(" ", text).split())[:TEXT]


def _tail(path: Path, limit: int) -> list[bytes]:
    """Return the last lines, oldest first."""
    contents: list[bytes] = []
    missing: OSError | None = None
    inside = path.is_dir()
    with directory(path if inside else path.parent) as folder:
        for name in _newest_first(folder) if inside else [path.name]:
            try:
                contents.insert(0, _end_of(folder, name, limit))
            except FileNotFoundError as error:  # multilog has just renamed or removed it
                missing = error
            else:
                limit -= len(contents[0])
            if limit <= 0:
                break
    if missing and not contents:
        raise missing
    return b"".join(contents).splitlines()


def _newest_first(folder: int) -> Iterator[str]:
    """multilog's files: `current`, and older ones named by the time of their end; a @*.u was not ended in order.

    What is renamed between the two looks is read twice, which says the same.
    """
    yield "current"
    yield from sorted((name for name in os.listdir(folder) if _ENDED.fullmatch(name)), reverse=True)


def _end_of(folder: int, name: str, limit: int) -> bytes:
    """Return the last bytes of a file, from the beginning of a line on. Raises OSError."""
    try:
        with file(folder, name) as descriptor:
            size = os.fstat(descriptor).st_size
            end = os.pread(descriptor, limit, max(size - limit, 0))
    except NotOurs as error:
        raise OSError(22, f"{name} is no plain file") from error
    return end if size <= limit else end.partition(b"\n")[2]
