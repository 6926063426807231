# SPDX-License-Identifier: GPL-2.0-or-later
"""The last known state of each rule, kept for the next check, which tells what turned."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mxbackup.check import states
from mxbackup.check.collecting import Report
from mxbackup.errors import HostError
from mxbackup.esmith import files
from mxbackup.esmith.database import Database, Store

LOCK = Path("/var/lock/mxbackup-check")
ERROR = "error"


def remember(
    store: Store, reports: Sequence[Report], *, all_rules: bool, announce: Callable[[Sequence[Report]], None]
) -> None:
    """Record the states, after `announce` was given the reports that turned from fine to error, or back.

    What could not be checked stays as it was. With `all_rules` what is no rule any more is forgotten. When `announce`
    raises nothing is recorded, so that the next time announces it. Raises DatabaseError.
    """
    before = states.remembered(store)
    known = [report for report in reports if report.checked]
    if turned := [report for report in known if _turned(before.get(report.name), report)]:
        announce(turned)
    keep = {report.name for report in reports} if all_rules else None
    store.update(lambda database: _record(database, known, keep))


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the lock of the check that remembers. Raises HostError at once when another one holds it."""
    with ExitStack() as held:
        try:
            held.enter_context(files.alone(lock))
        except TimeoutError as error:
            raise HostError("Another check with --remember is running. Wait for its end.") from error
        except OSError as error:
            raise HostError("{path} cannot be locked: {reason}.", path=lock, reason=error.strerror) from error
        yield


def _turned(before: states.Remembered | None, report: Report) -> bool:
    return (before is not None and before.state == ERROR) != (report.state == ERROR)


def _record(database: Database, reports: Iterable[Report], keep: Collection[str] | None) -> None:
    """Record the reports; with `keep` forget all names but those."""
    now = str(int(time.time()))
    for report in reports:
        database.set(report.name, report.state, {"Codes": ",".join(report.codes) or None, "Time": now})
    for name in states.read(database).keys() - keep if keep is not None else ():
        database.delete(name)
