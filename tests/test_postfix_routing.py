# SPDX-License-Identifier: GPL-2.0-or-later
"""What Postfix does, rule by rule, and what always holds. tests/test_postfix_verdict.py asks the real one."""

from collections.abc import Container

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Lookup, Outcome
from mxbackup.routing.postfix.delivery import outcomes, tiers
from mxbackup.routing.postfix.parameters import DEFAULTS, Postfix
from mxbackup.routing.postfix.transport import Site, Way, keys, resolve, route, site_of
from mxbackup.routing.verdict import Delivery, Route, Target, Verdict, worst
from tests.test_delivery import BASE, zone_lookup

OWN = {"127.0.0.1", "::1"}
DEAD = {Target("127.0.0.9", 25), Target("2001:db8::9", 25)}
HOSTS = BASE + "six AAAA 2001:db8::2\nself6 AAAA ::1\nnat A 192.0.2.1\nboth A 127.0.0.2\nboth AAAA 2001:db8::2\n"


def decided(zone: str, table: dict[str, str] | None = None, postfix: Postfix = DEFAULTS) -> str:
    """The verdicts, codes and targets, in words."""
    found = outcomes("x.test", table or {}, zone_lookup(HOSTS + zone), OWN, {"192.0.2.1"}, DEAD, postfix)
    return " or ".join(" ".join([one.verdict, one.code, *map(str, one.to)]).replace("  ", " ").strip() for one in found)


@pytest.mark.parametrize(
    ("zone", "verdict"),
    [
        ("x MX 10 prim", "deliver 127.0.0.2:25"),
        ("x MX 10 prim\nx MX 20 self", "deliver 127.0.0.2:25"),
        ("x MX 10 self", "bounce 5.4.6"),
        ("x MX 10 self\nx MX 20 prim", "bounce 5.4.6"),
        ("x MX 10 self\nx MX 10 prim", "bounce 5.4.6"),
        ("x A 127.0.0.1", "bounce 5.4.6"),
        ("x A 127.0.0.1\nx A 127.0.0.2", "bounce 5.4.6"),
        ("x AAAA ::1", "bounce 5.4.6"),
        # The primary's name has no address now: unlike qmail, Postfix waits for it.
        ("x MX 10 nosuch\nx MX 20 self", "defer 4.4.4"),
        ("x MX 10 elsewhere.example.\nx MX 20 self", "defer 4.4.4"),
        ("x MX 10 nosuch", "bounce 5.4.4"),
        ("x MX 10 nosuch\nx MX 20 elsewhere.example.", "defer 4.4.3"),
        ("x MX 10 elsewhere.example.\nx MX 20 nosuch", "defer 4.4.4"),
        ("", "bounce 5.4.4"),
        ("x A 127.0.0.2", "deliver 127.0.0.2:25"),
        ("x AAAA 2001:db8::2", "deliver [2001:db8::2]:25"),
        ("x MX 0 .", "bounce 5.1.0"),
        ("x MX 0 .\nx MX 10 prim", "bounce 5.1.0"),
        ("x MX 10 127.0.0.2.", "deliver 127.0.0.2:25"),
        ("x MX 10 a\\032b\na\\032b A 127.0.0.2", "bounce 5.4.4"),
        ("x MX 10 a\\032b\nx MX 20 prim", "deliver 127.0.0.2:25"),
        ("x CNAME y\ny MX 10 prim", "deliver 127.0.0.2:25"),
        ("x CNAME y\ny MX 10 self", "bounce 5.4.6"),
        ("x CNAME y\ny A 127.0.0.2", "deliver 127.0.0.2:25"),
        ("x CNAME elsewhere.example.", "defer 4.4.3"),
        ("x MX 10 dead", "defer 4.4.1 127.0.0.9:25"),
        ("x MX 10 dead\nx MX 20 prim", "deliver 127.0.0.9:25 127.0.0.2:25"),
        # Behind NAT the server knows itself by the name it greets with.
        ("x MX 10 nat", "bounce 5.4.6 192.0.2.1:25"),
        ("x MX 10 dead\nx MX 20 nat", "defer 4.4.6 127.0.0.9:25 192.0.2.1:25"),
        ("x MX 10 nat\nx MX 10 dead", "bounce 5.4.6 192.0.2.1:25 127.0.0.9:25"),
        ("x MX 10 nat\nx MX 10 prim", "bounce 5.4.6 192.0.2.1:25 127.0.0.2:25 or deliver 192.0.2.1:25 127.0.0.2:25"),
        ("x A 0.0.0.0", "bounce 5.4.6 0.0.0.0:25"),
    ],
)
def test_by_mx(zone: str, verdict: str) -> None:
    assert decided(zone) == verdict


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        ("smtp:[prim.test]:26", "deliver 127.0.0.2:26"),
        (":[prim.test]:26", "deliver 127.0.0.2:26"),
        ("smtp:prim.test", "deliver 127.0.0.2:25"),
        ("smtp:y.test", "bounce 5.4.6"),  # without brackets its MX counts, and that is us
        ("smtp:[y.test]", "deliver 127.0.0.2:25"),
        ("smtp:[self.test]", "bounce 5.4.6"),
        ("smtp:[self.test]:26", "deliver 127.0.0.1:26"),
        ("smtp:[ipv6:2001:db8::2]:26", "deliver [2001:db8::2]:26"),
        ("smtp:[2001:db8::2]", "deliver [2001:db8::2]:25"),
        ("smtp:[nosuch.test]", "bounce 5.4.4"),
        ("smtp:[elsewhere.example]", "defer 4.4.3"),
        ("smtp:[dead.test], [prim.test]", "deliver 127.0.0.9:25 127.0.0.2:25"),
        ("smtp:[self.test], [prim.test]", "bounce 5.4.6"),
        ("smtp:[prim.test", "defer 4.3.0"),
        ("smtp:prim.test:nosuchport", "defer 4.3.0"),
        ("smtp:,", "defer 4.3.0"),
        ("error:", "bounce 5.0.0"),
        ("error:5.7.1 no", "bounce 5.7.1"),
        ("error:4.7.1 no", "bounce 5.0.0"),
        ("retry:later", "defer 4.0.0"),
        ("local:", "local"),
        ("smtp:", "bounce 5.4.6"),
    ],
)
def test_by_transport(entry: str, verdict: str) -> None:
    assert decided("x MX 10 self\ny MX 10 self\ny A 127.0.0.2", {"x.test": entry}) == verdict


