# SPDX-License-Identifier: GPL-2.0-or-later
"""Work behind a page: one process for each key, bounded, and what became of one that was killed."""

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mxbackup.errors import HostError
from mxbackup.esmith.host import Host
from mxbackup.service import runs
from mxbackup.service.runs import Content, Run, Runs

KEYS = [f"{number:032x}" for number in range(60)]
DIRECTORY = runs.DIRECTORY.relative_to("/")
FIRST: Content = {"found": []}
LIMIT = 20


@pytest.fixture
def store(tmp_path: Path) -> Runs:
    return Runs(Host(tmp_path))


@pytest.fixture
def gate(tmp_path: Path) -> Iterator["Gate"]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


class Gate:
    """Jobs wait at it till it opens, and leave their process numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._came = path.with_suffix(".came")
        self._descriptor: int | None = None

    def job(self, write: Callable[[Content], None]) -> None:
        with self._came.open("a") as file:
            file.write(f"{os.getpid()}\n")
        write({"found": ["first"]})
        self.path.read_bytes()
        write({"found": ["first", "last"]})

    def came(self, count: int) -> list[int]:
        """Wait for so many jobs; return their processes."""
        wait(lambda: self._came.exists() and self._came.read_text().count("\n") >= count)
        return [int(line) for line in self._came.read_text().split()]

    def open(self) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR)
            os.close(self._descriptor)


def wait(until: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not until():
        assert time.monotonic() < end
        time.sleep(0.005)


def end(store: Runs, key: str) -> Run:
    """Wait for the end of a run."""

    def ended() -> bool:
        run = store.look(key)
        return run is not None and not run.running

    wait(ended)
    found = store.look(key)
    assert found
    return found


def let_through(gate: Gate) -> None:
    """Open the gate for one job."""
    with gate.path.open("wb") as file:
        file.write(b".")


def test_what_is_found_is_there_as_it_comes(store: Runs, gate: Gate) -> None:
    store.begin(KEYS[0], gate.job, FIRST, LIMIT)
    gate.came(1)
    wait(lambda: store.look(KEYS[0]) == Run({"found": ["first"]}, running=True))
    let_through(gate)
    assert end(store, KEYS[0]) == Run({"found": ["first", "last"]}, running=False)


def test_of_two_starts_comes_one_process(store: Runs, gate: Gate) -> None:
    for anew in (False, True, False):
        store.begin(KEYS[0], gate.job, FIRST, LIMIT, anew=anew)
    assert len(gate.came(1)) == 1
    let_through(gate)
    end(store, KEYS[0])
    store.begin(KEYS[0], gate.job, FIRST, LIMIT)  # ended a moment ago
    assert len(gate.came(1)) == 1
    store.begin(KEYS[0], gate.job, FIRST, LIMIT, anew=True)
    assert len(gate.came(2)) == 2
    assert store.look(KEYS[0]) in (Run(FIRST, running=True), Run({"found": ["first"]}, running=True))
    let_through(gate)
    end(store, KEYS[0])


def test_a_killed_process_leaves_what_it_found_and_is_no_longer_running(store: Runs, gate: Gate) -> None:
    store.begin(KEYS[0], gate.job, FIRST, LIMIT)
    (process,) = gate.came(1)
    wait(lambda: store.look(KEYS[0]) == Run({"found": ["first"]}, running=True))
    os.kill(process, signal.SIGKILL)
    assert end(store, KEYS[0]) == Run({"found": ["first"]}, running=False)


def test_a_process_ends_at_its_limit(store: Runs, gate: Gate) -> None:
    store.begin(KEYS[0], gate.job, FIRST, 0.2)
    assert not end(store, KEYS[0]).running


def test_no_more_than_a_few_run_at_once(store: Runs, gate: Gate) -> None:
    for key in KEYS[: runs.AT_ONCE]:
        store.begin(key, gate.job, FIRST, LIMIT)
    with pytest.raises(HostError, match="Too many checks are going on"):
        store.begin(KEYS[runs.AT_ONCE], gate.job, FIRST, LIMIT)
    assert store.look(KEYS[runs.AT_ONCE]) is None
    for process in gate.came(runs.AT_ONCE):
        os.kill(process, signal.SIGKILL)
    for key in KEYS[: runs.AT_ONCE]:
        end(store, key)


def test_a_process_has_none_of_our_descriptors_and_no_parent(store: Runs, tmp_path: Path) -> None:
    def job(write: Callable[[Content], None]) -> None:
        numbers = [number for number in range(100) if Path(f"/proc/self/fd/{number}").exists()]
        opened = {str(number): os.readlink(f"/proc/self/fd/{number}") for number in numbers}
        write({"opened": opened, "parent": os.getppid(), "session": os.getsid(0)})

    with (tmp_path / "secret").open("w"):
        store.begin(KEYS[0], job, FIRST, LIMIT)
        found = end(store, KEYS[0]).content
    null = [found["opened"].pop(number) for number in ("0", "1", "2")]
    assert null == [os.devnull] * 3
    assert list(found["opened"].values()) == [str(tmp_path / DIRECTORY / f"{KEYS[0]}.lock")]
    assert os.getpid() not in (found["parent"], found["session"])


def test_only_its_owner_can_read_the_store(store: Runs, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store.begin(KEYS[0], lambda write: write({"found": ["x"]}), FIRST, LIMIT)
        end(store, KEYS[0])
    finally:
        os.umask(before)
    directory = tmp_path / DIRECTORY
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_few_are_kept_and_none_for_long(store: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT", 3)
    directory = tmp_path / DIRECTORY
    directory.mkdir(parents=True)
    now = time.time()
    ages = dict(zip(KEYS, (10, 20, 30, 40, runs.AGE + 10), strict=False))
    for key, age in ages.items():
        for name in (f"{key}.json", f"{key}.json.77", f"{key}.lock"):
            (directory / name).write_text("{}")
            os.utime(directory / name, (now - age, now - age))
    store.begin(KEYS[9], lambda write: None, FIRST, LIMIT)
    end(store, KEYS[9])
    left = {path.name.partition(".")[0] for path in directory.iterdir()} - {"lock"}
    assert left == {*KEYS[:3], KEYS[9]}


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "lock", "0" * 31, "0" * 33, "0" * 31 + "\n", "é" * 32, "0\0"])
def test_a_hostile_key_is_no_run(store: Runs, tmp_path: Path, key: str) -> None:
    assert store.look(key) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_damaged_is_no_run(store: Runs, tmp_path: Path, content: bytes) -> None:
    directory = tmp_path / DIRECTORY
    directory.mkdir(parents=True)
    (directory / f"{KEYS[0]}.json").write_bytes(content)
    assert store.look(KEYS[0]) is None


def test_a_store_that_cannot_be_used_is_told(store: Runs, tmp_path: Path) -> None:
    (tmp_path / DIRECTORY).parent.mkdir(parents=True)
    (tmp_path / DIRECTORY).write_text("")
    with pytest.raises(HostError, match=r"cannot be used: (File exists|Not a directory)"):
        store.begin(KEYS[0], lambda write: None, FIRST, LIMIT)
