# SPDX-License-Identifier: GPL-2.0-or-later
"""The queue runner as the sandbox's qmail-send: real time, real signals, the control files of the server.

QUEUERUNNER_CLOCK is how many seconds its clock is ahead.
"""

import os
import select
import signal
import sys
import syslog
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from .layout import LOCAL, REMOTE, inject, make_queue
from .log import Log
from .remote import Remote
from .routes import routing
from .runner import LIFETIME, SUCCESS, Result, Runner

HOME = Path("/var/qmail")
QUEUE, CONTROL = HOME / "queue", HOME / "control"
DELIVERED = HOME / "delivered"
LOGS = Path("/var/log/qmail")
STARTS = Path("/var/log/qmail-restarts")
CONCURRENCY = 20


def clock() -> float:
    """Return the time, shifted."""
    return time.time() + float(os.environ.get("QUEUERUNNER_CLOCK", "0"))


def main() -> None:
    """Run the queue until TERM."""
    syslog.openlog("qmail", syslog.LOG_PID, syslog.LOG_MAIL)
    woken, waker = _pipe()
    _note_signals(waker)
    with ThreadPoolExecutor(CONCURRENCY) as executor:
        remote = Remote(
            QUEUE, routing(CONTROL), _line("me", "localhost"), clock,
            connect=float(_line("timeoutconnect", "60")), talk=float(_line("timeoutremote", "1200")),
        )  # fmt: skip
        runner = Runner(
            QUEUE, {LOCAL: keep, REMOTE: remote}, Log(LOGS, clock), _line("me", "localhost"), _is_local(),
            int(_line("queuelifetime", str(LIFETIME))), clock, executor, on_end=lambda: _wake(waker),
        )  # fmt: skip
        runner.start()
        with STARTS.open("a") as starts:
            starts.write(f"{time.ctime()} start {os.getpid()}\n")
        while _heed(runner, woken):
            runner.step()
            select.select([woken, runner.trigger], [], [], min(runner.wake(), 1))
        runner.stop()


def lay_out() -> None:
    """Make the queue; whoever takes mail in may write there, as qmail-queue is no setuid program here."""
    make_queue(QUEUE, mode=0o1777)


def enqueue() -> None:
    """Do what qmail-queue does: a message on descriptor 0 and its envelope on descriptor 1. Exits as it does."""
    try:
        with os.fdopen(0, "rb", closefd=False) as message, os.fdopen(1, "rb", closefd=False) as envelope:
            body, addresses = message.read(), envelope.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        sys.exit(54)
    sender, *recipients = [entry for entry in addresses if entry]
    if not sender.startswith("F") or not recipients or not all(entry.startswith("T") for entry in recipients):
        sys.exit(91)
    try:
        inject(QUEUE, body, sender[1:], [entry[1:] for entry in recipients], clock)
    except OSError:
        sys.exit(53)


def keep(message: Path, sender: str, recipient: str) -> Result:
    """Deliver a message to somebody here: keep a copy of it."""
    path = DELIVERED / recipient.replace("/", "_") / message.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(message.read_bytes())
    return Result(SUCCESS, "did_1+0+0/\n")


_signals: list[signal.Signals] = []


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _wake(waker: int) -> None:
    with suppress(BlockingIOError):
        os.write(waker, b"\0")


def _note_signals(waker: int) -> None:
    """Note signals as they come, and have each end the wait of the main loop."""
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, lambda number, _: _signals.append(signal.Signals(number)))


def _heed(runner: Runner, woken: int) -> bool:
    """Do what the signals say; return False at TERM."""
    with suppress(BlockingIOError):
        os.read(woken, 4096)
    while _signals:
        match _signals.pop(0):
            case signal.SIGTERM:
                return False
            case signal.SIGHUP:
                syslog.syslog(syslog.LOG_INFO, "signal HUP")
                runner.is_local = _is_local()
            case signal.SIGALRM:
                syslog.syslog(syslog.LOG_INFO, "signal ALRM")
                runner.alarm()
    return True


def _lines(name: str) -> list[str]:
    path = CONTROL / name
    return [line.strip() for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def _line(name: str, default: str) -> str:
    return (_lines(name) or [default])[0]


def _is_local() -> Callable[[str], bool]:
    """Return what tells the names whose mail stays here, as the control files are now."""
    names = {line.lower() for line in _lines("locals") or _lines("me")}
    virtual = {line.partition(":")[0].lower() for line in _lines("virtualdomains")}
    return lambda name: (
        name in names or name in virtual or any(name.endswith(suffix) for suffix in virtual if suffix.startswith("."))
    )
