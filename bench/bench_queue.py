# SPDX-License-Identifier: GPL-2.0-or-later
"""Telling what waits in qmail's queue, against a program that only reads the same files."""

import os
import time
from pathlib import Path

from measure import cost, fill, settle

QUEUE = Path("/var/qmail/queue")
SIZES = (10, 1_000, 10_000)


def hold(ident: int) -> None:
    """Lay a message into the queue, as qmail does (INTERNALS); one that is there is left."""
    split = len(list((QUEUE / "info").iterdir()))
    for part, content in (
        ("mess", "x" * 2_000),
        ("info", "Fa@example.net\0"),
        ("remote", "Tone@customer000000.example.com\0"),
    ):
        path = QUEUE / part / str(ident % split) / str(ident)
        if not path.exists():
            path.write_text(content)
            os.utime(path, (time.time(),) * 2)


def main() -> None:
    """Print the table; times in seconds, memory in MiB, ratios to reading the files."""
    fill(100)
    settle()
    print("messages    read   queue   ratio    MiB")
    held = 0
    for size in SIZES:
        for ident in range(held, size):
            hold(1_000_000 + ident)
        held = size
        read = cost(["/usr/bin/find", str(QUEUE), "-type", "f", "-exec", "/bin/cat", "{}", "+"])
        told = cost(["/usr/bin/mxbackup", "queue"])
        print(
            f"{size:>8}  {read.seconds:>6.3f}  {told.seconds:>6.3f}  {told.seconds / read.seconds:>6.1f}"
            f"  {told.mebibytes:>5.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