@pytest.mark.parametrize(
    ("postfix", "zone", "verdict"),
    [
        (Postfix(relayhost="[prim.test]:26"), "x MX 10 self", "deliver 127.0.0.2:26"),
        (Postfix(relayhost="[nosuch.test]"), "", "defer 4.3.5"),
        (Postfix(relayhost="[self.test]"), "", "defer 4.3.5"),
        (Postfix(fallback_relay="[prim.test]"), "", "deliver 127.0.0.2:25"),
        (Postfix(fallback_relay="[prim.test]"), "x MX 10 self", "bounce 5.4.6"),
        (Postfix(fallback_relay="[prim.test]"), "x MX 10 dead\nx MX 20 self", "defer 4.4.1 127.0.0.9:25"),
        (Postfix(types=("A",)), "x MX 10 six", "bounce 5.4.4"),
        (Postfix(types=("A",)), "x MX 10 six\nx MX 20 self", "defer 4.4.4"),
        (Postfix(types=("AAAA",)), "x MX 10 both\nx MX 20 self6", "deliver [2001:db8::2]:25"),
        (Postfix(preference="ipv6"), "x MX 10 both", "deliver [2001:db8::2]:25 127.0.0.2:25"),
        (Postfix(mx=False, dns=False, native=True), "x MX 10 self\nx A 127.0.0.2", "deliver 127.0.0.2:25"),
        (Postfix(native=True, hosts={"x.test": ("127.0.0.2",)}), "", "deliver 127.0.0.2:25"),
        (Postfix(dns=False, native=True, hosts={"prim.test": ("127.0.0.3",)}), "x MX 1 prim", "deliver 127.0.0.3:25"),
        (Postfix(ignore_mx_failure=True), "x CNAME elsewhere.example.", "defer 4.4.3"),
        (Postfix(defer_without_address=True), "x MX 10 nosuch", "defer 4.4.4"),
        (Postfix(best_mx_transport="local"), "x MX 10 self", "local"),
        (Postfix(soft_bounce=True), "x MX 10 self", "defer 4.4.6"),
        (Postfix(transport="smtp:[prim.test]:26"), "x MX 10 self", "deliver 127.0.0.2:26"),
        (Postfix(address_limit=1), "x MX 10 dead\nx MX 20 prim", "defer 4.4.1 127.0.0.9:25 127.0.0.2:25"),
        (
            Postfix(address_limit=1),
            "x MX 10 dead\nx MX 10 prim",
            "deliver 127.0.0.9:25 127.0.0.2:25 or defer 4.4.1 127.0.0.9:25 127.0.0.2:25",
        ),
    ],
)
def test_by_parameters(postfix: Postfix, zone: str, verdict: str) -> None:
    assert decided(zone, None, postfix) == verdict


def test_which_keys_count() -> None:
    assert keys("A.b.C", DEFAULTS) == ("postmaster@a.b.c", "a.b.c", ".b.c", ".c", "*")
    assert keys("a.b.c", Postfix(parents_match=True)) == ("postmaster@a.b.c", "a.b.c", "b.c", "c", "*")


def test_an_entry_without_a_host_goes_round_relayhost_and_one_without_anything_does_not() -> None:
    relayed = Postfix(relayhost="[smart.test]")
    assert resolve("x.test", {}, relayed) == Way("smtp", "[smart.test]")
    assert resolve("x.test", {"x.test": "relay:"}, relayed) == Way("relay", "x.test", "x.test")
    assert resolve("x.test", {"*": ":"}, relayed) == Way("smtp", "[smart.test]", "*")


