# SPDX-License-Identifier: GPL-2.0-or-later
"""The check of many rules behind the table: it goes on when the page is sent, and the next one tells how far it is."""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxbackup.errors import HostError
from mxbackup.esmith.database import log_to_syslog
from mxbackup.service import checking, records
from mxbackup.service.context import Context
from mxbackup.service.runs import Content, Runs

if TYPE_CHECKING:
    from mxbackup.check.collecting import Report

KEY = "0" * 32  # there is one at a time
LIMIT = 600  # seconds for all
KILLED = LIMIT + 30  # seconds after which its process is killed
PAUSE = 1.0  # seconds between two notes of how far it is


@dataclass(frozen=True)
class Sweep:
    """How many of the rules are checked, and whether the check goes on or was ended before it was done."""

    done: int
    count: int
    running: bool

    @property
    def broken(self) -> bool:
        """Whether it came to no end."""
        return not self.running and self.done < self.count


def begin(context: Context, wanted: Sequence[str] = ()) -> bool:
    """Have these rules checked, all without a name; their states are recorded. False when such a check goes on already.

    Raises UnknownRule, InvalidName, DatabaseError, HostError.
    """
    going = look(context)
    if going and going.running:
        return False
    domains = context.domains.read()
    chosen = [records.key_of(domains, name) for name in wanted]
    count = len(chosen or context.inventory().rules)

    def job(write: Callable[[Content], None]) -> None:
        try:
            checking.check(context, chosen, limit=LIMIT, progress=_noting(write, count))
            write(_content(count, count))
        except BaseException:
            log_to_syslog([f"check of rules: {line}" for line in traceback.format_exc().splitlines()])
            raise

    Runs(context.host).begin(KEY, job, _content(0, count), KILLED, anew=True)
    return True


def look(context: Context) -> Sweep | None:
    """Return how far the last check of many rules is; None when none is kept, or that cannot be told."""
    try:
        run = Runs(context.host).look(KEY)
        return Sweep(int(run.content["done"]), int(run.content["count"]), run.running) if run else None
    except (HostError, KeyError, ValueError, TypeError):
        return None


def _noting(write: Callable[[Content], None], count: int) -> checking.Progress:
    @contextmanager
    def progress(names: Sequence[str]) -> "Iterator[Callable[[Report], object]]":
        done, noted = 0, time.monotonic()

        def note(report: "Report") -> None:
            nonlocal done, noted
            done += 1
            if time.monotonic() > noted + PAUSE and done < count:
                noted = time.monotonic()
                write(_content(done, count))

        yield note

    return progress


def _content(done: int, count: int) -> Content:
    return {"done": done, "count": count}
