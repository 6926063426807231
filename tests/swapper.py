#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A race against `mxbackup learn`: swapper.py SECONDS [PACKAGE], as root.

The user of qpsmtpd swaps the directory in the spool for links into a directory of root's, as fast as it goes, and lays
links in it, while root learns again and again. Prints how often each did what, and what root has made, given away or
changed where the links lead; exits 1 if there is anything. PACKAGE is the directory of another version to try.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "python"), str(Path(__file__).parents[1])]

from tests.scratch import EXPAND_TEMPLATE, EXPANSION, PACKAGE, Scratch  # noqa: E402 - found by the line above

ATTACKER = 65534
PRIMARY = "192.0.2.25"
NAMES = (f"turn-{PRIMARY}:25", "journal", "journal.taken")
LONGEST_DWELL = 0.01  # seconds; about as long as a run works in the directory


@dataclass(frozen=True)
class Raced:
    """How often root learnt, by exit status, and of one run after it; how often links were laid; and the harm."""

    runs: Counter[int]
    after: int
    swaps: int
    harm: list[str]


def race(root: Path, seconds: float, package: Path = PACKAGE) -> Raced:
    """Let both run for so long, on a server made below `root`, to which every directory must be open to all."""
    server, victim = _server(root), root / "templates"
    spool = server.path("/var/spool/qpsmtpd")
    before = _seen(victim)
    reading, writing = os.pipe()
    attacker = os.fork()
    if attacker == 0:
        _attack(spool, victim, time.monotonic() + seconds, writing)
    os.close(writing)
    runs = Counter[int]()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for old in server.path("/var/lib/mxbackup").glob("recipients*"):  # no pause after the silence
            old.unlink()
        runs[_learn(server, package)] += 1
    os.waitpid(attacker, 0)
    with os.fdopen(reading) as told:
        swaps = int(told.read())
    return Raced(runs, _learn(server, package), swaps, sorted(_seen(victim) ^ before))


def _server(root: Path) -> Scratch:
    server = Scratch(root / "server")
    server.database("domains", f"dupontnet.com=mxbackup|Kind|domain|Recipients|learn|Route|{PRIMARY}")
    server.database("configuration", "DomainName=durantcom.net", "SystemName=sme")
    server.path("/var/qmail/control").mkdir(parents=True)
    server.write("/var/service/qpsmtpd/config/mxbackup")
    server.script(EXPAND_TEMPLATE, EXPANSION)
    spool = server.path("/var/spool/qpsmtpd")
    spool.mkdir(parents=True)
    os.chown(spool, ATTACKER, ATTACKER)
    victim = root / "templates"
    victim.mkdir()
    (victim / "secret").write_text("1\task\tx@dupontnet.com\n")
    return server


def _learn(server: Scratch, package: Path) -> int:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(package), "MXBACKUP_ROOT": str(server.root)}
    # Without a network the primary is silent at once.
    command = ["unshare", "--net", sys.executable, "-m", "mxbackup", "learn"]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False).returncode


def _attack(spool: Path, victim: Path, end: float, writing: int) -> None:
    """Swap until the end, then say how often."""
    swaps, dice = 0, random.Random()
    try:
        os.setgroups([])
        os.setresgid(ATTACKER, ATTACKER, ATTACKER)
        os.setresuid(ATTACKER, ATTACKER, ATTACKER)
        os.chdir(spool)
        os.symlink(victim, "link")
        for name in cycle(NAMES):
            if time.monotonic() >= end:
                break
            _swap(name, victim, dice.uniform(0, LONGEST_DWELL))
            swaps += 1
        for name in NAMES:
            _try(os.unlink, f"mxbackup/{name}")
    finally:
        os.write(writing, str(swaps).encode())
        os._exit(0)


def _swap(name: str, victim: Path, dwell: float) -> None:
    """The directory becomes a link, is for a moment not there, and is itself again, sometimes with a link in it."""
    _try(os.rename, "mxbackup", "own")
    _try(os.rename, "link", "mxbackup")
    time.sleep(dwell)
    _try(os.rename, "mxbackup", "link")
    _try(os.rmdir, "mxbackup")
    _try(os.rename, "own", "mxbackup")
    if dwell < LONGEST_DWELL / 8:
        _try(os.symlink, victim / "secret", f"mxbackup/{name}")
    time.sleep(dwell)
    _try(os.unlink, f"mxbackup/{name}")


def _try(act: Callable[..., None], *paths: Path | str) -> None:
    with suppress(OSError):
        act(*paths)


def _seen(victim: Path) -> set[str]:
    """What is in root's directory: name, owner, mode and content of each, and the directory itself."""
    found = set()
    for path in [victim, *victim.rglob("*")]:
        known = path.lstat()
        content = path.read_text() if path.is_file() else ""
        found.add(f"{path.name} of {known.st_uid}:{known.st_gid}, mode {known.st_mode:o}, {content!r}")
    return found


def main() -> int:
    """Race on a server of its own, and say how it went."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        raced = race(Path(directory), float(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else PACKAGE)
    runs = f"by exit status: {dict(raced.runs)}, after it {raced.after}"
    print(f"root learnt {raced.runs.total()} times ({runs}), {raced.swaps} swaps")
    print("\n".join(["harm:", *raced.harm]) if raced.harm else "no harm")
    return 1 if raced.harm else 0


if __name__ == "__main__":
    sys.exit(main())
