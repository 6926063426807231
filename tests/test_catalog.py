# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules as catalog zones (RFC 9432): what is written, how it is read back, what is made of anything else."""

import json
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.catalog import codec, zonefile
from mxbackup.catalog.resources import Resource
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import InvalidInput, InvalidName
from mxbackup.rules import Rule, SmartHostUse
from tests.conftest import Run
from tests.scratch import Scratch
from tests.strategies import RULE_SETS

ZONE = "backup.durantcom.net"
NODE = "5325427d4a31a7ba3f1ad33f1e8d9e9522a726df.zones"  # of www.martin.fr


def carried(rule: Rule) -> Rule:
    """The rule without what is the affair of each server."""
    return replace(rule, smarthost=SmartHostUse.BYPASS, description="", contact="")


@given(RULE_SETS)
def test_rules_come_back_from_a_catalog_as_they_went(found: list[Rule]) -> None:
    text = zonefile.write(Catalog(ZONE, 7, codec.encode(found)))
    back = zonefile.read(text)
    assert (back.zone, back.serial) == (ZONE, 7)
    decoded = codec.decode(back.contents)
    assert decoded.rules == {rule.name: carried(rule) for rule in found}
    assert decoded.left_out == ()


LABELS = st.sampled_from(["zones", "ext", "mxbackup", "kind", "route", "hold", "group", "version", "a", "b", "*", ""])
NAMES = st.sampled_from(["dupontnet.com.", "DUPONTNET.com.", "martin.fr.", ".", "com.", "*.fr.", "co.uk.", "_a.b.fr."])
RESOURCES = st.builds(
    Resource,
    st.lists(LABELS, min_size=1, max_size=6).map(".".join) | st.sampled_from(["a.zones", "b.zones"]) | st.text(),
    st.sampled_from(["PTR", "TXT", "A"]) | st.text(),
    NAMES | st.sampled_from(['"host"', '"domain"', '"2"', '"\\255"', '"a" "b"', '"']) | st.text(),
)


@given(st.sets(RESOURCES, max_size=12))
def test_any_zone_gives_only_rules_that_could_be_typed(found: set[Resource]) -> None:
    decoded = codec.decode({one for one in found if one.owner != "version"} | {codec.VERSION})
    for name, rule in decoded.rules.items():
        texts = {prop.name: prop.text(rule) for prop in rules.PROPERTIES}
        assert rules.make(name, **texts) == rule == carried(rule)
        assert f"{name}." in {one.data.lower() for one in found if one.type == "PTR"}


@given(st.sets(RESOURCES, max_size=4))
def test_a_zone_without_the_version_is_no_catalog(found: set[Resource]) -> None:
    for versions in (set(), {Resource("version", "TXT", '"1"')}, {codec.VERSION, Resource("version", "TXT", '"3"')}):
        with pytest.raises(InvalidInput):
            codec.decode({one for one in found if one.owner != "version"} | versions)


@given(st.binary(max_size=300))
def test_any_text_is_a_catalog_or_none(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        zonefile.read(content)
    whole = zonefile.write(Catalog(ZONE, 7, codec.encode([])))
    for torn in (whole + content, whole[: len(content)]):
        with suppress(InvalidInput):
            assert codec.decode(zonefile.read(torn).contents).rules == {}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (".", "The name is empty. Give a domain name such as example.com."),
        ("com.", '"com" has no dot: it would stand for a whole top-level domain. Give a name such as example.com.'),
        ("*.dupontnet.com.", '"*.dupontnet.com" is a pattern.'),
        ("_dmarc.dupontnet.com.", 'holds the character "_"'),
        ("caf\\195\\169.fr.", 'holds the character "\\"'),
        ("a\\.b.fr.", 'holds the character "\\"'),
        ("x\\010y.fr.", 'holds the character "\\"'),
        ("co.uk.", "is a public suffix"),
        ("localhost.localdomain.", "localhost"),
        ("192.0.2.1.", "192.0.2.1"),
        (f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}.fr.", "has 256 characters"),
    ],
)
def test_a_member_that_is_no_name_for_a_rule_is_left_out(member: str, reason: str) -> None:
    contents = {codec.VERSION, Resource(NODE, "PTR", member), Resource("b.zones", "PTR", "martin.fr.")}
    decoded = codec.decode(contents)
    assert decoded.rules == {"martin.fr": rules.make("martin.fr")}
    (left_out,) = decoded.left_out
    assert left_out.member == member.removesuffix(".")
    assert reason in str(left_out.reason)


def test_a_member_at_odds_with_itself_is_left_out() -> None:
    twice = {Resource("a.zones", "PTR", "dupontnet.com."), Resource("b.zones", "PTR", "DupontNet.com.")}
    both = {Resource("c.zones", "PTR", "martin.fr."), Resource("c.zones", "PTR", "durand.org.")}
    kinds = {Resource("kind.mxbackup.ext.d.zones", "TXT", text) for text in ('"host"', '"domain"')}
    kinds.add(Resource("d.zones", "PTR", "leroy.fr."))
    bad = {Resource("e.zones", "PTR", "petit.fr."), Resource("hold.mxbackup.ext.e.zones", "TXT", '"99"')}
    decoded = codec.decode({codec.VERSION, *twice, *both, *kinds, *bad})
    assert decoded.rules == {}
    assert [one.member for one in decoded.left_out] == [
        "dupontnet.com", "DupontNet.com", "durand.org", "leroy.fr", "petit.fr",
    ]  # fmt: skip


