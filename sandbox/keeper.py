# SPDX-License-Identifier: GPL-2.0-or-later
"""The first process of a sandbox: it moves into the overlay, starts the services, and reaps until it is killed."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sandbox.image import HOSTNAME
from sandbox.namespaces import assemble, environment, move_into
from sandbox.profiles import PROFILES

PATIENCE = 20.0  # seconds for a service to be there
STEP = 0.02  # seconds between two looks


def main(profile: str, image: str, work: str, *binds: str) -> None:
    """Run the sandbox. Its process number on the machine goes to stdout once everything is up."""
    os.umask(0o022)
    own_pid = os.readlink("/proc/self")
    move_into(assemble(Path(work), Path(image), [Path(bind) for bind in binds]))
    socket.sethostname(HOSTNAME)
    start(["busybox", "syslogd", "-n", "-O", "/var/log/messages"])
    wait_for(Path("/dev/log").is_socket, "syslog")
    start(["/usr/libexec/sme-sandbox/boot"])
    for service, sign in PROFILES[profile].services.items():
        wait_for(partial(is_up, sign), service)
    os.write(1, own_pid.encode())  # in one piece: nobody listens after the first
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    reap()


def start(command: list[str]) -> None:
    """Start COMMAND, which writes to /var/log/boot.log."""
    with Path("/var/log/boot.log").open("ab") as log:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return when CONDITION holds; TimeoutError when it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} does not start; the log says:\n{Path('/var/log/boot.log').read_text()}")
        time.sleep(STEP)


def is_up(sign: int | str) -> bool:
    """Tell whether SIGN is there: a TCP port that answers, or a file."""
    if isinstance(sign, str):
        return Path(sign).exists()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", sign), timeout=PATIENCE):
        return True
    return False


def reap() -> None:
    """Wait for every process that ends, for ever."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
