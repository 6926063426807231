# SPDX-License-Identifier: GPL-2.0-or-later
"""Queues of qmail to read: the recorded one, and made ones."""

import json
import os
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
RECORDED: dict[str, Any] = json.loads((DATA / "qmail-queue.json").read_text())
PARTS = ("mess", "info", "local", "remote")


def recorded_queue(below: Path) -> Path:
    """Unpack the recorded queue; its todo is hard links, and its trigger a FIFO, which the filter "data" refuses."""
    with tarfile.open(DATA / "qmail-queue.tar.gz") as archive:
        archive.extraction_filter = tarfile.tar_filter if hasattr(tarfile, "tar_filter") else None
        archive.extractall(below)
    return below / "queue"


def empty_queue(path: Path, split: int = 23, split_todo: bool = False) -> Path:
    """Lay out a queue without a message."""
    for part in (*PARTS, *(("todo",) if split_todo else ())):
        for place in range(split):
            (path / part / str(place)).mkdir(parents=True)
    for part in ("todo", "intd", "bounce", "pid", "lock"):
        (path / part).mkdir(exist_ok=True)
    return path


def hold(
    queue: Path,
    ident: int,
    recipients: Collection[str],
    birth: int,
    *,
    sender: str = "sender@out.example.org",
    arrival: int | None = None,
    size: int = 100,
    due: int | None = None,
    channel: str = "remote",
) -> Path:
    """Put a message into the queue; each recipient is `T` or `D` and an address. Returns its file in info."""
    place = str(ident % len(list((queue / "info").iterdir())))
    mess, info, remote = (queue / part / place / str(ident) for part in ("mess", "info", channel))
    if not mess.exists():
        mess.write_bytes(b"x" * size)
        os.utime(mess, (arrival or birth,) * 2)
        info.write_text(f"F{sender}\0")
        os.utime(info, (birth, birth))
    remote.write_bytes("".join(f"{to}\0" for to in recipients).encode("utf-8", "surrogateescape"))
    os.utime(remote, (due or birth,) * 2)
    return info


def in_todo(queue: Path, ident: int, envelope: bytes, arrival: int) -> None:
    """Put a message on its way into the queue."""
    split = len(list((queue / "info").iterdir()))
    mess = queue / "mess" / str(ident % split) / str(ident)
    mess.write_bytes(b"x" * 100)
    os.utime(mess, (arrival, arrival))
    (queue / "intd" / str(ident)).write_bytes(envelope)
    flat = queue / "todo" / str(ident)
    inner = queue / "todo" / str(ident % split)
    os.link(queue / "intd" / str(ident), inner / str(ident) if inner.is_dir() else flat)
