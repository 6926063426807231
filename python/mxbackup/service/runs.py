# SPDX-License-Identifier: GPL-2.0-or-later
"""Work that goes on behind a page: what it has found so far lies below /var/lib/mxbackup, for root alone.

Each run has a key, its name there. Whoever works at one holds its lock, so that none is started twice, and one that was
killed is known. How many run at once, how many are kept and for how long is bounded.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from mxbackup.errors import HostError
from mxbackup.esmith import detached, files
from mxbackup.esmith.host import Host

DIRECTORY = Path("/var/lib/mxbackup/checks")
AT_ONCE = 4
KEPT = 50
AGE = 3600  # seconds that a run is kept
FRESH = 120  # seconds that it is not done again, unless that is asked for
PATIENCE = 10.0  # seconds that the store is waited for, which is busy for a moment only
LARGEST = 1 << 20  # bytes of what a run has found
_KEY = re.compile(r"[0-9a-f]{32}")
_LOCK = "lock"

Content = dict[str, Any]
Job = Callable[[Callable[[Content], None]], object]


@dataclass(frozen=True)
class Run:
    """What a run has found, and whether it goes on."""

    content: Content
    running: bool


class Runs:
    """The runs of one host. Its methods raise HostError when the store cannot be used."""

    def __init__(self, host: Host) -> None:
        self._directory = host.path(DIRECTORY)

    def begin(self, key: str, job: Job, first: Content, limit: float, *, anew: bool = False) -> None:
        """Have `job` run in the background, for `limit` seconds; it is given what takes all that it has found so far.

        Nothing is begun when it runs, or, unless `anew`, ended a moment ago. Until it finds something that is `first`.
        """
        with self._alone():
            self._sweep()
            with self._taken(key) as lock:
                if lock is None or (not anew and self._is_fresh(key)):
                    return
                if self._running() > AT_ONCE:
                    raise HostError("Too many checks are going on. Try again in a minute.")
                self._write(key, first)
                detached.start(lambda: job(lambda found: self._write(key, found)), limit, (lock,))

    def look(self, key: str) -> Run | None:
        """Return a run; None when there is no such."""
        if not _KEY.fullmatch(key) or not self._content(key).exists():
            return None
        with self._alone():
            running = self._runs(key)  # first: what it found last is there when it has ended
            content = self._read(key)
        return None if content is None else Run(content, running)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the store."""
        descriptor = -1
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = _open(self._directory / _LOCK)
            files.lock(descriptor, PATIENCE)
            yield
        except OSError as error:
            reason = error.strerror or str(error) or "it was locked too long"
            raise HostError("{path} cannot be used: {reason}.", path=self._directory, reason=reason) from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    @contextmanager
    def _taken(self, key: str) -> Iterator[int | None]:
        """Hold the lock of a run; None when it runs. Closed here, it is held for as long as another process has it."""
        descriptor = _open(self._directory / f"{key}.{_LOCK}")
        try:
            yield descriptor if _locked(descriptor) else None
        finally:
            os.close(descriptor)

    def _running(self) -> int:
        """How many run, with the one whose lock we hold."""
        return sum(self._runs(path.stem) for path in self._directory.glob(f"*.{_LOCK}"))

    def _runs(self, key: str) -> bool:
        with self._taken(key) as lock:
            return lock is None

    def _sweep(self) -> None:
        """Remove what is too old or too much, with what a run left that was killed while it wrote."""
        found = sorted(path for path in self._directory.iterdir() if path.name != _LOCK)
        by_key = [list(paths) for _, paths in groupby(found, key=lambda path: path.name.partition(".")[0])]
        newest = sorted(by_key, key=_touched, reverse=True)
        for number, paths in enumerate(newest):
            old = _touched(paths) < time.time() - AGE
            if (old or number >= KEPT) and not self._runs(paths[0].name.partition(".")[0]):
                for path in paths:
                    path.unlink(missing_ok=True)

    def _is_fresh(self, key: str) -> bool:
        with suppress(FileNotFoundError):
            return self._content(key).stat().st_mtime > time.time() - FRESH
        return False

    def _content(self, key: str) -> Path:
        return self._directory / f"{key}.json"

    def _read(self, key: str) -> Content | None:
        with suppress(FileNotFoundError, ValueError, RecursionError), self._content(key).open("rb") as file:
            found = json.loads(file.read(LARGEST))
            return found if isinstance(found, dict) else None
        return None

    def _write(self, key: str, content: Content) -> None:
        files.replace(self._content(key), json.dumps(content).encode(), mode=0o600, group="root")


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _locked(descriptor: int) -> bool:
    """Lock an open file, unless another one has."""
    try:
        files.lock(descriptor, 0)
    except TimeoutError:
        return False
    return True


def _touched(paths: list[Path]) -> float:
    """When any of the files was written last."""
    times = [0.0]
    for path in paths:
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)
