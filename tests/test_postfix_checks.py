# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks on a host with Postfix: what its own programs say of it, and the verdict."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mxbackup.check import collecting
from mxbackup.check.contacts import Contacts
from mxbackup.hosts import kind_of, sending
from mxbackup.lookup import interfaces
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.verdict import Route
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome as Smtp
from tests.conftest import Outcome
from tests.nameserver import Knot, free_port
from tests.postfixhost import MAIN_CF, plain_postfix
from tests.scratch import Scratch

Run = Callable[..., Outcome]
PUBLIC = "192.0.2.10"
ZONE = """
@ SOA ns h 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
us A 192.0.2.10
prim A 127.0.0.2
six AAAA 2001:db8::2
six MX 10 six
six MX 20 us
ok MX 10 prim
ok MX 20 us
www.ok MX 10 us
null MX 0 .
gone MX 10 nosuch
gone MX 20 us
equal MX 10 prim
equal MX 10 us
only MX 10 us
"""


@pytest.fixture
def server(tmp_path: Path) -> Scratch:
    return plain_postfix(tmp_path / "host")


@pytest.fixture(scope="module")
def dns_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    knot = Knot(tmp_path_factory.mktemp("knot") / "test", {"test": ZONE}, ("127.0.0.1",), port)
    yield port
    knot.stop()


def configured(server: Scratch, *settings: str) -> None:
    server.write("/etc/postfix/main.cf", MAIN_CF + "".join(f"{setting}\n" for setting in settings))


def test_what_main_cf_says_decides(server: Scratch) -> None:
    found = sending.system(server.host).postfix
    assert (found.transport, found.relayhost, found.types) == ("relay", "", ("A", "AAAA"))
    assert (found.mx, found.dns, found.native) == (True, True, False)
    assert found.smtp_services == {"smtp", "relay"}
    configured(
        server,
        "relayhost = [smart.test]:587",
        "smtp_fallback_relay = a.test",
        "parent_domain_matches_subdomains = relay_domains",
        "inet_protocols = ipv6",
        "smtp_host_lookup = native, dns",
        "disable_dns_lookups = yes",
        "ignore_mx_lookup_error = yes",
        "smtp_defer_if_no_mx_address_found = yes",
        "best_mx_transport = local",
        "soft_bounce = yes",
        "smtp_mx_address_limit = 7",
        "smtp_balance_inet_protocols = no",
        "smtp_address_preference = ipv4",
        "relay_transport = smtp:[b.test]",
    )
    server.write("/etc/hosts", "127.0.0.3 A.test b.test # remark\n::1 a.test\n")
    assert sending.system(server.host).postfix == Postfix(
        "smtp:[b.test]", "[smart.test]:587", "a.test", False, ("AAAA",), False, False, True,
        {"a.test": ("127.0.0.3", "::1"), "b.test": ("127.0.0.3",)}, True, True, "local", True, 7, False, "ipv4",
    )  # fmt: skip


def test_an_older_postfix_lacks_some_parameters(server: Scratch) -> None:
    old = 'exec /usr/sbin/postconf "$@" | grep -v -e smtp_balance_inet_protocols -e smtp_dns_support_level'
    server.script("/usr/sbin/postconf", old)
    assert (sending.system(server.host).postfix.balance, sending.system(server.host).postfix.mx) == (False, True)


def test_own_addresses_are_those_it_listens_at_and_its_proxies(server: Scratch) -> None:
    here = interfaces.addresses() | interfaces.addresses_of_ipv6()
    assert sending.own_addresses(server.host).interfaces == here
    configured(server, "inet_interfaces = loopback-only", "proxy_interfaces = 192.0.2.10, [2001:db8::10]")
    own = sending.own_addresses(server.host)
    asked = ("127.0.0.1", "192.0.2.10", "2001:db8::10", "192.0.2.11", "2001:db8::11")
    assert [address in own for address in asked] == [True, True, True, False, False]
    configured(server, "inet_interfaces = 127.0.0.5")
    assert sending.own_addresses(server.host).interfaces == {"127.0.0.5"}


