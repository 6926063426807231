# SPDX-License-Identifier: GPL-2.0-or-later
"""Which servers can be connected to: all are tried at once, without threads, which Linux 2.4 does not give us."""

import errno
import os
import select
import socket
import time
from collections.abc import Collection

AT_ONCE = 64
TIMEOUT = 5.0  # seconds: room for two retries of a lost packet

Address = tuple[str, int]  # IPv4 address and port


def unreachable(targets: Collection[Address], timeout: float = TIMEOUT) -> dict[Address, str]:
    """Return the targets that accept no connection within `timeout` seconds, and why; AT_ONCE at a time."""
    found: dict[Address, str] = {}
    waiting = list(dict.fromkeys(targets))
    for start in range(0, len(waiting), AT_ONCE):
        found |= _some(waiting[start : start + AT_ONCE], timeout)
    return found


def _some(targets: list[Address], timeout: float) -> dict[Address, str]:
    end = time.monotonic() + timeout
    poll, pending, failed = select.poll(), dict[int, tuple[socket.socket, Address]](), dict[Address, str]()
    try:
        for target in targets:
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            connection.setblocking(False)
            pending[connection.fileno()] = connection, target
            problem = connection.connect_ex(target)
            if problem in (0, errno.EINPROGRESS):
                poll.register(connection, select.POLLOUT)
            else:
                failed[target] = os.strerror(problem)
                pending.pop(connection.fileno())[0].close()
        while pending and (left := end - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                poll.unregister(descriptor)
                connection, target = pending.pop(descriptor)
                if problem := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    failed[target] = os.strerror(problem)
                connection.close()
        return failed | {target: "timed out" for _, target in pending.values()}
    finally:
        for connection, _ in pending.values():
            connection.close()
