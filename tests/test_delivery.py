# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-remote does: the recorded verdicts of the real program, single rules of it, and what always holds."""

from collections.abc import Collection
from typing import Any

import pytest
from dns import rdatatype, zone
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Lookup, Outcome, literal
from mxbackup.routing.qmail_remote import KINDS, LATER, UNPATCHED, Qmail, outcomes, parse_routes, route
from mxbackup.routing.verdict import Delivery, Route, Target, Verdict, worst
from tests.recorded import DATA, RECORDED, Case

SELF, PRIMARY, DEAD = "127.0.0.1", "127.0.0.2", "127.0.0.9"


def zone_lookup(text: str) -> Lookup:
    """Answer from a zone `test.` as its authoritative server does: names outside are refused."""
    records = zone.from_text(text, origin="test.", relativize=False)

    def lookup(name: str, kind: str) -> Answer:
        if name != "test" and not name.lower().endswith(".test"):
            return FAILED
        found = records.get_rdataset(name.lower() + ".", rdatatype.from_text(kind))
        alias = records.get_rdataset(name.lower() + ".", rdatatype.CNAME)
        if found is None and alias is not None:
            target = lookup(alias[0].target.to_text(omit_final_dot=True), kind)
            return target if target.outcome == Outcome.FOUND else Answer(Outcome.FOUND)
        if found is None:
            return ABSENT
        size = 12 + len(name) + 6 + sum(12 + len(record.to_wire()) for record in found)
        if kind == "MX":
            exchangers = tuple((mx.preference, mx.exchange.to_text(omit_final_dot=True)) for mx in found)
            return Answer(Outcome.FOUND, exchangers=tuple((p, "" if e == "." else e) for p, e in exchangers), size=size)
        if kind == "CNAME":
            return Answer(Outcome.FOUND, (found[0].target.to_text(omit_final_dot=True),))
        return Answer(Outcome.FOUND, tuple(a.address for a in found), size=size)

    return lookup


RECORDED_ZONE = zone_lookup((DATA / "qmail-remote.zone").read_text())
BASE = "@ SOA ns h 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\nself A 127.0.0.1\nprim A 127.0.0.2\ndead A 127.0.0.9\n"


def decide(name: str, *what: Any, **more: Any) -> Delivery:
    return worst(outcomes(name, *what, **more))


def decided(zone_text: str, smtproutes: bytes = b"", name: str = "x.test", public: Collection[str] = ()) -> Delivery:
    unreachable = {Target(DEAD, 25), Target(DEAD, 26)}
    return decide(name, parse_routes(smtproutes), zone_lookup(BASE + zone_text), {SELF}, public, unreachable)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: " ".join([case["domain"], *case["smtproutes"]]))
def test_recorded_verdicts(case: Case) -> None:
    routes = parse_routes("".join(f"{line}\n" for line in case["smtproutes"]).encode())
    found = decide(case["domain"], routes, RECORDED_ZONE, {SELF}, unreachable={Target(DEAD, 25)}, qmail=UNPATCHED)
    verdict = "deliver" if found.verdict == Verdict.LOOP else found.verdict
    assert f"{verdict} {found.code}".strip() == case["verdict"]
    if "to" in case:
        assert str(found.to[-1]) == case["to"]


def test_a_route_to_ourselves_is_a_loop() -> None:
    assert decided("x MX 10 prim", b"x.test:self.test") == Delivery(Verdict.LOOP, "", (Target(SELF, 25),))
    assert decided("x MX 10 prim", b"x.test:0.0.0.0").verdict == Verdict.LOOP
    assert decided("x MX 10 prim", b"x.test:127.0.0.1:2525").verdict == Verdict.DELIVER


def test_our_public_address_loops_when_the_primary_is_down() -> None:
    both = "x MX 10 prim\nx MX 20 out\nout A 192.0.2.1"
    assert decided(both, public={"192.0.2.1"}).verdict == Verdict.DELIVER
    assert decided(both.replace("prim", "dead"), public={"192.0.2.1"}) == Delivery(
        Verdict.LOOP, "", (Target(DEAD, 25), Target("192.0.2.1", 25))
    )


