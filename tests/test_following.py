# SPDX-License-Identifier: GPL-2.0-or-later
"""Following the catalogs of other backup servers, which real name servers carry: Knot, and BIND as its secondary."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.catalog import codec, following, keys, wire, zonefile
from mxbackup.catalog.codec import Decoded
from mxbackup.catalog.following import Plan, Policy, When
from mxbackup.catalog.resources import Resource
from mxbackup.catalog.wire import Peer
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import CatalogError, InvalidInput, Message
from mxbackup.lookup.query import Server
from mxbackup.rules.localmail import LocalMail
from mxbackup.service import catalogs
from tests import nameserver
from tests.catalogservers import Carrier, Secondary, key_in
from tests.conftest import Run
from tests.heldmail import hold
from tests.postfixhost import plain_postfix, tables
from tests.scratch import Scratch
from tests.strategies import RULE_SETS
from tests.test_catalog import RESOURCES, carried

ZONES = [f"{letter}.backup.example.net" for letter in "abcdefgh"]
MANY, NONE = "many.example.net", "none.example.net"
UNWANTED = 20_000


@pytest.fixture(scope="module")
def second() -> int:
    return nameserver.free_port()


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory, second: int) -> Iterator[Carrier]:
    many = codec.encode(rules.make(f"d{number}.example.org") for number in range(UNWANTED))
    content = {
        MANY: zonefile.write(Catalog(MANY, 7, many)),
        NONE: f"$ORIGIN {NONE}.\n$TTL 60\n@ SOA a. b. 3 60 60 60 60\n@ NS a.\n@ MX 0 a.\n".encode(),
    }
    found = Carrier(tmp_path_factory.mktemp("carrier") / "knot", [*ZONES, *content], content, notify=second)
    yield found
    found.stop()


@pytest.fixture
def zone(carrier: Carrier) -> str:
    """A catalog that is empty."""
    found = ZONES[0]
    carrier.set(found, codec.encode([]))
    return found


class Follower:
    """A server that follows one catalog."""

    def __init__(self, server: Scratch, mxbackup: Run, carrier: Carrier, zone: str) -> None:
        server.with_events()
        self.server, self._run, self.carrier, self.zone = server, mxbackup, carrier, zone
        self.where = ("--server", f"127.0.0.1:{carrier.port}", "--key", str(carrier.key_file))

    def follow(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Follow it; return the exit status, and what is told beside the time."""
        status, out, err = self._run("follow", self.zone, "--json", *arguments)
        assert err == ""
        told = json.loads(out)
        assert told["version"] == 1
        (found,) = told["catalogs"]
        assert found.pop("zone") == self.zone
        return status, found

    def publish(self, *published: str | rules.Rule) -> None:
        self.carrier.set(self.zone, codec.encode(rules.make(one) if isinstance(one, str) else one for one in published))

    def rules(self) -> list[str]:
        return self.server.records("domains")


@pytest.fixture
def follower(server: Scratch, mxbackup: Run, carrier: Carrier, zone: str) -> Follower:
    return Follower(server, mxbackup, carrier, zone)


def done(told: dict[str, Any], what: str = "done") -> list[list[str]]:
    return [told[what][kind] for kind in ("added", "changed", "removed")]


