# SPDX-License-Identifier: GPL-2.0-or-later
"""Run commands and tell what they took; fill databases for that."""

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Where the databases are with e-smith, and without.
ESMITH = Path("/home/e-smith/db")
DOMAINS = (ESMITH if ESMITH.exists() else Path("/etc/mxbackup")) / "domains"
SIZES = (1, 100, 10_000, 100_000)


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds, processor seconds and the largest resident MiB, of a command with all that it waited for."""

    seconds: float
    processor: float
    mebibytes: float


def cost(command: Sequence[str], times: int = 3) -> Cost:
    """Run the command some times; return the medians, and the largest memory. Raises CalledProcessError."""
    costs = [one_cost(command) for _ in range(times)]
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.processor for cost in costs),
        max(cost.mebibytes for cost in costs),
    )


def one_cost(command: Sequence[str]) -> Cost:
    """Run the command, its output thrown away. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def processor_time(command: Sequence[str], times: int = 20) -> float:
    """Seconds of processor time, the least of some runs. Raises CalledProcessError when one fails."""
    return min(one_cost(command).processor for _ in range(times))


def fill(count: int) -> None:
    """Make a domains database of `count` rules beside the server's own domain."""
    records = [f"customer{number:06}.example.com=mxbackup|Kind|domain\n" for number in range(count)]
    DOMAINS.write_text("".join([*records, "durantcom.net=domain|Content|Primary|Description|Own domain\n"]))


def settle() -> None:
    """Put what the database holds into force, though most of what was in force be gone."""
    subprocess.run(["/usr/bin/mxbackup", "apply", "--confirm"], stdout=subprocess.DEVNULL, check=True)