@pytest.mark.parametrize(
    ("zone_text", "verdict"),
    [
        ("x MX 0 .", "defer 4.1.2"),
        ("x MX 0 .\nx MX 10 prim", "deliver"),
        ("x MX 10 elsewhere.example.", "defer 4.1.2"),
        ("x MX 10 elsewhere.example.\nx MX 20 self", "bounce 5.4.6"),
        ("x MX 10 elsewhere.example.\nx MX 20 prim", "deliver"),
        ("x MX 10 nosuch", "bounce 5.4.4"),
        ("x MX 10 six\nsix AAAA ::1", "bounce 5.4.4"),
        ("x MX 10 six\nsix AAAA ::1\nx MX 20 self", "bounce 5.4.6"),
        ("x MX 10 prim\nx MX 10 self", "bounce 5.4.6"),
        ("x MX 10 prim\nx MX 10 self\nx MX 5 dead", "defer 4.4.1"),
        ("x A 127.0.0.1", "bounce 5.4.6"),
        ("x A 127.0.0.2", "deliver"),
        ("x AAAA ::1", "bounce 5.1.2"),
        ("y A 127.0.0.2", "bounce 5.1.2"),
        ("x CNAME y\ny MX 10 prim", "deliver"),
        ("x CNAME y\ny MX 10 self", "loop"),
        ("x CNAME y\ny MX 10 dead\ny MX 20 self", "loop"),
        ("x CNAME y\ny A 127.0.0.2", "deliver"),
        ("x CNAME y\ny AAAA ::1", "bounce 5.4.4"),
        ("x CNAME elsewhere.example.", "defer 4.4.3"),
        ("x MX 10 127.0.0.2.", "deliver"),
        ("x MX 30 127.0.0.2.\nx MX 20 self", "deliver"),
        ("x MX 10 prim\nx MX 20 127.0.0.1.", "bounce 5.4.6"),
        ("x MX 10 a\na CNAME prim", "deliver"),
    ],
)
def test_by_mx(zone_text: str, verdict: str) -> None:
    found = decided(zone_text)
    assert f"{found.verdict} {found.code}".strip() == verdict


@pytest.mark.parametrize(
    ("smtproutes", "verdict"),
    [
        (b"x.test:prim.test:26", "deliver 127.0.0.2:26"),
        (b"x.test:prim.test:26 # a remark", "deliver 127.0.0.2:26"),
        (b"x.test:prim.test # a remark", "defer 4.1.2"),
        (b"x.test:prim.test:26\r\n", "deliver 127.0.0.2:26"),
        (b"x.test:prim.test\r\n", "defer 4.1.2"),
        (b" x.test:prim.test\n", "bounce 5.4.6"),
        (b"x.test:prim.test  \t\n", "deliver 127.0.0.2:25"),
        (b"# x.test:prim.test\n", "bounce 5.4.6"),
        (b"x.test::26", "defer 4.1.2"),
        (b"x.test:prim.test:", "defer 4.4.1 127.0.0.2:0"),
        (b"x.test:prim.test:65561", "deliver 127.0.0.2:25"),
        (b"x.test:[::1]:25", "defer 4.1.2"),
        (b"x.test:[127.0.0.2]:26", "deliver 127.0.0.2:26"),
        (b"x.test:127.0.0.258", "deliver 127.0.0.2:25"),
        (b"x.test:dead.test:26", "defer 4.4.1 127.0.0.9:26"),
        (b"x.test:nosuch.test", "bounce 5.1.2"),
        (b"X.TEST:prim.test", "deliver 127.0.0.2:25"),
        (b"x.test prim.test", "bounce 5.4.6"),
        (b".test:prim.test", "deliver 127.0.0.2:25"),
        (b"test:prim.test", "bounce 5.4.6"),
        (b":prim.test\nx.test:", "bounce 5.4.6"),
        (b"x.test:\n.test:prim.test", "bounce 5.4.6"),
        (b"x.test:\nx.test:prim.test", "deliver 127.0.0.2:25"),
        (b"x.test:aliased.test", "deliver 127.0.0.2:25"),
    ],
)
def test_by_smtproutes(smtproutes: bytes, verdict: str) -> None:
    found = decided("x MX 10 self\naliased CNAME prim", smtproutes)
    assert f"{found.verdict} {found.code} {' '.join(map(str, found.to))}".split() == verdict.split()


