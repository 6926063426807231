# SPDX-License-Identifier: GPL-2.0-or-later
"""How facts are judged: which findings, how bad, for whom."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mxbackup import rules
from mxbackup.check.facts import Facts, Us
from mxbackup.check.findings import judge, ourplace
from mxbackup.check.published import Exchanger
from mxbackup.errors import HostError
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import maincf
from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Outcome
from mxbackup.lookup.mtasts import Policy
from mxbackup.lookup.nameservers import ServerFacts
from mxbackup.lookup.query import Server, Status
from mxbackup.routing.postfix.parameters import DEFAULTS
from mxbackup.routing.postfix.system import System
from mxbackup.routing.qmail_remote import PATCHED, UNPATCHED
from mxbackup.routing.verdict import NOBODY_ANSWERS, Delivery, Route, Target, Verdict
from mxbackup.rules import Recipients, SmartHostUse
from mxbackup.rules.localmail import LocalMail
from mxbackup.smtp.client import Dialogue
from mxbackup.smtp.replies import Outcome as Said
from mxbackup.smtp.replies import Reply
from mxbackup.smtp.session import Trouble


def addresses(*found: str) -> Answer:
    return Answer(Outcome.FOUND, found)


SETTINGS = Settings(domain_name="durantcom.net", system_name="sme", local_domains=frozenset({"durantcom.net"}))
RULE = rules.make("dupontnet.com")
US = Us(frozenset({"127.0.0.1", "192.0.2.10"}), frozenset(), SETTINGS)
SERVER = replace(US, outdated=())
SMARTHOST = replace(US, settings=replace(SETTINGS, smarthost="192.0.2.25"))
PRIMARY = Exchanger(0, "mail.dupontnet.com", addresses("192.0.2.25"))
BACKUP = Exchanger(5, "mail.durantcom.net", addresses("192.0.2.10"))
TARGET = Target("192.0.2.25", 25)
DELIVERED = Delivery(Verdict.DELIVER, "", (TARGET,))
BOUNCED = Delivery(Verdict.BOUNCE, "5.1.2")
MX = ((0, "mail.dupontnet.com"), (5, "mail.durantcom.net"))
FINE = Facts(
    name="dupontnet.com",
    us=US,
    delivery=DELIVERED,
    exchangers=(PRIMARY, BACKUP),
    resolver_exchangers=MX,
    servers=tuple(ServerFacts(Server(f"192.0.2.{last}", 53), Status.ANSWER, True, MX, 7) for last in (53, 54)),
    contacts={TARGET: Dialogue(Said.ACCEPTED)},
)
FIRST, SECOND = FINE.servers
ROUTED = Route("dupontnet.com", "192.0.2.25")


def codes(facts: Facts) -> list[str]:
    return [f"{finding.severity} {finding.id}" for finding in judge(facts)]


def mx(*exchangers: Exchanger) -> Facts:
    return replace(FINE, exchangers=exchangers)


def second(answer: ServerFacts) -> Facts:
    """The second name server answers differently."""
    return replace(FINE, servers=(FIRST, answer))


def keeping(**qmail: Any) -> Facts:
    return replace(FINE, us=replace(US, settings=replace(SETTINGS, qmail=LocalMail(**qmail))), rule=RULE)


def test_a_name_below_a_wildcard_of_virtualdomains_is_delivered_here() -> None:
    facts = replace(keeping(virtual={".dupontnet.com": "alias"}), name="www.dupontnet.com")
    assert [str(found.parameters["line"]) for found in judge(facts) if found.id == "local-domain"] == [
        ".dupontnet.com:alias"
    ]
    assert codes(keeping(virtual={".dupontnet.com": "alias"})) == []
    assert codes(keeping(virtual={"": "alias"})) == ["error local-domain"]
    assert codes(keeping(virtual={"": "alias", "dupontnet.com": ""})) == []


def test_percenthack_of_a_name_that_the_rule_accepts_is_an_open_relay() -> None:
    assert codes(keeping(percenthack=frozenset({"dupontnet.com"}))) == ["error percenthack"]
    assert codes(keeping(percenthack=frozenset({"www.dupontnet.com", "other.net"}))) == ["error percenthack"]
    assert codes(keeping(percenthack=frozenset({"other.net", "net"}))) == []


def test_nothing_is_wrong() -> None:
    assert judge(FINE) == ()


ROWS: list[tuple[Facts, list[str]]] = [
    (mx(replace(BACKUP, preference=0), replace(PRIMARY, preference=5)), ["error best-mx"]),
    (mx(replace(BACKUP, preference=0), PRIMARY), ["error equal-mx"]),
    (mx(BACKUP), ["error only-mx"]),
    (mx(PRIMARY), ["error not-mx"]),
    (mx(PRIMARY, replace(BACKUP, a=addresses("192.0.2.99"))), ["error nat"]),
    (
        replace(mx(PRIMARY, replace(BACKUP, a=addresses("192.0.2.99"))), us=replace(US, kinds=(System(DEFAULTS),))),
        ["warning proxy-interfaces"],
    ),
    (mx(PRIMARY, BACKUP, Exchanger(5, "other.example", addresses("192.0.2.7"))), ["note shared-backup"]),
    (mx(PRIMARY, BACKUP, Exchanger(9, "third.example", addresses("192.0.2.7"))), []),
    (mx(replace(PRIMARY, a=ABSENT), BACKUP), ["error mx-missing"]),
    (mx(replace(PRIMARY, a=ABSENT, aaaa=addresses("::1")), BACKUP), ["error ipv6-only"]),
    (mx(replace(PRIMARY, a=FAILED), BACKUP), ["error mx-lookup-failed"]),
    (mx(PRIMARY, replace(PRIMARY, name="b.dupontnet.com", a=ABSENT), BACKUP), ["warning mx-missing"]),
    (mx(PRIMARY, BACKUP, Exchanger(9, "worse.example", ABSENT)), []),
    (
        mx(replace(PRIMARY, a=ABSENT), replace(PRIMARY, name="b.dupontnet.com", a=ABSENT), BACKUP),
        ["error mx-missing", "error mx-missing", "error no-address"],
    ),
    (mx(replace(PRIMARY, alias=True), BACKUP), ["warning mx-is-cname"]),
    (mx(Exchanger(0, "192.0.2.25"), BACKUP), ["warning mx-is-address"]),
    (mx(Exchanger(0, "")), ["error null-mx"]),
    (replace(mx(), mx=Status.MISSING), ["error no-such-name"]),
    (replace(mx(), mx=Status.EMPTY), ["error not-mx"]),
    (replace(mx(), mx=Status.SERVFAIL), ["error dns-failed"]),
    (replace(mx(), mx=Status.SERVFAIL, bogus=True), ["error dnssec-bogus"]),
    (replace(FINE, resolver_exchangers=MX[:1]), ["note resolver-differs"]),
    (second(replace(SECOND, status=Status.SILENT)), ["warning server-silent"]),
    (second(replace(SECOND, status=Status.REFUSED)), ["warning server-lame"]),
    (second(replace(SECOND, authoritative=False)), ["warning server-lame"]),
    (second(replace(SECOND, exchangers=(), status=Status.EMPTY)), ["warning server-empty"]),
    (second(replace(SECOND, exchangers=MX[:1])), ["warning servers-disagree"]),
    (second(replace(SECOND, serial=6)), ["warning stale-serial"]),
    (second(replace(SECOND, serial=6, exchangers=MX[:1])), ["warning servers-disagree", "warning stale-serial"]),
    (second(replace(SECOND, serial=None)), []),
    (replace(FINE, name="durantcom.net"), ["error local-domain"]),
    (replace(FINE, name="durantcom.net", us=SERVER), ["error local-domain"]),
    (replace(FINE, us=SERVER), ["error no-rule"]),
    (replace(FINE, us=SERVER, rule=RULE), []),
    (replace(FINE, us=replace(SERVER, settings=replace(SETTINGS, enabled=False)), rule=RULE), ["error disabled"]),
    (replace(FINE, us=replace(SERVER, outdated=(Path("/x"),)), rule=RULE), ["error not-in-force"]),
    (
        replace(FINE, us=replace(SERVER, outdated=(Path("/x"),)), rule=RULE, expected_route=ROUTED),
        ["error not-in-force"],
    ),
    (
        replace(FINE, us=replace(SERVER, stopped=HostError("{service} is not running.", service="Postfix")), rule=RULE),
        ["error not-running"],
    ),
    (
        replace(FINE, us=replace(SERVER, mistakes=(maincf.MX_BACKUP.found(Path("/x"), parameter="y"),)), rule=RULE),
        ["warning permit-mx-backup"],
    ),
    (
        replace(FINE, us=replace(SERVER, mistakes=(maincf.MX_BACKUP.found(Path("/x"), parameter="y"),))),
        ["error no-rule"],
    ),
    (replace(FINE, us=SERVER, delivery=BOUNCED), ["error no-rule", "error bounce"]),
    (replace(FINE, delivery=Delivery(Verdict.LOOP, "", (TARGET,))), ["error loop"]),
    (replace(FINE, delivery=BOUNCED), ["error bounce"]),
    (replace(FINE, delivery=Delivery(Verdict.DEFER, "4.4.3"), contacts={}), ["warning defer"]),
    (replace(mx(BACKUP), delivery=Delivery(Verdict.BOUNCE, "5.4.6")), ["error only-mx"]),
    (replace(FINE, contacts={TARGET: Dialogue(Said.UNREACHABLE)}), ["warning primary-unreachable"]),
    (
        replace(FINE, contacts={TARGET: Dialogue(trouble=Trouble("The server closed the connection."))}),
        ["warning primary-broken"],
    ),
    (replace(FINE, contacts={TARGET: Dialogue(Said.REFUSED, Reply(550, ("no",)))}), ["error primary-refuses"]),
    (replace(FINE, contacts={TARGET: Dialogue(Said.DEFERRED, Reply(450, ("later",)))}), ["warning primary-defers"]),
    (replace(FINE, route=Route("", "smtp.provider.net")), ["warning smarthost"]),
    (replace(FINE, route=Route(""), expected_route=None), []),
    (replace(FINE, us=SMARTHOST, rule=RULE, route=ROUTED), []),
    (
        replace(FINE, us=SMARTHOST, rule=replace(RULE, smarthost=SmartHostUse.USE), route=ROUTED),
        ["warning smarthost"],
    ),
    (replace(FINE, expected_route=ROUTED), ["error routes-stale"]),
    (replace(FINE, route=ROUTED, expected_route=ROUTED), []),
    (replace(FINE, policy=Policy("enforce", ("mail.dupontnet.com",))), ["error mta-sts"]),
    (replace(FINE, policy=Policy("testing", ("mail.dupontnet.com",))), ["warning mta-sts"]),
    (replace(FINE, policy=Policy("enforce", ("*.durantcom.net",))), []),
    (replace(FINE, policy=Policy("none")), []),
    (replace(FINE, policy_trouble="no-tls"), ["note mta-sts-skipped"]),
    (replace(FINE, policy_trouble="unreadable"), ["warning mta-sts-unreadable"]),
    (replace(mx(BACKUP), route=ROUTED), ["warning only-mx"]),
    (replace(mx(replace(BACKUP, preference=0), PRIMARY), route=ROUTED), ["warning equal-mx"]),
    (replace(mx(replace(BACKUP, preference=-1), PRIMARY), route=ROUTED), ["warning best-mx"]),
    (
        replace(
            mx(
                replace(PRIMARY, a=FAILED),
                replace(PRIMARY, name="b.dupontnet.com", a=ABSENT, aaaa=addresses("::1")),
                BACKUP,
            ),
            route=ROUTED,
        ),
        ["warning mx-lookup-failed", "warning ipv6-only", "warning no-address"],
    ),
    (
        replace(FINE, servers=(replace(FIRST, status=Status.SILENT), replace(SECOND, authoritative=False))),
        ["error server-silent", "error server-lame"],
    ),
    (keeping(virtual={"": "alias"}), ["error local-domain"]),
    (keeping(percenthack=frozenset({"dupontnet.com"})), ["error percenthack"]),
    (replace(FINE, us=replace(SERVER, plugin=False), rule=RULE), ["warning plugin"]),
    (
        replace(FINE, us=replace(SERVER, plugin=False), rule=replace(RULE, recipients=Recipients.LIST)),
        ["error plugin"],
    ),
    (
        replace(FINE, us=replace(US, settings=replace(SETTINGS, public_addresses=frozenset({"foo"})))),
        ["warning bad-public-address"],
    ),
    (replace(FINE, outcomes={UNPATCHED: (DELIVERED,), PATCHED: (BOUNCED,)}), ["warning qmail-differs"]),
    (replace(FINE, outcomes={PATCHED: (DELIVERED, BOUNCED)}), ["warning by-chance"]),
    (
        replace(
            FINE,
            delivery=Delivery(Verdict.DEFER, NOBODY_ANSWERS, (TARGET, Target("192.0.2.26", 25))),
            contacts={TARGET: Dialogue(Said.UNREACHABLE)},
        ),
        ["warning primary-unreachable", "note not-all-tried"],
    ),
]


@pytest.mark.parametrize(("facts", "expected"), ROWS)
def test_findings(facts: Facts, expected: list[str]) -> None:
    assert codes(facts) == expected


def test_an_explicit_route_makes_the_preferences_a_warning_and_cures_nat() -> None:
    wrong = mx(replace(BACKUP, preference=0), replace(PRIMARY, preference=5))
    assert codes(replace(wrong, route=ROUTED)) == ["warning best-mx"]
    natted = mx(PRIMARY, replace(BACKUP, a=addresses("192.0.2.99")))
    assert codes(replace(natted, route=ROUTED)) == []


def test_nat_is_known_by_the_public_address_and_offers_the_route() -> None:
    us = replace(US, public=frozenset({"192.0.2.99"}))
    facts = replace(mx(PRIMARY, Exchanger(5, "backup.example", addresses("192.0.2.99"))), us=us)
    (finding,) = judge(facts)
    assert finding == ourplace.NAT.found(name="dupontnet.com", address="192.0.2.99", primary="mail.dupontnet.com")
    assert str(finding.remedy) == "Set the route: mxbackup set dupontnet.com --route mail.dupontnet.com"


@pytest.mark.parametrize(("serials", "stale"), [((1, 2), 1), ((4294967295, 1), 4294967295), ((5, 5), None)])
def test_the_newest_serial_by_the_arithmetic_of_rfc_1982(serials: tuple[int, int], stale: int | None) -> None:
    servers = tuple(replace(server, serial=serial) for server, serial in zip(FINE.servers, serials, strict=True))
    found = [finding.parameters["serial"] for finding in judge(replace(FINE, servers=servers))]
    assert found == ([] if stale is None else [stale])


def test_errors_come_first_and_a_server_that_all_fail_is_one() -> None:
    silent = tuple(replace(server, status=Status.SILENT) for server in FINE.servers)
    facts = replace(FINE, servers=silent, exchangers=(replace(PRIMARY, alias=True), BACKUP))
    assert codes(facts) == ["error server-silent", "error server-silent", "warning mx-is-cname"]
