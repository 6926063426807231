# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting the packaged interpreter, rendering one target with one rule, what the imports take, and sizes."""

import re
import subprocess
from collections import Counter
from pathlib import Path

from measure import fill, processor_time

PACKAGED = "/usr/share/mxbackup/python/bin/python3"
MACHINE = "/usr/bin/python3"
FLAGS = ["-I", "-S", "-B"]
START = "/usr/share/mxbackup/start.py"
RENDER = ["render", "rcpthosts"]
EAGER = """
import sys
sys.path[:0] = ["/usr/share/mxbackup", "/usr/share/mxbackup/lib"]
import mxbackup.hooks.actions, publicsuffixlist
"""
DIST = Path(__file__).parents[1] / "dist"
SHOWN = 10


def imports() -> dict[str, int]:
    """Microseconds that each module imported while rendering took, without those that it imports (-X importtime)."""
    command = [PACKAGED, "-X", "importtime", *FLAGS, START, *RENDER]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
    return {name: int(took) for took, name in rows}


def shares(took: dict[str, int]) -> list[tuple[str, float]]:
    """The packages whose imports take longest, and their share of all."""
    packages: Counter[str] = Counter()
    for name, microseconds in took.items():
        packages[name.partition(".")[0]] += microseconds
    return [(name, microseconds / packages.total()) for name, microseconds in packages.most_common(SHOWN)]


def main() -> None:
    """Print the tables; processor time, least of some runs, in milliseconds."""
    fill(1)
    took = imports()
    bare = processor_time([PACKAGED, *FLAGS, "-c", "pass"])
    machine = processor_time([MACHINE, *FLAGS, "-c", "pass"])
    imported = processor_time([PACKAGED, *FLAGS, "-c", EAGER])
    rendered = processor_time(["/usr/bin/mxbackup", *RENDER])
    print("                                        ms   ratio")
    print(f"{'start of the machine interpreter':<34}{1000 * machine:>8.1f}")
    print(f"{'start of the packaged interpreter':<34}{1000 * bare:>8.1f}  {bare / machine:>6.2f}  to the machine's")
    print(f"{'start and imports of render':<34}{1000 * imported:>8.1f}  {imported / bare:>6.2f}  to the start")
    print(
        f"{'render rcpthosts, one rule':<34}{1000 * rendered:>8.1f}  {rendered / imported:>6.2f}  to start and imports"
    )
    print("share of the imports: " + ", ".join(f"{name} {share:.0%}" for name, share in shares(took)))
    for package in ("smeserver-mxbackup-python", "smeserver-mxbackup-utf8"):
        installed = int(subprocess.check_output(["rpm", "-q", "--qf", "%{SIZE}", package]))
        (file,) = DIST.glob(f"{package}-[0-9]*.rpm")
        print(f"{package:<26} package {file.stat().st_size / 1e6:>5.1f} MB, installed {installed / 1e6:>5.1f} MB")


if __name__ == "__main__":
    main()
