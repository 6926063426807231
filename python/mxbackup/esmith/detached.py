# SPDX-License-Identifier: GPL-2.0-or-later
"""A process of ours that goes on when we have ended: nobody waits for it, and it ends in time."""

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress

DESCRIPTORS = "/proc/self/fd"


def start(job: Callable[[], object], limit: float, kept: Collection[int] = ()) -> None:
    """Run `job` in a process of its own, that is killed after `limit` seconds. Raises OSError when none can start.

    Of our descriptors it has those that are `kept`. It is nobody's child and leads a session: a web server that waits
    for our output, or ends us, does not mean it.
    """
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _run(job, limit, kept)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("no process can be started")


def _run(job: Callable[[], object], limit: float, kept: Collection[int]) -> None:
    """Never returns, and runs none of what our caller has left to do at its end."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, limit)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nowhere, descriptor)
        for descriptor in map(int, os.listdir(DESCRIPTORS)):
            if descriptor > 2 and descriptor not in kept:
                with suppress(OSError):  # the one that the list was read from
                    os.close(descriptor)
        job()
    finally:
        os._exit(0)
