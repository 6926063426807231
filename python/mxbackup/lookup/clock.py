# SPDX-License-Identifier: GPL-2.0-or-later
"""The time that something may take, shared by its steps: each gets what is left."""

import time
from typing import NoReturn

from mxbackup.errors import MxBackupError


class TimeIsUp(MxBackupError):
    """What was to be done takes longer than it may."""


class Clock:
    """Runs from now on for a number of seconds, and no longer than `whole`, which it is a part of."""

    def __init__(self, seconds: float, whole: "Clock | None" = None) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._whole = whole

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeIsUp when there are none."""
        whole = self._whole.left() if self._whole else float("inf")
        own = self._end - time.monotonic()
        if own <= 0:
            self.over()
        return min(own, whole)

    def over(self) -> NoReturn:
        """Raise TimeIsUp: for a step that would have needed more than was left for it."""
        raise TimeIsUp("the limit of {seconds} s is over", seconds=f"{self.seconds:g}")
