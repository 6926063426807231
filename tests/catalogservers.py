# SPDX-License-Identifier: GPL-2.0-or-later
"""Real name servers that carry catalog zones with TSIG: Knot, which takes updates, and BIND as its secondary."""

import subprocess
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path

from mxbackup.catalog import codec, keys, resources, wire, zonefile
from mxbackup.catalog.keys import Key
from mxbackup.catalog.wire import Peer
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import CatalogError
from mxbackup.lookup.query import Server
from mxbackup.rules import Rule
from tests import nameserver

EMPTY: list[Rule] = []


class Carrier:
    """A Knot at one port of 127.0.0.1 with zones that start empty, unless content is given for them.

    The key `key` may transfer and update, `reader` may do neither.
    """

    def __init__(
        self, directory: Path, zones: Iterable[str], content: Mapping[str, bytes] = {}, notify: int = 0
    ) -> None:
        directory.mkdir()
        self.port = nameserver.free_port()
        self.key_file = secret(directory / "knot.key", ["keymgr", "-t", "mx.durantcom", "hmac-sha512"])
        self.stranger = secret(directory / "other.key", ["tsig-keygen", "stranger"])
        for zone in zones:
            text = content.get(zone, zonefile.write(Catalog(zone, 1, {codec.VERSION})))
            (directory / f"{zone}.zone").write_bytes(text)
        acl = "acl:\n  - id: friends\n    key: mx.durantcom\n    action: [transfer, update, notify]\n"
        remote = f"remote:\n  - id: second\n    address: 127.0.0.1@{notify}\n    key: mx.durantcom\n" if notify else ""
        body = nameserver.configuration(directory, f"127.0.0.1@{self.port}", [])
        extra = "    acl: friends\n    journal-content: changes\n" + ("    notify: second\n" if notify else "")
        (directory / "conf").write_text(
            self.key_file.read_text() + acl + remote + body + "".join(f"  - domain: {zone}\n{extra}" for zone in zones)
        )
        self._zones = list(zones)
        self._command = ["knotd", "-c", str(directory / "conf")]
        self.start()

    def start(self) -> None:
        """Start it, with what it knew."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for zone in self._zones:
            await_zone(self.peer(zone))

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def peer(self, zone: str) -> Peer:
        """Return the zone at this server."""
        return Peer(zone, Server("127.0.0.1", self.port), key_in(self.key_file))

    def set(self, zone: str, contents: Iterable[resources.Resource]) -> None:
        """Make this all that the zone holds, by an update."""
        peer = self.peer(zone)
        now = wire.transfer(peer).catalog
        wire.update(peer, resources.difference(now.contents, set(contents)), now.serial)


class _Bind:
    """A BIND at one port of 127.0.0.1 with one zone; `key` may transfer."""

    def __init__(self, directory: Path, zone: str, said: str, port: int, key: Key) -> None:
        self.port = port
        (directory / "conf").write_text(
            f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{b64encode(key.secret).decode()}"; }};\n'
            f'options {{ directory "{directory}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n'
            '  pid-file none; session-keyfile none; recursion no; dnssec-validation no; managed-keys-directory ".";\n'
            f'  notify no; allow-transfer {{ key "{key.name}"; }}; }};\ncontrols {{ }};\n'
            f'zone "{zone}" {{ file "zone"; {said} }};\n'
        )
        command = ["named", "-f", "-c", str(directory / "conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(port)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


class Secondary(_Bind):
    """A BIND that has a zone from a Carrier, and gives it on with the same key."""

    def __init__(self, directory: Path, zone: str, primary: int, port: int, key: Key) -> None:
        directory.mkdir()
        said = f'type secondary; primaries port {primary} {{ 127.0.0.1 key "{key.name}"; }};'
        super().__init__(directory, zone, said, port, key)


class Updatable(_Bind):
    """A BIND that takes updates of a zone."""

    def __init__(self, directory: Path, zone: str, content: bytes, port: int) -> None:
        directory.mkdir()
        self.key_file = secret(directory / "bind.key", ["tsig-keygen", "publisher"])
        (directory / "zone").write_bytes(content)
        key = key_in(self.key_file)
        super().__init__(directory, zone, f'type primary; allow-update {{ key "{key.name}"; }};', port, key)
        await_zone(Peer(zone, Server("127.0.0.1", port), key))


def secret(path: Path, command: list[str]) -> Path:
    """Write the key that a program makes into a file for its owner alone."""
    path.touch(0o600)
    path.write_bytes(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    return path


def key_in(path: Path) -> Key:
    return keys.parse(path.read_text())


def await_zone(peer: Peer) -> None:
    """Wait until the server has loaded the zone: it listens before that."""
    end = time.monotonic() + nameserver.PATIENCE
    while True:
        try:
            wire.serial(peer)
        except CatalogError:
            assert time.monotonic() < end, f"{peer.zone} was not loaded"
            time.sleep(0.02)
        else:
            return


def await_port(port: int) -> None:
    end = time.monotonic() + nameserver.PATIENCE
    while not nameserver.answers("127.0.0.1", port):
        assert time.monotonic() < end, "the name server did not start"
        time.sleep(0.02)
