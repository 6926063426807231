# SPDX-License-Identifier: GPL-2.0-or-later
"""What real name servers say, over UDP, TCP and IPv6; and servers that say nothing, or nonsense."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Outcome
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.lookup.nameservers import SERVERS_ASKED, Dns, ServerFacts, TooMany
from mxbackup.lookup.query import Server, Status, ask, dns_name, host, system_resolvers
from tests.nameserver import Knot, free_port

SOA = "@ SOA ns h {serial} 60 60 60 60\n"
MANY = "\n".join(f"many MX {number} mail-{number:02}.with.a.rather.long.name" for number in range(40))
TEST = f"""{SOA.format(serial=7)}@ NS ns
ns A 127.0.0.1
ns AAAA ::1
child NS ns1.child
child NS ns2.child
ns1.child A 127.0.0.2
ns2.child A 127.0.0.3
; 127.0.0.1 does not serve it
lame NS ns
in.deep MX 10 prim
ok MX 20 backup.example.
ok MX 10 PRIM
ok TXT "one" "two"
alias CNAME ok
dangling CNAME nowhere.example.
null MX 0 .
prim A 127.0.0.2
prim AAAA 2001:db8::2
odd MX 10 a\\032b
odd MX 20 a\\.b
a\\032b A 127.0.0.7
a\\.b A 127.0.0.8
{MANY}
"""
OLD = f"{SOA.format(serial=1)}@ NS ns1\n@ NS ns2\nns1 A 127.0.0.2\nns2 A 127.0.0.3\n@ MX 10 old\n"
NEW = OLD.replace("SOA ns h 1", "SOA ns h 2").replace("MX 10 old", "MX 10 new")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The zone test. on 127.0.0.1 and ::1; child.test. on 127.0.0.2, and an older copy on 127.0.0.3."""
    directory, port = tmp_path_factory.mktemp("knot"), free_port()
    servers = [
        Knot(directory / "test", {"test": TEST}, ("127.0.0.1", "::1"), port),
        Knot(directory / "new", {"child.test": NEW}, ("127.0.0.2",), port),
        Knot(directory / "old", {"child.test": OLD}, ("127.0.0.3",), port),
    ]
    yield port
    for server in servers:
        server.stop()


@pytest.fixture
def dns_(port: int) -> Dns:
    return Dns([Server("127.0.0.1", port)], port=port, timeout=5)


def mx(*exchangers: tuple[int, str]) -> Answer:
    return Answer(Outcome.FOUND, exchangers=exchangers)


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("ok.test", "MX", mx((10, "prim.test"), (20, "backup.example"))),
        ("OK.test", "MX", mx((10, "prim.test"), (20, "backup.example"))),
        ("alias.test", "MX", mx((10, "prim.test"), (20, "backup.example"))),
        ("alias.test", "CNAME", Answer(Outcome.FOUND, ("ok.test",))),
        ("dangling.test", "MX", Answer(Outcome.FOUND)),
        ("dangling.test", "A", Answer(Outcome.FOUND)),
        ("ok.test", "CNAME", ABSENT),
        ("ok.test", "A", ABSENT),
        ("ok.test", "TXT", Answer(Outcome.FOUND, ("onetwo",))),
        ("null.test", "MX", mx((0, ""))),
        ("prim.test", "A", Answer(Outcome.FOUND, ("127.0.0.2",))),
        ("prim.test", "AAAA", Answer(Outcome.FOUND, ("2001:db8::2",))),
        ("nosuch.test", "A", ABSENT),
        ("elsewhere.example", "A", FAILED),
        ("prim.test.", "A", Answer(Outcome.FOUND, ("127.0.0.2",))),
        ("two..dots.test", "A", ABSENT),
        (".prim.test", "A", ABSENT),
        ("a b\r.test", "A", ABSENT),
        ("x" * 64 + ".test", "A", ABSENT),
    ],
)
def test_lookup(dns_: Dns, name: str, kind: str, answer: Answer) -> None:
    assert dns_.lookup(name, kind) == answer


def test_an_answer_that_is_cut_off_is_asked_for_over_tcp(dns_: Dns, port: int) -> None:
    over_udp = dns.query.udp(dns.message.make_query("many.test.", "MX"), "127.0.0.1", 5, port)
    assert over_udp.flags & dns.flags.TC
    assert len(dns_.lookup("many.test", "MX").exchangers) == 40


def test_over_ipv6(port: int) -> None:
    reply = ask(Server("::1", port), "prim.test", "A", 5)
    assert (reply.status, reply.authoritative, reply.recursive) == (Status.ANSWER, True, False)


def test_a_server_without_a_route_to_it() -> None:
    # 64:ff9b:1::/48 is for local use (RFC 8215), and nobody here uses it.
    assert ask(Server("64:ff9b:1::1", 53), "ok.test", "MX", 0.2).status in (Status.UNROUTED, Status.SILENT)


