# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a queue, and how a message gets into them: qmail-queue.c."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

LOCAL, REMOTE = "local", "remote"
Clock = Callable[[], float]


def make_queue(queue: Path, split: int = 23, mode: int = 0o700) -> None:
    """Lay out an empty queue, whose directories have that mode."""
    for part in ("mess", "info", LOCAL, REMOTE):
        for place in range(split):
            _directory(queue / part / str(place), mode)
    for part in ("todo", "intd", "bounce", "pid", "lock"):
        _directory(queue / part, mode)
    (queue / "lock/tcpto").write_bytes(bytes(1024))
    (queue / "lock/sendmutex").touch()
    os.mkfifo(queue / "lock/trigger")
    (queue / "lock/trigger").chmod(0o622)


def inject(queue: Path, message: bytes, sender: str, recipients: Iterable[str], clock: Clock = time.time) -> int:
    """Put a message into the queue as qmail-queue does, and pull the trigger; return its number."""
    written = queue / "pid" / f"{os.getpid()}.{time.monotonic_ns()}"
    written.write_bytes(message)
    ident = written.stat().st_ino
    os.utime(written, (clock(),) * 2)
    written.rename(split_path(queue, "mess", ident))
    envelope = [f"u{os.getuid()}", f"p{os.getpid()}", f"F{sender}", *(f"T{recipient}" for recipient in recipients)]
    intd = queue / "intd" / str(ident)
    intd.write_bytes(b"".join(raw(entry) + b"\0" for entry in envelope))
    os.link(intd, queue / "todo" / str(ident))
    with suppress(OSError):  # nobody listens: it is found at the next start
        descriptor = os.open(queue / "lock/trigger", os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, b"\0")
        os.close(descriptor)
    return ident


def _directory(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def split_path(queue: Path, part: str, ident: int) -> Path:
    """Return the file of a message in a part of the queue that is split."""
    return queue / part / str(ident % len(os.listdir(queue / part))) / str(ident)


def raw(text: str) -> bytes:
    """Return the bytes of a text, also of those that were no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def entries_of(path: Path) -> list[str]:
    """Return what stands in an envelope file, each with its letter."""
    return path.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]


def name_of(address: str) -> str:
    """Return what stands behind the @, in lower case."""
    return address.rpartition("@")[2].lower()