def test_from_the_first_look_to_the_last(follower: Follower, mxbackup: Run) -> None:
    follower.publish("dupontnet.com", rules.make("www.martin.fr", kind="host", route="192.0.2.25", hold="14"))
    status, told = follower.follow(*follower.where, "--dry-run")
    assert (status, done(told), done(told, "waits")) == (0, [[], [], []], [["dupontnet.com", "www.martin.fr"], [], []])
    assert mxbackup("follow") == (0, "No catalog is followed.\n", "")

    status, told = follower.follow(*follower.where)
    assert (status, done(told, "waits")[0]) == (0, ["dupontnet.com", "www.martin.fr"])
    assert (follower.rules(), follower.server.events()) == ([], [])
    status, out, _ = mxbackup("status")
    assert status == 1
    assert f"Changes of the catalog {follower.zone} wait to be confirmed (new: 2, changed: 0, removed: 0)." in out

    status, told = follower.follow("--confirm")
    assert (status, done(told)) == (0, [["dupontnet.com", "www.martin.fr"], [], []])
    origin = f"Origin|{follower.zone}"
    assert follower.rules() == [
        f"dupontnet.com=mxbackup|Kind|domain|{origin}",
        f"www.martin.fr=mxbackup|Hold|14|Kind|host|{origin}|Route|192.0.2.25",
    ]
    assert follower.server.events() == ["mxbackup-update"]
    assert follower.zone in mxbackup("list")[1].splitlines()[1]
    assert f"From the catalog: {follower.zone}\n" in mxbackup("show", "dupontnet.com")[1]
    assert json.loads(mxbackup("show", "dupontnet.com", "--json")[1])["origin"] == follower.zone
    assert f"the catalog {follower.zone}" not in mxbackup("status")[1]

    assert mxbackup("follow") == (0, f"{follower.zone}: added: 0, changed: 0, removed: 0.\n", "")
    mxbackup("set", "dupontnet.com", "--contact", "jean@martin.fr", "--no-event")
    follower.publish(rules.make("dupontnet.com", kind="host"), "durand.org")
    status, told = follower.follow()
    assert done(told) == [[], [], ["www.martin.fr"]]
    assert done(told, "waits") == [["durand.org"], ["dupontnet.com"], []]
    status, told = follower.follow("--policy", "at-once")
    assert done(told) == [["durand.org"], ["dupontnet.com"], []]
    assert follower.rules() == [
        f"dupontnet.com=mxbackup|Contact|jean@martin.fr|Kind|host|{origin}",
        f"durand.org=mxbackup|Kind|domain|{origin}",
    ]

    said = mxbackup("set", "durand.org", "--route", "192.0.2.9", "--no-event")[1]
    assert f"The rule is this server's own now: the catalog {follower.zone} changes it no more.\n" in said
    follower.publish("leroy.fr", rules.make("durand.org", route="192.0.2.66"))
    assert done(follower.follow()[1], "waits") == [[], [], ["dupontnet.com"]]  # the second of three within a day
    status, told = follower.follow("--confirm")
    assert done(told) == [[], [], ["dupontnet.com"]]
    assert told["left_out"] == [{"member": "durand.org", "reason": "A rule of this name was made here."}]
    assert follower.rules()[0] == "durand.org=mxbackup|Kind|domain|Route|192.0.2.9"

    said = mxbackup("remove", "leroy.fr", "--no-event")[1]
    assert (f"comes back with the catalog {follower.zone} unless you say: mxbackup follow {follower.zone} "
                         "--without leroy.fr\n") in said  # fmt: skip
    assert done(follower.follow()[1])[0] == ["leroy.fr"]
    status, out, _ = mxbackup("follow", follower.zone, "--forget")
    assert (status, out) == (0, f"The catalog {follower.zone} is followed no more. Its rules (1) stay, as rules that "
                                "were made here.\n")  # fmt: skip
    assert follower.rules()[1] == "leroy.fr=mxbackup|Kind|domain"
    assert not list(follower.server.path("/var/lib/mxbackup/catalogs").glob("*.[jz]*"))


def test_nothing_but_what_may_be_typed_and_is_wanted_becomes_a_rule(follower: Follower) -> None:
    follower.server.database(
        "domains", "durantcom.net=domain|Content|Primary", "martin.fr=mxbackup|Kind|host",
        "durand.org=mxbackup|Kind|domain|Origin|other.example.net",
    )  # fmt: skip
    bad = [
        ".", "com.", "*.petit.fr.", "_dmarc.petit.fr.", "co.uk.", "caf\\233.fr.", "a\\.b.fr.", "-x.fr.", "localhost.",
        f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 20}.fr.x\\000y.",
    ]  # fmt: skip
    found = {Resource(f"bad{number}.zones", "PTR", name) for number, name in enumerate(bad)}
    names = ("petit.fr", "sub.petit.fr", "durantcom.net", "martin.fr", "durand.org", "x.com")
    good = [rules.make(name) for name in names]
    here = rules.make("leroy.fr", route="127.0.0.1")
    follower.carrier.set(follower.zone, codec.encode([*good, here]) | found)
    status, told = follower.follow(*follower.where, "--policy", "at-once", "--only", "*.fr", "--only", "*.net",
                                   "--only", "durand.org", "--without", "sub.petit.fr")  # fmt: skip
    assert (status, done(told), told["unwanted"]) == (0, [["petit.fr"], [], []], 2)
    assert [one["member"] for one in told["left_out"]][-4:] == ["leroy.fr", "martin.fr", "durantcom.net", "durand.org"]
    assert len(told["left_out"]) == len(bad) + 4
    assert follower.rules()[1:3] == ["durantcom.net=domain|Content|Primary", "martin.fr=mxbackup|Kind|host"]
    assert len(follower.rules()) == 4