@pytest.mark.parametrize(
    ("zone_text", "unpatched", "later"),
    [
        ("x CNAME y\ny MX 10 self", "loop", "bounce 5.4.6"),
        ("x CNAME y\ny MX 10 prim", "deliver", "deliver"),
        ("x CNAME elsewhere.example.", "defer 4.4.3", "bounce 5.4.4"),
        ("x MX 10 big", "deliver", "deliver"),
        ("x A 127.0.0.2", "deliver", "deliver"),
        ("".join(f"x MX 10 mail-{'x' * 30}-{number}\n" for number in range(13)), "defer 4.1.2", "bounce 5.4.4"),
        ("".join(f"x A 127.1.0.{number}\n" for number in range(60)), "defer 4.1.2", "deliver"),
        ("x MX 0 six\nsix AAAA ::1\nx MX 5 big", "deliver", "deliver"),
    ],
)
def test_kinds_of_qmail(zone_text: str, unpatched: str, later: str) -> None:
    big = "".join(f"big A 127.1.0.{number}\n" for number in range(60))
    lookup = zone_lookup(BASE + big + zone_text)
    found = [decide("x.test", {}, lookup, {SELF}, qmail=kind) for kind in (UNPATCHED, LATER)]
    assert [f"{one.verdict} {one.code}".strip() for one in found] == [unpatched, later]


@pytest.mark.parametrize(
    ("zone_text", "verdicts"),
    [
        ("x MX 10 prim\nx MX 10 out", ["deliver", "loop"]),
        ("x MX 10 dead\nx MX 10 out", ["loop"]),
        ("x MX 5 prim\nx MX 10 out", ["deliver"]),
        ("x MX 5 dead\nx MX 10 prim\nx MX 10 out", ["deliver", "loop"]),
        ("x MX 10 both\nboth A 127.0.0.2\nboth A 192.0.2.1", ["deliver", "loop"]),
        ("x MX 10 prim\nx MX 10 self", ["bounce"]),
        ("x CNAME y\ny MX 10 prim\ny MX 10 self", ["deliver", "loop"]),
        ("x MX 10 dead\nx MX 20 dead", ["defer"]),
    ],
)
def test_all_that_chance_may_come_to(zone_text: str, verdicts: list[str]) -> None:
    lookup = zone_lookup(BASE + "out A 192.0.2.1\n" + zone_text)
    found = outcomes("x.test", {}, lookup, {SELF}, {"192.0.2.1"}, {Target(DEAD, 25)}, UNPATCHED)
    assert sorted(one.verdict for one in found) == verdicts
    assert worst(found).verdict == verdicts[-1]


def test_an_exchanger_of_another_name_for_the_escaped_octet() -> None:
    assert decided("x MX 10 a\\032b\na\\032b A 127.0.0.2") == Delivery(Verdict.DELIVER, "", (Target(PRIMARY, 25),))


def test_route_looks_up_the_name_then_its_suffixes_then_the_default() -> None:
    routes = parse_routes(b".b.c:one\n.c:two:26\n:three\nb.c:\n")
    assert [route(name, routes) for name in ("a.b.c", "b.c", "x.c", "c", "other")] == [
        Route(".b.c", "one"),
        Route("b.c"),
        Route(".c", "two", 26),
        Route("", "three"),
        Route("", "three"),
    ]
    assert route("a.b.c", {}) is None


def test_literal_is_an_ipv4_address_bare_or_in_brackets() -> None:
    texts = (
        "192.0.2.1",
        "[192.0.2.1]",
        "[192.0.2.1",
        "192.0.2",
        "192.0.2.1.",
        "::1",
        "192.0.2.257",
        "1.2.3." + "0" * 5000,
    )
    assert [literal(text) for text in texts] == [
        "192.0.2.1", "192.0.2.1", None, None, None, None, "192.0.2.1", "1.2.3.0",
    ]  # fmt: skip


