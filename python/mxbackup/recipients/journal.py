# SPDX-License-Identifier: GPL-2.0-or-later
"""What the qpsmtpd plugin wrote down: the file `journal` in the directory it shares with `mxbackup learn`.

Lines are `TIME<TAB>good<TAB>ADDRESS` (the primary said 2xx to RCPT), `TIME<TAB>ask<TAB>ADDRESS` (it could not be asked)
and `TIME<TAB>reply<TAB>ADDRESS<TAB>TEXT` (it said something else). The user whom the network talks to may write there
what he likes, so all is limited, and what is no such line is left out.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SIZE_LIMIT = 1024 * 1024  # bytes; the plugin stops earlier
LINE_LIMIT = 800  # bytes

_JOURNAL, _TAKEN = "journal", "journal.taken"
_ADDRESS = r"[a-z0-9!#$&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,253}"
_NOTE = re.compile(rf"([0-9]{{1,12}})\t(?:(good|ask)\t({_ADDRESS})|(reply)\t({_ADDRESS})\t[ -~]{{0,300}})")


class Note(NamedTuple):
    """A line of the journal; `word` is good, ask or reply, `time` in seconds since 1970."""

    time: int
    word: str
    address: str


def parse(line: str) -> Note | None:
    """Return the note, or None for what is none."""
    match = _NOTE.fullmatch(line)
    return match and Note(int(match[1]), match[2] or match[4], match[3] or match[5])


class Taken:
    """The journal, taken away from the plugin, which begins a new one. `directory` is where it is.

    `more` tells, when the lines are read, whether some were left out. Raises OSError.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.more = False

    def lines(self) -> Iterator[str]:
        """Yield the lines that are whole; what is beyond the limits is left out."""
        content = self._read()
        self.more = len(content) > SIZE_LIMIT
        *whole, _ = content[:SIZE_LIMIT].split(b"\n")
        for line in whole:
            if len(line) <= LINE_LIMIT:
                yield line.decode("latin-1")
            else:
                self.more = True

    def drop(self) -> None:
        """Drop what was read; without this it is there the next time."""
        (self._directory / _TAKEN).unlink(missing_ok=True)

    def _read(self) -> bytes:
        taken = self._directory / _TAKEN
        with suppress(FileNotFoundError):
            if not os.path.lexists(taken):  # else the last time did not end well
                (self._directory / _JOURNAL).rename(taken)
        try:
            descriptor = open_regular(taken, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            return file.read(SIZE_LIMIT + 1)


def open_regular(path: Path, flags: int) -> int:
    """Open a file. Raises OSError, also for a link, which is not followed, or a pipe to wait at."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PermissionError(1, os.strerror(1), str(path))
    return descriptor