def test_the_authoritative_servers_are_found_from_the_parent_down(dns_: Dns, port: int) -> None:
    assert dns_.authoritative("child.test") == (
        Server("127.0.0.2", port, "ns1.child.test"),
        Server("127.0.0.3", port, "ns2.child.test"),
    )
    assert dns_.authoritative("www.child.test") == dns_.authoritative("child.test")
    assert dns_.authoritative("in.deep.test") == (
        Server("127.0.0.1", port, "ns.test"),
        Server("::1", port, "ns.test"),
    )
    assert dns_.authoritative("name.example") == ()


def test_facts_tell_an_old_copy(dns_: Dns, port: int) -> None:
    assert dns_.facts("child.test") == (
        ServerFacts(Server("127.0.0.2", port, "ns1.child.test"), Status.ANSWER, True, ((10, "new.child.test"),), 2),
        ServerFacts(Server("127.0.0.3", port, "ns2.child.test"), Status.ANSWER, True, ((10, "old.child.test"),), 1),
    )


def test_facts_of_a_name_inside_a_zone_have_its_serial(dns_: Dns) -> None:
    assert {facts.serial for facts in dns_.facts("in.deep.test")} == {7}


def test_facts_tell_a_lame_server(dns_: Dns) -> None:
    assert {facts.lame for facts in dns_.facts("lame.test")} == {True}
    assert {facts.lame for facts in dns_.facts("ok.test")} == {False}


def test_given_name_servers_answer_for_their_zones_and_the_resolver_for_others(port: int) -> None:
    asked = Dns([Server("127.0.0.1", port)], [Server("127.0.0.2", port)], port, 5)
    assert asked.lookup("child.test", "MX") == mx((10, "new.child.test"))
    assert asked.lookup("prim.test", "A") == Answer(Outcome.FOUND, ("127.0.0.2",))
    assert asked.authoritative("child.test") == (Server("127.0.0.2", port),)


def test_the_next_resolver_is_asked_after_a_failure(port: int) -> None:
    asked = Dns([Server("127.0.0.2", port), Server("127.0.0.1", port)], port=port, timeout=5)
    assert asked.lookup("prim.test", "A") == Answer(Outcome.FOUND, ("127.0.0.2",))


def test_no_resolver_no_answer() -> None:
    assert Dns([]).lookup("ok.test", "MX") == FAILED
    assert Dns([]).facts("ok.test") == ()