def test_a_catalog_that_is_emptied_takes_nothing_away_without_a_word(follower: Follower, mxbackup: Run) -> None:
    names = [f"d{number}.fr" for number in range(10)]
    follower.publish(*names)
    follower.follow(*follower.where, "--policy", "at-once")
    follower.publish()
    status, told = follower.follow()
    assert (status, done(told), len(done(told, "waits")[2])) == (0, [[], [], []], 10)
    follower.publish(*names[1:])
    assert done(follower.follow()[1])[2] == ["d0.fr"]
    follower.publish(*names[2:])
    assert done(follower.follow()[1])[2] == ["d1.fr"]
    follower.publish(*names[3:])  # one by one it is more than a fifth of the day's too
    status, told = follower.follow()
    assert (done(told)[2], done(told, "waits")[2]) == ([], ["d2.fr"])
    assert len(follower.rules()) == 8
    follower.publish()
    assert len(done(follower.follow("--confirm")[1])[2]) == 8
    assert follower.rules() == []


def test_what_cannot_be_had_leaves_the_rules(follower: Follower, mxbackup: Run, tmp_path: Path) -> None:
    follower.publish("dupontnet.com")
    follower.follow(*follower.where, "--policy", "at-once")
    before = follower.rules()
    where = f"127.0.0.1:{follower.carrier.port}"

    def trouble(*arguments: str) -> str:
        status, told = follower.follow(*arguments)
        assert (status, follower.rules(), done(told)) == (3, before, [[], [], []])
        return str(told["trouble"])

    stranger = str(follower.carrier.stranger)
    assert trouble("--key", stranger) == "127.0.0.1 does not know the key stranger, or not for this."
    forged = tmp_path / "forged"
    forged.touch(0o600)
    forged.write_text("hmac-sha512:mx.durantcom:Zm9yZ2VkIQ==")
    assert trouble("--key", str(forged)) == "127.0.0.1 has another secret for the key mx.durantcom."
    assert "cannot be reached: Connection refused" in trouble("--server", "127.0.0.1:1")
    out = mxbackup("status")[1]
    assert "note: " in out
    assert "could not be had for 0 hours: 127.0.0.1 cannot be reached: Connection refused. Its rules stay" in out
    zone, follower.zone = follower.zone, NONE
    assert trouble(*follower.where) == (
        "The zone is no catalog of version 2 (RFC 9432): its version record is missing or another."
    )
    follower.zone = zone
    state = follower.server.path(f"/var/lib/mxbackup/catalogs/{zone}.json")
    stored = json.loads(state.read_text())
    assert state.stat().st_mode & 0o777 == 0o600
    state.write_text(json.dumps({**stored, "since": stored["since"] - 100_000}))
    out = mxbackup("status")[1]
    assert "warning: " in out
    assert "could not be had for 27 hours" in out
    assert follower.follow("--server", where, "--key", str(follower.carrier.key_file))[0] == 0
    assert "could not be had" not in "".join(line for line in mxbackup("status")[1].splitlines() if zone in line)
    for damage in ("", "{}", "\0", "[]"):
        state.write_text(damage)
        state.with_suffix(".zone").write_text(damage)
        assert (follower.follow()[0], follower.rules()) == (0, before)


def test_many_members_that_nobody_wants(follower: Follower) -> None:
    follower.zone = MANY
    status, told = follower.follow(*follower.where, "--policy", "at-once")
    assert (status, follower.rules(), follower.server.events()) == (1, [], [])
    assert told["refused"] == (
        "The catalog has 20000 rules that are wanted here, and at most 1000 are taken: none of them is. "
        "See --only and --most."
    )
    status, told = follower.follow("--only", "d77.example.org")
    assert (status, done(told), told["unwanted"]) == (0, [["d77.example.org"], [], []], UNWANTED - 1)