def test_what_is_not_known_of_a_member_leaves_it_a_rule() -> None:
    more = {Resource(f"{what}.a.zones", "TXT", '"host"') for what in ("group", "later.mxbackup.ext", "kind.ext")}
    more.add(Resource("coo.a.zones", "PTR", "other.example."))
    decoded = codec.decode({codec.VERSION, Resource("a.zones", "PTR", "dupontnet.com."), *more})
    assert decoded.rules == {"dupontnet.com": rules.make("dupontnet.com")}


def test_the_longest_name_of_a_catalog_leaves_room_for_its_members() -> None:
    long = f"{'a' * 60}.{'b' * 60}.{'c' * 56}.fr"
    assert len(long) == 181
    assert codec.zone_name(f"A{long}") == f"a{long}"
    with pytest.raises(InvalidInput, match="too long"):
        codec.zone_name(f"aa{long}")
    with pytest.raises(InvalidName):
        codec.zone_name("catalog zone")


def test_the_serial_number_grows_and_follows_the_clock() -> None:
    assert zonefile.serial_after(0, 1000) == 1000
    assert zonefile.serial_after(1000, 1000) == 1001
    assert zonefile.serial_after(5000, 1000) == 5001
    assert zonefile.serial_after(2**32 - 1, 1000) == 1
    assert zonefile.serial_after(4_000_000_000, 1_800_000_000) == 4_000_000_001


def test_publishing_writes_a_zone_once_for_each_change(server: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    server.database(
        "domains",
        "dupontnet.com=mxbackup|Contact|jean@martin.fr|Description|ami|Kind|domain|Smarthost|use",
        "durand.org=mxbackup|Kind|domain|Origin|backup.martin.fr",
        "www.martin.fr=mxbackup|Hold|14|Kind|host|Recipients|learn|Route|[192.0.2.1]:26",
    )
    path = tmp_path / "backup.zone"
    status, out, err = mxbackup("publish", ZONE, "--file", str(path), "--dry-run")
    assert (status, out, err) == (
        0, f"+ dupontnet.com\n+ www.martin.fr\n{ZONE}: would be added: 2, changed: 0, removed: 0.\n", "",
    )  # fmt: skip
    assert not path.exists()
    found = json.loads(mxbackup("publish", ZONE, "--file", str(path), "--json")[1])
    assert found["version"] == 1
    (told,) = found["catalogs"]
    serial = told.pop("serial")
    assert told == {
        "zone": ZONE, "written": True, "trouble": None,
        "added": ["dupontnet.com", "www.martin.fr"], "changed": [], "removed": [],
    }  # fmt: skip
    assert path.read_text() == (
        "; Made by mxbackup: what is written here by hand is lost.\n"
        f"$ORIGIN {ZONE}.\n"
        f"@ 0 IN SOA invalid. invalid. {serial} 3600 600 2147483647 0\n"
        "@ 0 IN NS invalid.\n"
        'made.mxbackup.ext 0 IN TXT "1"\n'
        'version 0 IN TXT "2"\n'
        f"{NODE} 0 IN PTR www.martin.fr.\n"
        f'hold.mxbackup.ext.{NODE} 0 IN TXT "14"\n'
        f'kind.mxbackup.ext.{NODE} 0 IN TXT "host"\n'
        f'recipients.mxbackup.ext.{NODE} 0 IN TXT "learn"\n'
        f'route.mxbackup.ext.{NODE} 0 IN TXT "[192.0.2.1]:26"\n'
        "6ccdd4c955e6323df50bb66e1837d19845d2600b.zones 0 IN PTR dupontnet.com.\n"
    )
    assert mxbackup("publish", ZONE, "--file", str(path)) == (
        0, f"Nothing has changed: the catalog {ZONE} stays as it is (serial number {serial}).\n", "",
    )  # fmt: skip
    mxbackup("set", "dupontnet.com", "--kind", "host", "--no-event")
    mxbackup("set", "www.martin.fr", "--contact", "jean@dupontnet.com", "--no-event")
    status, out, err = mxbackup("publish")
    assert (status, err) == (0, "")
    assert out.startswith(f"~ dupontnet.com\nThe catalog {ZONE} has 2 rules now")
    later = zonefile.read(path.read_bytes()).serial
    assert later > serial
    mxbackup("remove", "dupontnet.com", "--no-event")
    assert mxbackup("publish", ZONE)[1].startswith("- dupontnet.com\n")
    assert mxbackup("publish", ZONE, "--forget")[0] == 0
    assert mxbackup("publish") == (0, "No catalog is published.\n", "")


@pytest.mark.parametrize("content", ["", "$ORIGIN x.\n", "; Made by mxbackup: what is written here by hand is lost.\n"])
def test_no_other_file_is_overwritten(server: Scratch, mxbackup: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "passwd"
    path.write_text(content)
    status, out, err = mxbackup("publish", ZONE, "--file", str(path))
    assert (status, err, path.read_text()) == (3, "", content)
    assert "is not what mxbackup wrote as the catalog" in out


def test_a_file_where_others_may_write_is_refused(server: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    status, out, _ = mxbackup("publish", ZONE, "--file", str(tmp_path / "zone"))
    assert status == 3
    assert "Others than root can write in" in out


@pytest.mark.parametrize("command", ["named-checkzone", "nsd-checkzone"])
def test_name_servers_take_the_zone(command: str, tmp_path: Path) -> None:
    longest = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 57}.fr"
    path = tmp_path / "zone"
    some = [rules.make("dupontnet.com", kind="host", route="[192.0.2.1]:26", hold="14"), rules.make(longest)]
    path.write_bytes(zonefile.write(Catalog(ZONE, 4_294_967_295, codec.encode(some))))
    done = subprocess.run([command, ZONE, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