@pytest.mark.parametrize("parents", ["", "transport_maps"])
def test_routes_are_what_postfix_finds_in_its_tables(server: Scratch, mxbackup: Run, parents: str) -> None:
    configured(
        server,
        "relayhost = [smart.test]",
        f"parent_domain_matches_subdomains = {parents}",
        "transport_maps = inline:{{other.test=smtp:[10.0.0.1]:2525}}",
    )
    mxbackup("add", "ok.test", "--route", "prim.test:2526")
    mxbackup("add", "host.test", "--kind", "host", "--route", "192.0.2.25")
    mxbackup("add", "plain.test")
    assert mxbackup("apply", "--configure")[0] == 0
    kind, inventory = kind_of(server.host), server.context.inventory()
    system, routes = kind.mail_systems()[0], kind.routes()
    assert routes is not None
    meant = kind.routes_meant(inventory.rules, inventory.settings)
    expected = {
        "ok.test": Route("ok.test", "prim.test", 2526),
        "www.ok.test": Route("ok.test" if parents else ".ok.test", "prim.test", 2526),
        "host.test": Route("host.test", "192.0.2.25"),
        "www.host.test": Route("", "smart.test"),
        "plain.test": Route("plain.test"),
    }
    assert {name: system.route(name, routes) for name in expected} == expected
    assert {name: system.route(name, meant) for name in expected} == expected
    assert system.route("other.test", routes) == Route("other.test", "10.0.0.1", 2525)


def report(server: Scratch, dns_port: int, name: str) -> collecting.Report:
    """What is found where every primary accepts."""

    def accept(host: str, question: Question, port: int, seconds: float) -> Dialogue:
        return Dialogue(Smtp.ACCEPTED)

    made = collecting.checker_for(kind_of(server.host), server.context.inventory().settings, public={PUBLIC})
    dns = Dns([Server("127.0.0.1", dns_port)], port=dns_port)
    return collecting.Checker(dns, made._us, made._routes, Contacts(accept)).check(name)


def check(server: Scratch, dns_port: int, name: str) -> list[str]:
    """The verdict and the ids of what was found."""
    found = report(server, dns_port, name)
    verdict = f"{found.delivery.verdict} {found.delivery.code}".strip()
    return [verdict, *sorted(finding.id for finding in found.findings)]


def test_the_verdict_is_that_of_postfix(server: Scratch, dns_port: int) -> None:
    configured(server, f"proxy_interfaces = {PUBLIC}")
    found = {name: check(server, dns_port, f"{name}.test") for name in ("ok", "six", "null", "gone", "equal", "only")}
    assert found == {
        "ok": ["deliver"],
        "six": ["deliver"],
        "null": ["bounce 5.1.0", "null-mx"],
        "gone": ["defer 4.4.4", "mx-missing"],
        "equal": ["bounce 5.4.6", "equal-mx"],
        "only": ["bounce 5.4.6", "only-mx"],
    }
    configured(server, f"proxy_interfaces = {PUBLIC}", "inet_protocols = ipv4")
    assert check(server, dns_port, "six.test") == ["defer 4.4.4", "ipv6-only"]
    assert "and Postfix has no IPv6" in str(report(server, dns_port, "six.test").findings[0].message)


def test_behind_nat_postfix_finds_out_who_it_is_when_it_connects(server: Scratch, dns_port: int) -> None:
    assert check(server, dns_port, "ok.test") == ["deliver", "proxy-interfaces"]
    assert check(server, dns_port, "gone.test") == ["bounce 5.4.6", "mx-missing", "proxy-interfaces"]
    assert check(server, dns_port, "equal.test") == ["bounce 5.4.6", "by-chance", "equal-mx", "proxy-interfaces"]


def test_check_tells_it(server: Scratch, dns_port: int, mxbackup: Run) -> None:
    configured(server, f"proxy_interfaces = {PUBLIC}")
    mxbackup("add", "only.test")
    mxbackup("apply", "--configure")
    status, out, _ = mxbackup("check", "only.test", "--nameserver", f"127.0.0.1:{dns_port}", "--public-address", PUBLIC)
    assert status == 1
    assert "Mail that arrives here for only.test is sent back to the sender at once (5.4.6)." in out
    assert "[routes-stale]" not in out
    assert "[only-mx]" in out
