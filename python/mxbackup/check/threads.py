# SPDX-License-Identifier: GPL-2.0-or-later
"""Many things at once that wait for others, where threads can be had."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Result = TypeVar("Result")


def threads_start() -> bool:
    """Whether this machine can start threads. The C library of our interpreter cannot on Linux 2.4 (SME 5 and 6)."""
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        return False
    return True


def run_all(
    jobs: Sequence[Callable[[], Result]], at_once: int, done: Callable[[Result], object] = lambda result: None
) -> list[Result]:
    """Run all jobs, giving each result to `done` as it comes, and return all in the order of the jobs.

    `at_once` at a time; one after the other where no thread can start.
    """
    if not threads_start():
        results = []
        for job in jobs:
            results.append(job())
            done(results[-1])
        return results
    with ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(job) for job in jobs]
        for one in as_completed(running):
            done(one.result())
    return [one.result() for one in running]
