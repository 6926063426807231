# SPDX-License-Identifier: GPL-2.0-or-later
"""Expanding configuration files from their templates: one expansion at a time, none for ever, nothing left behind."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mxbackup.errors import HostError
from mxbackup.esmith import files
from mxbackup.esmith.commands import Running, cannot_run, one_line, tail

# Seconds. Who waits for the lock outlasts whoever holds it, even a template whose `mxbackup` was killed.
EXPANSION_LIMIT = 120
ORPHAN_LIMIT = 2 * EXPANSION_LIMIT
LOCK_LIMIT = 3 * EXPANSION_LIMIT
EXPAND_EACH = Path(__file__).with_name("expand-each.pl")


class Expansion:
    """The expansions of one host, below a `root` that is put before every path.

    `directory`, root's alone, holds the lock, the fragments that the running expansion hands over, and which
    processes it started: whoever comes next removes what a killed one left.
    """

    def __init__(self, root: Path, directory: Path, command: Path) -> None:
        self.root = root
        self.directory = root / directory.relative_to("/")
        self.command = root / command.relative_to("/")

    @property
    def lock_file(self) -> Path:
        """What is locked during an expansion."""
        return self.directory / "lock"

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Hold the lock; yields its descriptor. Raises HostError, also when it is not to be had in LOCK_LIMIT."""
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            self.directory.mkdir(mode=0o700, exist_ok=True)
            lock = self.lock_file.open("a")
        except OSError as error:
            raise self._cannot_lock(error) from error
        with lock:
            try:
                files.lock(lock.fileno(), LOCK_LIMIT)
            except TimeoutError:
                raise HostError(
                    "Another expansion has held {path} for {limit} seconds, so nothing was done. "
                    "See who holds it: fuser {path}",
                    path=self.lock_file,
                    limit=LOCK_LIMIT,
                ) from None
            except OSError as error:
                raise self._cannot_lock(error) from error
            self._clear()
            try:
                yield lock.fileno()
            finally:
                self._clear()

    def run(self, paths: Iterable[Path], lock: int) -> None:
        """Expand the files, while the lock of that descriptor is held. Raises HostError."""
        paths = list(paths)
        self._await(paths, self._start(paths, lock))

    @contextmanager
    def beside(self, paths: Iterable[Path], lock: int, variable: str) -> Iterator[Callable[[Mapping[str, str]], None]]:
        """Expand the files while the caller makes our fragments, and hands them over by name.

        A template that wants one waits for the end of its standard input, then finds it in the directory named in
        the environment's `variable`: all fragments are there or none. The templates hold the lock too, should we
        be killed. Raises HostError naming the files left as they were.
        """
        rendered = self.directory / "rendered"

        def hand_over(fragments: Mapping[str, str]) -> None:
            made = self.directory / "made"
            made.mkdir()
            for name, text in fragments.items():
                (made / name).write_text(text)
            made.rename(rendered)

        reader, writer = os.pipe()
        started = None
        paths = list(paths)
        try:
            with os.fdopen(reader) as waiting, os.fdopen(writer, "w"):  # its end is what the templates wait for
                started = self._start(paths, lock, waiting, {variable: str(rendered)})
                yield hand_over
        except BaseException:
            if started:
                with suppress(HostError):  # they could not but fail
                    self._await(paths, started)
            raise
        self._await(paths, started)

    def _start(
        self, paths: Iterable[Path], lock: int, stdin: IO[str] | None = None, more: Mapping[str, str] | None = None
    ) -> Running:
        """Start expand-template for each file, all side by side."""
        try:
            self.command.stat()
        except OSError as error:
            raise cannot_run(self.command, error) from error
        (self.directory / "said").mkdir()
        program: list[Path | str] = ["perl", EXPAND_EACH, self.command, self.directory, str(ORPHAN_LIMIT)]
        environment = {"MXBACKUP_ROOT": str(self.root), **(more or {})}
        return Running([*program, *map(self._real, paths)], environment, stdin=stdin, inherited=(lock,))

    def _await(self, paths: Iterable[Path], started: Running) -> None:
        """Wait for expand-template, which exits 0 even when it fails: its errors are lines that begin with ERROR."""
        done = started.end(EXPANSION_LIMIT)
        statuses = dict(line.split() for line in done.out.splitlines())
        failures = []
        for number, path in enumerate(paths):
            said = self._said(number)
            status = statuses.get(str(number))
            if status != "0" or any(line.startswith("ERROR") for line in said.splitlines()):
                failures.append(f"{path} ({one_line(said if status else said + done.errors)})")
        if failures:
            raise HostError("Not expanded, the old file stays: {failures}.", failures="; ".join(failures))

    def _said(self, number: int) -> str:
        try:
            with (self.directory / "said" / str(number)).open("rb") as file:
                return tail(file)
        except FileNotFoundError:
            return ""

    def _clear(self) -> None:
        """Remove what the expansion before left here, and beside its files where expand-template was killed.

        That writes `FILE.PID` and renames it. Whoever holds the lock knows that no such process runs.
        """
        with suppress(FileNotFoundError):
            for line in (self.directory / "started").read_text().splitlines():
                pid, _, file = line.partition(" ")
                if not _runs(pid):
                    Path(f"{file}.{pid}").unlink(missing_ok=True)
            (self.directory / "started").unlink()
        for name in ("made", "rendered", "said"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def _real(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    def _cannot_lock(self, error: OSError) -> HostError:
        return HostError("{path} cannot be locked: {reason}.", path=self.lock_file, reason=error.strerror)


def _runs(pid: str) -> bool:
    """Whether there is such a process, and not only what its parent has not yet taken note of (proc_pid_cmdline(5))."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    return False