def test_route_is_what_the_tables_say_of_a_name() -> None:
    relayed = Postfix(relayhost="[smart.test]:587")
    assert route("x.test", {}, DEFAULTS) is None
    assert route("x.test", {}, relayed) == Route("", "smart.test", 587)
    assert route("x.test", {".test": "relay:"}, relayed) == Route(".test")
    assert route("x.test", {"postmaster@x.test": ":[prim.test]"}, relayed) == Route("x.test", "prim.test")
    assert route("x.test", {"*": "error:5.7.1 no"}, DEFAULTS) == Route("", "5.7.1 no")


def test_a_destination_is_a_host_and_a_port() -> None:
    texts = ["a.test", "a.test:26", "a.test:smtp", "[a.test]:26", "[a.test]:", "[ipv6:::1]", "[IPv6:::1]:26", "::1:26"]
    assert [site_of(text) for text in texts] == [
        Site("a.test", 25, False), Site("a.test", 26, False), Site("a.test", 25, False), Site("a.test", 26, True),
        Site("a.test", 25, True), Site("::1", 25, True), Site("::1", 26, True), Site("::1", 26, False),
    ]  # fmt: skip
    wrong = ["", "a.test:x", "a.test:0", "a.test:65536", "[a.test", "[a.test]26", "[ipv6:127.0.0.1]", "-a.test", "1.2"]
    assert [site_of(text) for text in wrong] == [None] * len(wrong)


NAMES = st.sampled_from(["a.test", "b.test", "c.test", "127.0.0.2", "", "a b"])
ADDRESSES = {
    "A": st.sampled_from(["127.0.0.1", "127.0.0.2", "127.0.0.9", "192.0.2.1", "0.0.0.0"]),
    "AAAA": st.sampled_from(["::1", "2001:db8::2", "2001:db8::9"]),
}
EMPTY = st.sampled_from([ABSENT, FAILED])
EXCHANGERS = st.lists(st.tuples(st.integers(0, 65535), NAMES), min_size=1, max_size=5).map(tuple)
TABLES = st.dictionaries(
    st.sampled_from(["a.test", ".test", "test", "*", "postmaster@a.test"]),
    st.sampled_from(["smtp:", ":", "error:", "retry:x", "local:", "smtp:[b.test]:26", "smtp:b.test c.test", "smtp:,"])
    | st.text(min_size=1),
)
PARAMETERS = st.builds(
    Postfix,
    relayhost=st.sampled_from(["", "[b.test]", "c.test:26"]),
    fallback_relay=st.sampled_from(["", "[b.test]", "c.test"]),
    parents_match=st.booleans(),
    types=st.sampled_from([("A", "AAAA"), ("A",), ("AAAA",)]),
    mx=st.booleans(),
    native=st.booleans(),
    best_mx_transport=st.sampled_from(["", "local"]),
    soft_bounce=st.booleans(),
    address_limit=st.integers(0, 6),
    balance=st.booleans(),
    preference=st.sampled_from(["any", "ipv4", "ipv6"]),
)


@st.composite
def lookups(draw: st.DrawFn) -> Lookup:
    world = {}
    for name in ("a.test", "b.test", "c.test"):
        for kind, addresses in ADDRESSES.items():
            found = st.lists(addresses, max_size=4).map(lambda found: Answer(Outcome.FOUND, tuple(found)))
            world[name, kind] = draw(EMPTY | found)
        world[name, "MX"] = draw(EMPTY | EXCHANGERS.map(lambda mx: Answer(Outcome.FOUND, exchangers=mx)))
        world[name, "CNAME"] = draw(EMPTY | NAMES.map(lambda alias: Answer(Outcome.FOUND, (alias,))))
    return lambda name, kind: world.get((name, kind), ABSENT)


TARGETS = st.frozensets(st.builds(Target, ADDRESSES["A"] | ADDRESSES["AAAA"], st.sampled_from([25, 26])))


@given(lookups(), TABLES, TARGETS, PARAMETERS)
def test_there_is_a_verdict_for_every_input(
    lookup: Lookup, table: dict[str, str], dead: Container[Target], postfix: Postfix
) -> None:
    found = outcomes("a.test", table, lookup, OWN, {"192.0.2.1"}, dead, postfix)
    assert found
    for one in found:
        assert one.code[:1] == {Verdict.BOUNCE: "5", Verdict.DEFER: "4"}.get(one.verdict, "")
        assert one.verdict not in (Verdict.LOOP, Verdict.UNKNOWN)
    if worst(found).verdict == Verdict.DELIVER:
        assert found[0].to
    reached = tiers("a.test", table, lookup, OWN, postfix)
    assert isinstance(reached, Delivery) or all(reached)