def test_held_mail_of_a_rule_that_went_keeps_its_way(follower: Follower) -> None:
    follower.server.database("configuration", "SMTPSmartHost=smtp.provider.net")
    follower.publish(rules.make("dupontnet.com", route="192.0.2.25"), "martin.fr")
    follower.follow(*follower.where, "--policy", "at-once")
    hold(follower.server.path("/var/qmail/queue"), 7, ["Tjean@www.dupontnet.com"], 1000)
    follower.publish("martin.fr")
    assert done(follower.follow()[1])[2] == ["dupontnet.com"]
    assert follower.server.records("mxbackup_draining") == ["dupontnet.com=draining|Kind|domain|Route|192.0.2.25"]
    follower.publish("martin.fr", "dupontnet.com")
    follower.follow()
    assert follower.server.records("mxbackup_draining") == []


def test_on_a_host_with_postfix_and_without_e_smith(carrier: Carrier, zone: str, tmp_path: Path) -> None:
    postfix = plain_postfix(tmp_path / "postfix")
    carrier.set(zone, codec.encode([rules.make("dupontnet.com", route="192.0.2.25")]))
    done = postfix.run("follow", zone, "--server", f"127.0.0.1:{carrier.port}", "--key", str(carrier.key_file),
                       "--policy", "at-once")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (
        0, f"+ dupontnet.com (domain) 192.0.2.25\n{zone}: added: 1, changed: 0, removed: 0.\n", "",
    )  # fmt: skip
    assert "dupontnet.com" in tables(postfix)["relay_domains"]
    carrier.set(zone, codec.encode([]))
    assert postfix.run("follow").returncode == 0
    assert "dupontnet.com" not in tables(postfix)["relay_domains"]


def test_by_a_name_server_of_this_machine_that_is_told_by_notify(
    follower: Follower, second: int, tmp_path: Path, mxbackup: Run
) -> None:
    follower.publish("dupontnet.com")
    bind = Secondary(tmp_path / "bind", follower.zone, follower.carrier.port, second, key_in(follower.carrier.key_file))
    try:
        near = Peer(follower.zone, Server("127.0.0.1", second), key_in(follower.carrier.key_file))
        _await_rules(near, {"dupontnet.com"})
        follower.follow("--server", f"127.0.0.1:{second}", "--policy", "at-once", *follower.where[2:])
        assert len(follower.rules()) == 1
        follower.publish("dupontnet.com", "martin.fr")
        _await_rules(near, {"dupontnet.com", "martin.fr"})
        assert done(follower.follow()[1])[0] == ["martin.fr"]
    finally:
        bind.stop()
    assert (follower.follow()[0], len(follower.rules())) == (3, 2)


def _await_rules(peer: Peer, names: set[str]) -> None:
    end = time.monotonic() + nameserver.PATIENCE
    while time.monotonic() < end:
        try:
            if codec.decode(wire.transfer(peer).catalog.contents).rules.keys() == names:
                return
        except (CatalogError, InvalidInput):
            pass
        time.sleep(0.05)
    raise AssertionError("the secondary did not get it")


