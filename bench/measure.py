# SPDX-License-Identifier: GPL-2.0-or-later
"""Run commands and tell what they took; fill databases for that."""

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DOMAINS = Path("/home/e-smith/db/domains")
SIZES = (1, 100, 10_000, 100_000)


@dataclass(frozen=True)
class Cost:
    """Median wall-clock seconds and largest resident MiB of a process of the command (its own children left out)."""

    seconds: float
    mebibytes: float


def cost(command: Sequence[str], times: int = 3) -> Cost:
    """Run the command some times, its output thrown away. Raises CalledProcessError when it fails."""
    seconds, peaks = [], []
    for _ in range(times):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - start)
        peaks.append(usage.ru_maxrss / 1024)
        if status:
            raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return Cost(statistics.median(seconds), max(peaks))


def processor_time(command: Sequence[str], times: int = 20) -> float:
    """Seconds of processor time, the least of some runs. Raises CalledProcessError when one fails."""
    least = float("inf")
    for _ in range(times):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
        least = min(least, usage.ru_utime + usage.ru_stime)
    return least


def fill(count: int) -> None:
    """Make a domains database of `count` rules beside the server's own domain."""
    records = [f"customer{number:06}.example.com=mxbackup|Kind|domain\n" for number in range(count)]
    DOMAINS.write_text("".join([*records, "durantcom.net=domain|Content|Primary|Description|Own domain\n"]))
