# SPDX-License-Identifier: GPL-2.0-or-later
"""A real name server (Knot) on loopback addresses, for tests that ask the DNS."""

import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

PATIENCE = 20.0  # seconds
CONF = """
server:
    listen: [ {listen} ]
    rundir: {directory}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {directory}
template:
  - id: default
    storage: {directory}
    file: "%s.zone"
    journal-content: none
    zonefile-sync: -1
zone:
"""


def configuration(directory: Path | str, listen: str, zones: Iterable[str]) -> str:
    """Return a configuration of Knot that serves the files of zones in a directory, at addresses such as 127.0.0.1@53.

    What is to stand below `zone:` besides can follow.
    """
    return CONF.format(directory=directory, listen=listen) + "".join(f"  - domain: {zone}\n" for zone in zones)


class Knot:
    """Serves zones, given by name and text after `$ORIGIN` and `$TTL`, on some addresses at one port."""

    def __init__(self, directory: Path, zones: Mapping[str, str], addresses: tuple[str, ...], port: int) -> None:
        directory.mkdir()
        for zone, text in zones.items():
            (directory / f"{zone}.zone").write_text(f"$ORIGIN {zone}.\n$TTL 60\n{text}\n")
        listen = ", ".join(f"{address}@{port}" for address in addresses)
        (directory / "conf").write_text(configuration(directory, listen, zones))
        self._process = subprocess.Popen(
            ["knotd", "-c", str(directory / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE
        while not answers(addresses[0], port):
            assert time.monotonic() < end, "Knot did not start"
            assert self._process.poll() is None, "Knot ended at once"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True