def test_an_older_version_waits_for_a_word(follower: Follower) -> None:
    follower.publish("dupontnet.com")
    follower.follow(*follower.where, "--policy", "at-once")
    copy = catalogs.Catalogs(follower.server.host).copy(follower.zone)
    assert copy
    later = Catalog(copy.zone, copy.serial + 5, copy.contents)
    follower.server.path(f"/var/lib/mxbackup/catalogs/{follower.zone}.zone").write_bytes(zonefile.write(later))
    state = follower.server.path(f"/var/lib/mxbackup/catalogs/{follower.zone}.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "serial": later.serial}))
    status, told = follower.follow()
    assert (status, told["trouble"]) == (
        3,
        f"127.0.0.1 has an older version of {follower.zone} than was known already.",
    )
    assert follower.follow("--confirm")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--server", "127.0.0.1"), "is not secret"),
        (("--server", "127.0.0.1", "--key", "/nowhere"), "/nowhere cannot be used"),
        ((), "is not followed yet"),
        (("--forget",), "is not followed"),
        (("--server", "mail.example.com"), "no IP address"),
        (("--server", "127.0.0.1", "--only", "*.*.fr"), '"x.*.fr"'),
    ],
)
def test_wrong_use(server: Scratch, mxbackup: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    key = tmp_path / "key"
    key.write_text("hmac-sha256:a:AAAA")
    key.chmod(0o644)
    if arguments == ("--server", "127.0.0.1"):
        arguments += ("--key", str(key))
    status, _, err = mxbackup("follow", "a.example.net", *arguments)
    assert status in (2, 3)
    assert said in err
    assert "AAAA" not in err
    assert not server.path("/home/e-smith/db/mxbackup_catalogs").exists()


def test_without_a_key_only_this_machine_is_asked(server: Scratch, mxbackup: Run) -> None:
    server.with_events()
    status, _, err = mxbackup("follow", "a.example.net", "--server", "192.0.2.1")
    assert status == 2
    assert err.startswith("mxbackup: Without a key anybody could answer for 192.0.2.1. ")
    status, out, _ = mxbackup("follow", "a.example.net", "--server", "127.0.0.1:1")
    assert (status, out) == (
        3, "a.example.net: 127.0.0.1 cannot be reached: Connection refused. Its rules stay as they were.\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        'key "Mx.Durantcom" {\n\talgorithm hmac-sha256;\n\tsecret "AAEC";\n};\n',
        "# hmac-sha256:mx.durantcom:AAEC\nkey:\n  - id: mx.durantcom.\n    algorithm: hmac-sha256\n    secret: AAEC\n",
        "hmac-sha256:mx.durantcom:AAEC\n",
    ],
)
def test_a_key_in_the_forms_of_name_servers(text: str) -> None:
    assert keys.parse(text) == keys.Key("mx.durantcom", "hmac-sha256", b"\0\1\2")


@given(st.text() | st.text(alphabet='key"{};: \nhmac-sha256algorithmsecret='))
def test_any_text_is_a_key_or_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        keys.parse(text)
    with pytest.raises(InvalidInput):
        keys.parse("hmac-md5:a:AAEC")


PATTERNS = st.sampled_from(["*", "*.fr", "*.example.com", "a.example.fr", "*.org"])
POLICIES = st.builds(Policy, st.lists(PATTERNS, max_size=2).map(tuple), st.lists(PATTERNS, max_size=1).map(tuple),
                     st.integers(1, 5), st.sampled_from(When))  # fmt: skip


@settings(max_examples=40)
@given(RULE_SETS, RULE_SETS, RULE_SETS, POLICIES)
def test_a_plan_makes_what_is_followed_what_the_catalog_has(
    there: list[rules.Rule], here: list[rules.Rule], mine: list[rules.Rule], policy: Policy
) -> None:
    decoded = Decoded({rule.name: carried(rule) for rule in there}, ())
    own = {rule.name for rule in mine}
    followed = {str(rule.name): rule for rule in here if rule.name not in own}
    local = LocalMail(frozenset({there[0].name} if there else ()))
    plan = following.plan(decoded, policy, followed, lambda name: Message("x") if name in own else None, local)
    after = followed | {str(rule.name): rule for rule in (*plan.added, *plan.changed)}
    for rule in plan.removed:
        del after[rule.name]
    wanted = {name for name in decoded.rules if policy.wants(name)} - own - local.names
    assert bool(plan.trouble) == (len(wanted) > policy.most)
    assert after.keys() == wanted
    assert {name: carried(rule) for name, rule in after.items()} == {name: decoded.rules[name] for name in wanted}
    for rule in plan.changed:
        assert carried(rule) != rule or followed[rule.name].description == rule.description
    waits = following.unconfirmed(plan, policy, len(followed), 0)
    todo = following.without(plan, waits)
    if policy.when == When.CONFIRM:
        assert (todo.added, todo.changed) == ((), ())
    assert len(todo.removed) <= max(1, len(followed) / 5)
    assert {*todo.added, *waits.added} == {*plan.added}


@given(st.sets(RESOURCES, max_size=12), POLICIES)
def test_any_zone_adds_nothing_that_the_policy_forbids(found: set[Resource], policy: Policy) -> None:
    decoded = codec.decode({one for one in found if one.owner != "version"} | {codec.VERSION})
    plan = following.plan(decoded, policy, {}, lambda name: None, LocalMail(frozenset({"martin.fr"})))
    assert all(policy.wants(rule.name) and rule.name != "martin.fr" for rule in plan.added)
    assert plan == Plan(plan.added, left_out=plan.left_out, unwanted=plan.unwanted, trouble=plan.trouble)