def answering(*answers: bytes) -> int:
    """Start a server that sends these datagrams for each question; returns its port, closed for TCP."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            query, client = listener.recvfrom(4096)
            for answer in answers:
                listener.sendto(answer.replace(b"ID", query[:2]), client)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.parametrize("answers", [(), (b"garbage",), (b"ID" + bytes(3),), (b"ID\x80\x00" + b"\xff" * 500,)])
def test_nothing_or_nonsense_is_silence(answers: tuple[bytes, ...]) -> None:
    server = Server("127.0.0.1", answering(*answers))
    assert ask(server, "ok.test", "MX", 0.5).status == Status.SILENT
    assert Dns([server], timeout=0.5).lookup("ok.test", "MX") == FAILED


def test_resolvers_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# comment\nsearch example.net\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    assert system_resolvers(path) == (Server("192.0.2.1"), Server("2001:db8::1"))
    path.write_text("")
    assert system_resolvers(path) == (Server("127.0.0.1"),)


def test_a_name_is_what_stands_between_the_dots() -> None:
    assert dns_name("").labels == (b"",)
    assert dns_name("a b\\032c\\.d.@.\xe9.test").labels == (b"a b c.d", b"@", b"\xe9", b"test", b"")
    assert dns_name("@").labels == (b"@", b"")
    assert dns_name("a\\.").labels == (b"a.", b"")


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=5))
def test_every_name_comes_back_from_its_presentation(labels: list[bytes]) -> None:
    name = dns.name.Name([*labels, b""])
    assert dns_name(host(name)) == name


CLASSES = st.sampled_from([1, 1, 1, 3, 4, 254, 255, 9999]).map(dns.rdataclass.RdataClass.make)
TYPES = st.sampled_from(["A", "AAAA", "MX", "NS", "SOA", "CNAME", "TXT", "PTR"])
OWNERS = st.sampled_from([".", "test.", "ok.test.", "x.ok.test."])
DATA = {
    "A": "127.0.0.1",
    "AAAA": "::1",
    "MX": "10 ok.test.",
    "NS": "ok.test.",
    "SOA": "ns.test. h.test. 7 1 1 1 1",
    "CNAME": "x.ok.test.",
    "TXT": '"a" "b"',
    "PTR": "ok.test.",
}


@st.composite
def record_sets(draw: st.DrawFn) -> dns.rrset.RRset:
    """Records of any class: the data of the type, or of another one, or any octets."""
    kind, class_ = draw(TYPES), draw(CLASSES)
    owner = dns.name.from_text(draw(OWNERS))
    found = dns.rrset.RRset(owner, class_, dns.rdatatype.from_text(kind))
    if class_ == dns.rdataclass.IN and draw(st.booleans()):
        found.add(dns.rdata.from_text(class_, kind, DATA[kind]), 60)
    else:
        found.add(dns.rdata.GenericRdata(class_, dns.rdatatype.from_text(kind), draw(st.binary(max_size=20))), 60)
    return found


SECTIONS = st.tuples(*[st.lists(record_sets(), max_size=3)] * 3)
REPLY_CODES = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 9])


class Liar:
    """A name server that answers every question with the records that it was told last."""

    def __init__(self) -> None:
        self.sections: tuple[list[dns.rrset.RRset], ...] = ([], [], [])
        self.code = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            wire, client = self._socket.recvfrom(4096)
            answer = dns.message.make_response(dns.message.from_wire(wire))
            answer.answer, answer.authority, answer.additional = map(list, self.sections)
            answer.set_rcode(dns.rcode.Rcode.make(self.code))
            self._socket.sendto(answer.to_wire(), client)


@pytest.fixture(scope="module")
def liar() -> Liar:
    return Liar()


@given(SECTIONS, REPLY_CODES)
@settings(max_examples=40)
def test_whatever_a_server_answers_is_an_answer(
    liar: Liar, sections: tuple[list[dns.rrset.RRset], ...], code: int
) -> None:
    liar.sections, liar.code = sections, code
    asked = Dns([Server("127.0.0.1", liar.port)], port=liar.port, timeout=0.05)
    for kind in ("A", "AAAA", "CNAME", "MX", "TXT"):
        assert isinstance(asked.lookup("ok.test", kind), Answer)
    assert all(facts.serial in (None, 7) for facts in asked.facts("ok.test"))
    assert isinstance(asked.bogus("ok.test", "MX"), bool)


def test_an_answer_of_another_class_is_none(liar: Liar) -> None:
    hesiod = dns.rrset.RRset(dns.name.from_text("ok.test."), dns.rdataclass.HS, dns.rdatatype.AAAA)
    hesiod.add(dns.rdata.GenericRdata(dns.rdataclass.HS, dns.rdatatype.AAAA, bytes(16)), 60)
    liar.sections, liar.code = ([hesiod], [], [hesiod]), 0
    asked = Dns([Server("127.0.0.1", liar.port)], port=liar.port)
    assert asked.lookup("ok.test", "AAAA") == Answer(Outcome.FOUND)
    assert asked.facts("ok.test") == ()


def test_a_server_that_does_not_understand_says_no_to_qmail(liar: Liar) -> None:
    liar.sections, liar.code = ([], [], []), 1
    asked = Dns([Server("127.0.0.1", liar.port)], port=liar.port)
    assert (asked.resolve("ok.test", "MX").status, asked.lookup("ok.test", "MX")) == (Status.FORMERR, ABSENT)


def test_the_size_of_an_answer_is_that_of_the_message(dns_: Dns) -> None:
    assert dns_.lookup("ok.test", "MX").size < 512 < dns_.lookup("many.test", "MX").size


def test_escaped_characters_in_an_exchanger_are_those_octets(dns_: Dns) -> None:
    assert dns_.lookup("odd.test", "MX") == mx((10, r"a\032b.test"), (20, r"a\.b.test"))
    assert dns_.lookup(r"a\032b.test", "A") == Answer(Outcome.FOUND, ("127.0.0.7",))
    assert dns_.lookup(r"a\.b.test", "A") == Answer(Outcome.FOUND, ("127.0.0.8",))
    assert dns_.lookup("a.b.test", "A") == ABSENT


def test_one_part_has_so_much_time_and_so_many_questions(dns_: Dns) -> None:
    part = dns_.within(Clock(20), 2)
    part.lookup("ok.test", "A")
    part.lookup("ok.test", "MX")
    part.lookup("ok.test", "A")
    with pytest.raises(TooMany, match="more than 2 questions"):
        part.lookup("ok.test", "TXT")
    silent = Dns([Server("127.0.0.1", answering())], timeout=5).within(Clock(0.2), 9)
    with pytest.raises(TimeIsUp, match=r"0\.2 s"):
        silent.lookup("ok.test", "A")


def test_so_many_servers_are_asked(liar: Liar) -> None:
    hosts = dns.rrset.from_text("test.", 60, "IN", "NS", *(f"ns{number}.test." for number in range(60)))
    glue = [dns.rrset.from_text(f"ns{number}.test.", 60, "IN", "A", "127.0.0.1") for number in range(60)]
    liar.sections, liar.code = ([hosts], [], glue), 0
    asked = Dns([Server("127.0.0.1", liar.port)], port=liar.port)
    assert len(asked.authoritative("ok.test")) == SERVERS_ASKED
