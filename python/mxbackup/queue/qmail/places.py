# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening what lies in a mail queue, whose directories belong to qmail's users and not to root.

Everything is reached through descriptors, one name after the other, so that no link leads anywhere else.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mxbackup.errors import QueueError
from mxbackup.esmith import files

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Opening a FIFO must not wait.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class NotOurs(Exception):
    """The file is no plain file, or it has another name elsewhere."""


@contextmanager
def directory(queue: Path, *below: str) -> Iterator[int]:
    """Yield a descriptor of a directory of the queue. Raises OSError: ELOOP or ENOTDIR for a link.

    The queue itself may be a link: its place belongs to root.
    """
    descriptor = os.open(queue, _DIRECTORY)
    try:
        for name in below:
            inner = os.open(files.at(descriptor, name), _DIRECTORY | os.O_NOFOLLOW)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def file(inside: int, name: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Yield a descriptor of a plain file in the directory of descriptor `inside`.

    Raises OSError; NotOurs for anything but a plain file that has no other name.
    """
    descriptor = os.open(files.at(inside, name), flags | _FILE)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise NotOurs(name)
        yield descriptor
    finally:
        os.close(descriptor)


def unreadable(path: Path, error: OSError) -> QueueError:
    """Return the error that says that the queue cannot be read, and why."""
    return QueueError("The mail queue {path} cannot be read: {reason}.", path=path, reason=error.strerror)
