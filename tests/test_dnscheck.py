# SPDX-License-Identifier: GPL-2.0-or-later
"""What real name servers say, over UDP, TCP and IPv6; and servers that say nothing, or nonsense."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import pytest

from mxbackup.delivery import ABSENT, FAILED, Answer, Outcome
from mxbackup.dnscheck import Dns, ServerFacts
from mxbackup.dnsquery import Server, Status, ask, dns_name, system_resolvers
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
    assert dns_name("a b\\c.test").labels == (b"a b\\c", b"test", b"")
