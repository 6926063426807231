# SPDX-License-Identifier: GPL-2.0-or-later
"""The primaries that qmail-remote does not try, because connections to them timed out: lock/tcpto. See tcpto.c.

Records of 16 bytes: the IPv4 address, a count, three unused bytes, the time of the last time-out in eight bytes,
little-endian. With a count of two or more, qmail-remote skips the address for 64 to 97 minutes, whatever is due.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from mxbackup.errors import QueueError
from mxbackup.esmith import files
from mxbackup.queue.qmail.places import NotOurs, directory, file, unreadable

RECORD = 16  # bytes
SKIPPED_FROM = 2  # time-outs
LONGEST = (60 + 31) << 6  # seconds for which an address is skipped, at most
PATIENCE = 5.0  # seconds that the lock is waited for
_READ = 1024  # bytes, all that qmail-remote reads


@dataclass(frozen=True, slots=True)
class TimeOut:
    """One record: how many time-outs of an address were counted, and when the last was, in seconds since 1970."""

    address: IPv4Address
    count: int
    when: int

    def skipped(self, now: int) -> bool:
        """Whether qmail-remote may skip the address now; after the shortest time it depends on its process number."""
        return self.count >= SKIPPED_FROM and now - self.when < LONGEST


def parse(contents: bytes) -> list[TimeOut]:
    """Return the records in use; a part of a record at the end is none, for qmail-remote either."""
    whole = contents[: min(len(contents), _READ) // RECORD * RECORD]
    records = (TimeOut(IPv4Address(ip), count, when) for ip, count, when in struct.iter_unpack("<4sB3xQ", whole))
    return [record for record in records if record.count]


def read_time_outs(queue: Path) -> list[TimeOut]:
    """Return the records in use. Raises QueueError."""
    try:
        with directory(queue, "lock") as folder, file(folder, "tcpto") as descriptor:
            return parse(os.pread(descriptor, _READ, 0))
    except (OSError, NotOurs) as error:
        raise _said(queue, error) from error


def clear(queue: Path, address: IPv4Address, patience: float = PATIENCE) -> bool:
    """Make qmail-remote try an address again: zero its record, in place, and touch nothing else.

    While it has the lock, qmail-remote waits. Returns whether there was a record.
    Raises QueueError, and nothing is changed: the file is missing or odd, or the lock was not to be had.
    """
    try:
        with directory(queue, "lock") as folder, file(folder, "tcpto", os.O_RDWR) as descriptor:
            files.lock(descriptor, patience)
            return _zero(descriptor, address)
    except TimeoutError as error:
        raise QueueError(
            "{path} was locked for {seconds} seconds. Nothing was changed; try again.",
            path=queue / "lock/tcpto",
            seconds=round(patience),
        ) from error
    except (OSError, NotOurs) as error:
        raise _said(queue, error) from error


def _zero(descriptor: int, address: IPv4Address) -> bool:
    size = os.fstat(descriptor).st_size
    if size % RECORD:
        raise OSError(22, f"its size is {size} bytes, and no multiple of {RECORD}")
    places = list(_places(os.pread(descriptor, _READ, 0), address))
    for place in places:
        os.pwrite(descriptor, bytes(RECORD), place)
    return bool(places)


def _places(contents: bytes, address: IPv4Address) -> Iterator[int]:
    """Yield where the records of the address begin; qmail-remote keeps one, and ignores any other."""
    for place in range(0, len(contents), RECORD):
        if contents[place : place + 4] == address.packed and any(contents[place : place + RECORD]):
            yield place


def _said(queue: Path, error: OSError | NotOurs) -> QueueError:
    path = queue / "lock/tcpto"
    if isinstance(error, NotOurs):
        return QueueError("{path} is no plain file.", path=path)
    return unreadable(path, error)
