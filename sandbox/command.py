# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a command on an SME Server made out of this Debian machine, starting that first when it does not run."""

import argparse
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypedDict

from sandbox.image import image
from sandbox.namespaces import CHECKOUT, UNSHARE, command_inside, environment
from sandbox.profiles import DEFAULT, PROFILES

STATE = Path("/run/mxbackup-sandbox")
FAILED = 3


class Running(TypedDict):
    """What is known of a running sandbox."""

    pid: int
    started: str
    profile: str
    binds: list[str]


EPILOG = """\
Each NAME is a server of its own, with its own files, processes and network; nothing of this machine changes,
and what was written inside goes with it. The source tree is there at its own path, read-only.

  sandbox/enter db configuration show
  sandbox/enter --profile sme6 --name old sh -c 'cat /var/qmail/control/rcpthosts'
  sandbox/enter --stop --name old
"""


def main() -> None:
    """Do what the command line says; exit with the status of the command, 2 for wrong use, 3 when it cannot be."""
    options = parse_arguments()
    if os.geteuid() != 0:
        fail("this needs root, for the namespaces and mounts of the sandbox.")
    state = STATE / options.name
    with locked(options.name):
        if options.stop or options.fresh:
            stop(state)
        if options.stop:
            return
        running = find(state)
        if running and options.profile not in (None, running["profile"]):
            fail(f"{options.name} runs as {running['profile']}; use --fresh or another --name.", status=2)
        if running and not set(map(str, options.bind)) <= set(running["binds"]):
            fail(f"{options.name} runs without that --bind; use --fresh or another --name.", status=2)
        pid = running["pid"] if running else start(state, options.profile or DEFAULT, options.bind)
    command = command_inside(pid, options.command)
    os.execvpe(command[0], command, environment())  # noqa: S606 - there is no shell to want


def parse_arguments() -> argparse.Namespace:
    """Return the options, complete and fit to be used."""
    parser = argparse.ArgumentParser("sandbox/enter", description=__doc__, epilog=EPILOG)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--name", default="default", help="which sandbox (default: %(default)s)")
    parser.add_argument("--profile", choices=PROFILES, help=f"which SME Server it starts as (default: {DEFAULT})")
    parser.add_argument("--fresh", action="store_true", help="discard it first when it runs")
    parser.add_argument("--stop", action="store_true", help="discard it and do nothing else")
    parser.add_argument(
        "--bind", type=Path, action="append", default=[], metavar="HOSTDIR", help="share this one, when starting"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run there, with its arguments")
    options = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", options.name):
        parser.error("a name is made of letters, digits, '.', '_' and '-'.")
    for directory in options.bind:
        if not (directory.is_absolute() and directory.is_dir()):
            parser.error(f"--bind {directory}: not the absolute path of a directory.")
    if bool(options.command) == options.stop:
        parser.error("give either a command or --stop.")
    return options


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let nobody else start or stop the sandbox NAME meanwhile."""
    STATE.mkdir(parents=True, exist_ok=True)
    path = STATE / f".{name}.lock"
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock.fileno()).st_nlink == 0:
                continue  # removed by who had it before: another one will be locked by whoever comes next
            try:
                yield
            finally:
                path.unlink()
            return


def find(state: Path) -> Running | None:
    """Return what is known of the sandbox whose state directory this is, None when it does not run."""
    with contextlib.suppress(FileNotFoundError):
        known: Running = json.loads((state / "keeper").read_text())
        if known["started"] == start_time(known["pid"]):
            return known
    return None


def start_time(pid: int) -> str:
    """Return when the process PID started, in clock ticks since boot (proc_pid_stat(5)).

    FileNotFoundError when there is no such process.
    """
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def start(state: Path, profile: str, binds: list[Path]) -> int:
    """Start a sandbox and return the process number of its keeper."""
    shutil.rmtree(state, ignore_errors=True)
    work = state / "work"
    work.mkdir(parents=True)
    try:
        tar = image(profile)
    except subprocess.CalledProcessError as error:
        fail(f"the base package of {profile} cannot be built: {error}\n{error.output}")
    keeper: list[str | Path] = [*UNSHARE, sys.executable, "-m", "sandbox.keeper", profile, tar, work, *binds]
    answer, answer_end = os.pipe()
    with (state / "log").open("wb") as log:
        subprocess.Popen(
            keeper,
            stdin=subprocess.DEVNULL,
            stdout=answer_end,
            stderr=log,
            cwd=CHECKOUT,
            env=environment(),
            start_new_session=True,
        )
    os.close(answer_end)
    pid = int(os.read(answer, 20) or 0)
    if not pid:
        fail(f"{state.name} does not start:\n{(state / 'log').read_text()}")
    known = Running(pid=pid, started=start_time(pid), profile=profile, binds=[str(bind) for bind in binds])
    (state / "keeper").write_text(json.dumps(known))
    return pid


def stop(state: Path) -> None:
    """Kill the sandbox, if it runs, and with its first process all others, its mounts and its network."""
    running = find(state)
    if running:
        process = os.pidfd_open(running["pid"])
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [])
    shutil.rmtree(state, ignore_errors=True)


def fail(reason: str, status: int = FAILED) -> NoReturn:
    """End with REASON on stderr."""
    print(f"sandbox/enter: {reason}", file=sys.stderr)
    sys.exit(status)