NAMES = st.sampled_from(["a.test", "b.test", "c.test", "d.test", "e.test", ""])
ADDRESSES = st.sampled_from([SELF, PRIMARY, DEAD, "127.0.0.3", "192.0.2.1", "0.0.0.0"])
SIZES = st.sampled_from([0, 100, 600])
HOSTS = st.one_of(
    st.just(ABSENT),
    st.just(FAILED),
    st.builds(Answer, st.just(Outcome.FOUND), st.lists(ADDRESSES, max_size=3).map(tuple), size=SIZES),
)
EXCHANGERS = st.lists(st.tuples(st.integers(0, 65535), NAMES), min_size=1, max_size=5).map(tuple)
MX_ANSWERS = st.one_of(
    st.just(ABSENT), st.just(FAILED), st.builds(lambda mx: Answer(Outcome.FOUND, exchangers=mx), EXCHANGERS)
)
ALIASES = st.one_of(st.just(ABSENT), st.just(FAILED), NAMES.map(lambda name: Answer(Outcome.FOUND, (name,))))
ROUTES = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [b"a.test:", b"a.test:b.test", b".test:c.test:26", b":d.test", b"a.test:[192.0.2.1]", b"a.test::26", b"#"]
    )
).map(b"\n".join)
TARGETS = st.frozensets(st.builds(Target, ADDRESSES, st.sampled_from([25, 26])))


@st.composite
def worlds(draw: st.DrawFn) -> dict[tuple[str, str], Answer]:
    names = ["a.test", "b.test", "c.test", "d.test", "e.test", "ours.test"]
    world = {(name, "A"): draw(HOSTS) for name in names}
    world |= {(name, "MX"): draw(MX_ANSWERS) for name in names}
    return world | {(name, "CNAME"): draw(ALIASES) for name in names}


def asked_of(world: dict[tuple[str, str], Answer]) -> Lookup:
    return lambda name, kind: world.get((name, kind), ABSENT)


@given(worlds(), ROUTES, st.frozensets(ADDRESSES), st.frozensets(ADDRESSES), TARGETS, st.sampled_from(KINDS))
def test_there_is_a_verdict_for_every_input(
    world: dict[tuple[str, str], Answer],
    smtproutes: bytes,
    own: frozenset[str],
    public: frozenset[str],
    unreachable: frozenset[Target],
    qmail: Qmail,
) -> None:
    found = decide("a.test", parse_routes(smtproutes), asked_of(world), own, public, unreachable, qmail)
    assert bool(found.code) == (found.verdict in (Verdict.BOUNCE, Verdict.DEFER))
    assert found.code[:1] == {Verdict.BOUNCE: "5", Verdict.DEFER: "4"}.get(found.verdict, "")
    if found.verdict in (Verdict.DELIVER, Verdict.LOOP):
        assert set(found.to) - unreachable


@given(worlds(), st.ip_addresses(v=4), st.integers(1, 65535), st.frozensets(ADDRESSES))
def test_an_explicit_route_by_literal_needs_no_dns(
    world: dict[tuple[str, str], Answer], address: object, port: int, own: frozenset[str]
) -> None:
    def unanswered(name: str, kind: str) -> Answer:
        raise AssertionError(f"asked for {kind} of {name}")

    found = decide("a.test", parse_routes(f"a.test:[{address}]:{port}".encode()), unanswered, own)
    assert found.to == (Target(str(address), port),)


@given(worlds(), EXCHANGERS, st.integers(1, 1000), st.sampled_from(["b.test", "c.test", "d.test"]), TARGETS)
def test_adding_a_worse_exchanger_than_ours_changes_nothing(
    world: dict[tuple[str, str], Answer],
    exchangers: tuple[tuple[int, str], ...],
    worse: int,
    added: str,
    unreachable: frozenset[Target],
) -> None:
    ours = (max(preference for preference, _ in exchangers), "ours.test")
    world[("ours.test", "A")] = Answer(Outcome.FOUND, (SELF,))
    world[("a.test", "CNAME")] = ABSENT

    def with_mx(*more: tuple[int, str]) -> Delivery:
        world[("a.test", "MX")] = Answer(Outcome.FOUND, exchangers=(*exchangers, ours, *more))
        return decide("a.test", {}, asked_of(world), {SELF}, unreachable=unreachable)

    assert with_mx((ours[0] + worse, added)) == with_mx()
