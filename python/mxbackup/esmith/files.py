# SPDX-License-Identifier: GPL-2.0-or-later
"""Replace a file in one step: whoever reads it sees the old content or the new, never a part. Lock one, for a while."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace(
    path: Path,
    content: bytes,
    *,
    like: Path | None = None,
    mode: int = 0o660,
    group: str = "admin",
    still: Callable[[], bool] = lambda: True,
) -> bool:
    """Make `content` the content of the file; False, and nothing changed, when `still` says no at the last moment.

    Owner and mode are those of the file at `like`, by default of the one that is replaced. When there is none,
    the mode is `mode` less the umask, and the owner root with `group` if the host has it. A symbolic link is
    followed. Raises OSError; the file is then as it was.
    """
    path = path.resolve()
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _own(like or path, file.fileno(), group)
            os.fsync(file.fileno())
        if not still():
            return False
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return True


def at(directory: int, name: str) -> str:
    """Return the path of what lies in an open directory, whatever its own path leads to by now (proc(5)).

    openat(2) does the same, and is neither in Linux 2.4 nor in our interpreter.
    """
    return f"/proc/self/fd/{directory}/{name}"


def lock(descriptor: int, limit: float) -> None:
    """Take the lock (flock(2)) of an open file alone. Raises TimeoutError when others kept it `limit` seconds long."""
    import fcntl  # here, because the module must load where there is no Unix

    end = time.monotonic() + limit
    pause = 0.001
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError from None
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        else:
            return


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file that only its maker may open; it is made if missing.

    Raises OSError, at once TimeoutError when another one holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        lock(descriptor, 0)
        yield
    finally:
        os.close(descriptor)


def _own(like: Path, descriptor: int, group: str) -> None:
    try:
        model = like.stat()
    except FileNotFoundError:
        if os.geteuid() == 0:
            import grp

            with suppress(KeyError):  # no such group: not an e-smith host
                os.fchown(descriptor, 0, grp.getgrnam(group).gr_gid)
        return
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (model.st_uid, model.st_gid):
        os.fchown(descriptor, model.st_uid, model.st_gid)
    os.fchmod(descriptor, model.st_mode & 0o7777)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
