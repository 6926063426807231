# SPDX-License-Identifier: GPL-2.0-or-later
"""The log of qmail-send, as multilog keeps it."""

import time
from pathlib import Path

from .layout import Clock, raw


def safe(text: str) -> str:
    """Return the text as qmail-send logs what others wrote."""
    return "".join(chr(b) if 33 <= b <= 126 and b != 37 else "/" if b == 10 else "_" for b in raw(text))


def stamp(now: float) -> str:
    """Return a time as multilog stamps it: TAI64N."""
    return f"@{(1 << 62) + 10 + int(now):016x}{int(now % 1 * 1e9):08x}"


class Log:
    """Appends stamped lines to `current` of a directory, as multilog does."""

    def __init__(self, directory: Path, clock: Clock = time.time) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "current"
        self.clock = clock

    def __call__(self, line: str) -> None:
        """Append a line."""
        with self.path.open("a") as file:
            file.write(f"{stamp(self.clock())} {line}\n")
