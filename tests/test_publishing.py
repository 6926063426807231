# SPDX-License-Identifier: GPL-2.0-or-later
"""Publishing rules at real name servers by updates (RFC 2136), and from there to a server that follows them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mxbackup import rules
from mxbackup.catalog import codec, resources, wire, zonefile
from mxbackup.catalog.resources import Resource
from mxbackup.catalog.wire import Peer
from mxbackup.lookup.query import Server
from tests import nameserver
from tests.catalogservers import Carrier, Updatable, key_in
from tests.conftest import Run
from tests.scratch import Scratch

ZONE, OTHER = "a.backup.example.net", "b.backup.example.net"


@pytest.fixture(scope="module", params=["knot", "bind"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Path]]:
    """An empty zone at a name server that takes updates, and the file of the key."""
    directory = tmp_path_factory.mktemp("updated")
    empty = b"@ 0 SOA invalid. invalid. 1 3600 600 9999999 0\n@ 0 NS invalid.\n"
    if request.param == "knot":
        knot = Carrier(directory / "knot", [ZONE], {ZONE: b"$ORIGIN " + ZONE.encode() + b".\n" + empty})
        yield knot.peer(ZONE), knot.key_file
        knot.stop()
    else:
        bind = Updatable(directory / "bind", ZONE, empty, nameserver.free_port())
        yield Peer(ZONE, Server("127.0.0.1", bind.port), key_in(bind.key_file)), bind.key_file
        bind.stop()


def there(peer: Peer) -> dict[str, rules.Rule]:
    return dict(codec.decode(wire.transfer(peer).catalog.contents).rules)


def test_only_what_has_changed_is_sent(
    server: Scratch, mxbackup: Run, peer: tuple[Peer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    zone, key = peer
    server.with_events()
    records = [f"d{number:03}.fr=mxbackup|Kind|domain" for number in range(600)]
    server.database("domains", *records, "x.fr=mxbackup|Kind|domain|Origin|c.example.net")

    def publish(*arguments: str) -> dict[str, Any]:
        status, out, err = mxbackup("publish", *arguments, "--json")
        assert (status, err) == (0, "")
        (found,) = json.loads(out)["catalogs"]
        return dict(found)

    where = (ZONE, "--update", f"127.0.0.1:{zone.server.port}", "--key", str(key))
    assert len(publish(*where, "--dry-run")["added"]) == 600
    assert not server.path("/home/e-smith/db/mxbackup_catalogs").exists()
    first = publish(*where)
    assert (first["written"], first["serial"]) == (True, wire.serial(zone))
    assert there(zone) == {f"d{number:03}.fr": rules.make(f"d{number:03}.fr") for number in range(600)}
    assert publish() == {**first, "written": False, "added": []}

    sent: list[resources.Difference] = []
    original = wire.update

    def watched(there: Peer, difference: resources.Difference, serial: int) -> None:
        sent.append(difference)
        original(there, difference, serial)

    monkeypatch.setattr(wire, "update", watched)
    mxbackup("set", "d007.fr", "--kind", "host", "--no-event")
    mxbackup("set", "d008.fr", "--description", "not for others", "--no-event")
    mxbackup("remove", "d009.fr", "--no-event")
    done = publish()
    assert (done["added"], done["changed"], done["removed"]) == ([], ["d007.fr"], ["d009.fr"])
    assert [(len(one.gone), len(one.new)) for one in sent] == [(1, 1)]
    assert there(zone)["d007.fr"] == rules.make("d007.fr", kind="host")
    assert len(there(zone)) == 599

    # Somebody else was at the zone: it is as it should be again.
    found = wire.transfer(zone).catalog
    odd = {Resource("kind.mxbackup.ext.odd.zones", "TXT", '"host"'), Resource("odd.zones", "PTR", "odd.fr.")}
    original(zone, resources.Difference([], sorted(odd)), found.serial)
    assert publish()["removed"] == ["odd.fr"]
    assert len(there(zone)) == 599


def test_a_zone_of_something_else_is_left_alone(server: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    made = {codec.VERSION, Resource("a.zones", "PTR", "example.org.")}  # that of a name server's operator
    zones = {
        ZONE: zonefile.write(zonefile.Catalog(ZONE, 1, made)),
        OTHER: f"$ORIGIN {OTHER}.\n@ 60 SOA a. b. 3 60 60 60 60\n@ 60 NS a.\nwww 60 A 192.0.2.1\n".encode(),
    }
    knot = Carrier(tmp_path / "knot", zones, zones)
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    try:
        for zone in zones:
            where = (zone, "--update", f"127.0.0.1:{knot.port}", "--key", str(knot.key_file))
            before = wire.transfer(knot.peer(zone))
            status, out, _ = mxbackup("publish", *where)
            assert status == 3
            assert out.startswith(f"{zone}: The zone {zone} at 127.0.0.1 holds something else, and stays as it is.")
            assert wire.transfer(knot.peer(zone)) == before
            assert f"The catalog {zone} could not be published for 0 hours" in mxbackup("status")[1]
    finally:
        knot.stop()
    status, out, _ = mxbackup("publish")
    assert (status, out.count("cannot be reached: Connection refused.")) == (3, 2)
    assert mxbackup("follow", ZONE, "--server", "127.0.0.1")[2] == (
        f"mxbackup: {ZONE} is published here, or followed from elsewhere: it cannot be both.\n"
    )


def test_a_record_at_fault_is_told(server: Scratch, mxbackup: Run) -> None:
    server.database("mxbackup_catalogs", "a.example.net=follow|Policy|always|Server|[127.0.0.1]:53")
    assert "Nothing of the catalog a.example.net is taken: The record a.example.net of the" in mxbackup("status")[1]
    assert mxbackup("follow")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("--forget",), ("--file", "/a", "--update", "127.0.0.1"), ("--file", "/a", "--key", "/b"), ("--key", "/b"),
     ("--update", "192.0.2.1")],
)  # fmt: skip
def test_wrong_use(server: Scratch, mxbackup: Run, arguments: tuple[str, ...]) -> None:
    assert mxbackup("publish", ZONE, *arguments)[0] == 2
    assert not server.path("/home/e-smith/db/mxbackup_catalogs").exists()
