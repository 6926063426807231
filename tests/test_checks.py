# SPDX-License-Identifier: GPL-2.0-or-later
"""check and probe as a user runs them, on a real name server and a real mail server; and what is remembered."""

import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from mxbackup import rules
from mxbackup.check import collecting, contacts, inquiry
from mxbackup.check.contacts import Contacts, Probe
from mxbackup.check.facts import Facts, Known, Us
from mxbackup.check.findings import judge
from mxbackup.esmith import files
from mxbackup.esmith.host import Host
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import kind_of
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server
from mxbackup.panel import checking
from mxbackup.routing import qmail_remote
from mxbackup.routing.verdict import Delivery, Route, Target, Verdict
from mxbackup.rules import RuleSet
from mxbackup.service import applying
from mxbackup.smtp import client
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome
from mxbackup.words import about_checks, lexicon
from tests.nameserver import Knot, free_port
from tests.scratch import PACKAGE, Scratch
from tests.system import mailserver

Run = Callable[..., tuple[int, str, str]]
SMTPROUTES = "/var/qmail/control/smtproutes"
OUTAGES = "/var/lib/mxbackup/outages.json"
ZONE = """@ SOA ns h 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
self A 127.0.0.1
prim A 127.0.0.2
ok MX 10 prim
ok MX 20 self
in.ok MX 10 prim
in.ok MX 20 self
best MX 10 self
best MX 20 prim
xn--t-9fab MX 10 self
only MX 10 self
alias CNAME only
dice MX 10 prim
dice MX 10 out
dice MX 20 self
out A 127.0.0.8
more MX 10 out
odd MX 10 a\\.b\\032c
odd MX 20 self
a\\.b\\032c A 127.0.0.2
"""
# Thirteen exchangers: more than 512 bytes.
ZONE += "big MX 10 prim\nbig MX 20 self\n" + "".join(f"big MX 30 mail-{'x' * 40}-{host}\n" for host in range(11))
ZONE += "".join(f"many MX 10 m{host}\n" for host in range(20)) + "many MX 20 self\n"
ZONE += "".join(f"m{host} A 127.7.{host}.{last}\n" for host in range(20) for last in range(50))


@pytest.fixture(scope="module")
def dns_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    knot = Knot(tmp_path_factory.mktemp("knot") / "test", {"test": ZONE}, ("127.0.0.1",), port)
    yield port
    knot.stop()


@pytest.fixture(scope="module")
def smtp_port() -> Iterator[int]:
    """A primary that accepts, on 127.0.0.2."""
    server = mailserver.Server("127.0.0.2:0", "accept")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def rules_in_force(server: Scratch, *records: str) -> None:
    """Record the rules, and expand the files of a server with qmail."""
    server.database("domains", *records)
    server.write("/var/qmail/control/rcpthosts", "")  # what was in force before is not missed
    for target in ("rcpthosts", "smtproutes"):
        server.write(f"/var/qmail/control/{target}", applying.fragment(server.context, target))


def rule(name: str) -> str:
    return f"{name}.test=mxbackup|Kind|domain"


@pytest.fixture
def ok(smtp_port: int) -> str:
    """The record of a rule that is well; the primary cannot be on port 25 here."""
    return f"{rule('ok')}|Route|prim.test:{smtp_port}"


@pytest.fixture
def nameserver(server: Scratch, dns_port: int, ok: str) -> str:
    """The option's value, on a server with rules for names of its zone."""
    server.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    rules_in_force(server, rule("best"), ok, rule("xn--t-9fab"))
    return f"127.0.0.1:{dns_port}"


def reports_in(out: str) -> list[dict[str, Any]]:
    """The reports that check --json prints."""
    told = json.loads(out)
    assert told["version"] == 1
    found: list[dict[str, Any]] = told["rules"]
    return found


def test_json(mxbackup: Run, nameserver: str, smtp_port: int) -> None:
    status, out, err = mxbackup("check", "ok.test", "BEST.test", "--nameserver", nameserver, "--json")
    assert (status, err) == (1, "")
    assert reports_in(out) == [
        {
            "name": "ok.test",
            "verdict": "deliver",
            "code": None,
            "to": [f"127.0.0.2:{smtp_port}"],
            "sent": {"verdict": "deliver", "code": None, "to": [f"127.0.0.2:{smtp_port}"]},
            "state": "fine",
            "contacts": [
                {
                    "target": f"127.0.0.2:{smtp_port}",
                    "outcome": "accepted",
                    "banner": "220 mail.dupontnet.com ESMTP",
                    "reply": "250 ok",
                }
            ],
            "findings": [],
        },
        {
            "name": "best.test",
            "verdict": "bounce",
            "code": "5.4.6",
            "to": [],
            "sent": {"verdict": "bounce", "code": "5.4.6", "to": []},
            "state": "error",
            "contacts": [],
            "findings": [
                {
                    "code": "best-mx",
                    "severity": "error",
                    "sentence": "This server has the best preference for best.test (10, the next 20), "
                    "as if it were primary.",
                    "advice": "Have the preferences changed: the primary's number must be lower than this server's.",
                }
            ],
        },
    ]


def look_up_of_ok(nameserver: str, smtp_port: int, verdict: str = "") -> str:
    """What check prints before the findings of ok.test."""
    return f"""\
Using domain server:
Name: 127.0.0.1
Address: 127.0.0.1#{nameserver.partition(":")[2]}
Aliases:

ok.test mail is handled (pri=10) by prim.test
ok.test mail is handled (pri=20) by self.test
Mail that arrives here for ok.test is {verdict or f"delivered to 127.0.0.2:{smtp_port}"}.
127.0.0.2:{smtp_port}: 220 mail.dupontnet.com ESMTP
"""


def test_text(mxbackup: Run, nameserver: str, smtp_port: int) -> None:
    by_server, of_ok = look_up_of_ok(nameserver, smtp_port).split("\n\n")
    assert mxbackup("check", "ok.test", "été.test", "--nameserver", nameserver) == (
        1,
        f"""\
{by_server}

été.test mail is handled (pri=10) by self.test
Mail that arrives here for été.test is sent back to the sender at once (5.4.6).
ERROR: This server is the only mail exchanger of été.test: there is no primary to pass the mail on to. [only-mx]
    Have an MX record for the primary added, with a lower preference number than 10.

{of_ok}\
Everything is as it should be.

Rules checked: 2; with errors: 1; with warnings: 0; fine: 1.
With errors: été.test.
""",
        "",
    )


def test_in_french(dns_port: int) -> None:
    words = lexicon.load("fr")
    assert about_checks.lines(checker(dns_port).check("only.test"), words) == [
        "only.test mail is handled (pri=10) by self.test",
        "Le courrier pour only.test qui arrive ici est renvoyé aussitôt à l’expéditeur (5.4.6).",
        "ERREUR : Ce serveur est le seul serveur MX de only.test : "
        "il n’y a pas de serveur primaire à qui transmettre le courrier. [only-mx]",
        "    Faites ajouter un enregistrement MX pour le serveur primaire, avec une préférence inférieure à 10.",
    ]


def finds(mxbackup: Run, nameserver: str, *arguments: str) -> tuple[int, dict[str, list[str]]]:
    """The exit status, and the codes of the findings by name."""
    status, out, _ = mxbackup("check", "--json", "--nameserver", nameserver, *arguments)
    return status, {report["name"]: [found["code"] for found in report["findings"]] for report in reports_in(out)}


def test_a_name_without_a_rule(mxbackup: Run, server: Scratch, nameserver: str, smtp_port: int) -> None:
    rules_in_force(server)
    server.write("/var/qmail/control/smtproutes", f"ok.test:127.0.0.2:{smtp_port}\n{server.read(SMTPROUTES)}")
    assert mxbackup("check", "ok.test", "--nameserver", nameserver)[:2] == (
        1,
        f"""\
{look_up_of_ok(nameserver, smtp_port, "refused by this server")}\
ERROR: There is no rule for ok.test: this server refuses its mail. [no-rule]
    To make one: mxbackup add ok.test

Rules checked: 1; with errors: 1; with warnings: 0; fine: 0.
With errors: ok.test.
""",
    )
    # What lies on the way of its mail is told all the same.
    assert finds(mxbackup, nameserver, "only.test") == (1, {"only.test": ["no-rule", "only-mx"]})


def test_a_name_below_a_rule_is_judged_by_that_rule(mxbackup: Run, server: Scratch, nameserver: str, ok: str) -> None:
    rules_in_force(server, ok, rule("only").replace("domain", "host"))
    assert finds(mxbackup, nameserver, "in.ok.test") == (0, {"in.ok.test": []})
    assert finds(mxbackup, nameserver, "in.only.test") == (1, {"in.only.test": ["no-rule", "no-such-name"]})
    server.write(SMTPROUTES, f"{server.read(SMTPROUTES)}.ok.test:{ok.partition('Route|')[2]}6\n")
    assert finds(mxbackup, nameserver, "in.ok.test")[1]["in.ok.test"][0] == "routes-stale"


def test_nothing_is_accepted_while_disabled(mxbackup: Run, server: Scratch, nameserver: str) -> None:
    server.database("configuration", "mxbackup=service|status|disabled")
    rules_in_force(server, *server.records("domains"))
    assert finds(mxbackup, nameserver, "best.test") == (1, {"best.test": ["disabled", "best-mx"]})


@pytest.mark.parametrize("content", [None, "", "ok.test\n"])
def test_a_file_that_does_not_hold_the_rules(
    mxbackup: Run, server: Scratch, nameserver: str, content: str | None
) -> None:
    path = server.path("/var/qmail/control/rcpthosts")
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    status, out, _ = mxbackup("check", "--all", "--json", "--nameserver", nameserver)
    reports = reports_in(out)
    assert (status, [report["state"] for report in reports]) == (1, ["error"] * 3)
    assert reports[1]["findings"] == [
        {
            "code": "not-in-force",
            "severity": "error",
            "sentence": "The rules as they are now are not in force. These files do not hold them: "
            "/var/qmail/control/rcpthosts",
            "advice": "Run: signal-event mxbackup-update",
        }
    ]


def test_without_e_smith_apply_is_what_puts_rules_into_force(mxbackup: Run, server: Scratch, nameserver: str) -> None:
    server.write("/etc/mxbackup/domains", server.path("/home/e-smith/db/domains").read_bytes())
    shutil.rmtree(server.path("/home/e-smith"))
    server.write("/var/qmail/control/rcpthosts", "durantcom.net\n")
    (report,) = reports_in(mxbackup("check", "ok.test", "--json", "--nameserver", nameserver)[1])
    assert [(found["code"], found["advice"]) for found in report["findings"]] == [
        ("not-in-force", "Run: mxbackup apply")
    ]


def test_a_local_domain_is_delivered_here(mxbackup: Run, server: Scratch, nameserver: str) -> None:
    rules_in_force(server, "ok.test=domain")
    status, out, _ = mxbackup("check", "ok.test", "--nameserver", nameserver)
    assert (status, out.splitlines()[7:11]) == (
        1,
        [
            "Mail that arrives here for ok.test is delivered on this server itself.",
            "ERROR: ok.test is a local domain of this server, which keeps its mail instead of passing it on. "
            "[local-domain]",
            "    Remove the local domain, or the rule.",
            "",
        ],
    )


def test_the_panel_needs_no_rule_for_one_that_is_planned(server: Scratch, nameserver: str) -> None:
    server.path("/var/qmail/control/rcpthosts").unlink()
    context, words = server.context, lexicon.load("en-us")
    new = rules.make("new.test")

    def sentences(*, planned: bool) -> list[str]:
        found = checking.check(context, new, words, planned=planned)
        return [finding.sentence for finding in found.findings if "not in force" in finding.sentence]

    assert sentences(planned=True) == []
    assert sentences(planned=False) == [
        "The rules as they are now are not in force. These files do not hold them: /var/qmail/control/rcpthosts"
    ]


def test_the_panel_shows_what_kept_a_rule_from_being_checked(
    server: Scratch, nameserver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(facts: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(collecting, "judge", fail)
    context = server.context
    found = checking.check(context, rules.make("new.test"), lexicon.load("en-us"))
    assert (found.state, found.verdict, found.late) == ("unchecked", "", False)
    said = "new.test could not be checked because of a fault in this program: ZeroDivisionError()"
    assert said in [one.sentence for one in found.findings]


def test_without_names_all_rules_are_checked(mxbackup: Run, server: Scratch, nameserver: str, ok: str) -> None:
    rules_in_force(server, ok, "broken|=mxbackup", "only.test=mxbackup|Kind|host")
    status, out, err = mxbackup("check", "--nameserver", nameserver, "--json")
    assert (status, [report["name"] for report in reports_in(out)]) == (1, ["ok.test", "only.test"])
    assert "broken" in err
    assert mxbackup("check", "--nameserver", nameserver, "--json", "--all")[1] == out


def test_nothing_to_check(mxbackup: Run) -> None:
    assert mxbackup("check") == (0, "Rules checked: 0; with errors: 0; with warnings: 0; fine: 0.\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "no name"),
        ("check", "--all", "ok.test"),
        ("check", "ok.test", "--nameserver", "ns.example.net"),
        ("check", "ok.test", "--nameserver", "1.2.3.400"),
        ("check", "ok.test", "--nameserver", "1.2.3.4:99999"),
        ("check", "ok.test", "--nameserver", "[1.2.3.4"),
        ("check", "ok.test", "--public-address", "x"),
        ("probe", "mail.example.net", "no address"),
        ("probe", "mail.example.net", "a@b.net", "--sender", "a b@c.net"),
        ("probe", "mail.example.net", "a@b.net", "--sender", "x>\r\nRCPT TO:<y@z.net"),
        ("probe", "two..dots", "a@b.net"),
        ("probe", "mail.example.net", "a@b.net", "--helo", "a b"),
    ],
)
def test_wrong_use(mxbackup: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = mxbackup(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_the_public_address_of_the_configuration_counts(mxbackup: Run, server: Scratch, nameserver: str) -> None:
    server.database("configuration", "mxbackup=service|PublicAddress|127.0.0.2|status|enabled")
    (report,) = reports_in(mxbackup("check", "best.test", "--nameserver", nameserver, "--json")[1])
    assert [finding["code"] for finding in report["findings"]] == ["only-mx", "nat"]


def test_a_public_address_that_is_none_is_told(mxbackup: Run, server: Scratch, nameserver: str) -> None:
    server.database("configuration", "mxbackup=service|PublicAddress|foo|status|enabled")
    (report,) = reports_in(mxbackup("check", "ok.test", "--nameserver", nameserver, "--json")[1])
    assert report["findings"] == [
        {
            "code": "bad-public-address",
            "severity": "warning",
            "sentence": '"foo" in PublicAddress is no IP address and has no effect.',
            "advice": "State it again: mxbackup address ADDRESS",
        }
    ]


US = Us(frozenset({"127.0.0.1"}), frozenset(), Settings())


def accept(host: str, question: Question, port: int, seconds: float) -> Dialogue:
    return Dialogue(Outcome.ACCEPTED)


def checker(
    dns_port: int,
    probe: Probe = accept,
    routes: dict[str, str] | None = None,
    us: Us = US,
    log: list[str] | None = None,
) -> collecting.Checker:
    dns = Dns([Server("127.0.0.1", dns_port)], port=dns_port)
    return collecting.Checker(dns, us, routes, Contacts(probe), ([] if log is None else log).extend)


def test_a_rule_can_be_checked_before_it_is_added(server: Scratch, nameserver: str, smtp_port: int) -> None:
    rule = rules.make("best.test", route=f"127.0.0.2:{smtp_port}")
    host, servers = Host(server.root), [Server("127.0.0.1", int(nameserver.partition(":")[2]))]
    assert collecting.checker_for(kind_of(host), Settings(), nameservers=servers).check(rule.name).state == "error"
    report = collecting.checker_for(kind_of(host), Settings(), nameservers=servers, planned=rule).check(rule.name, rule)
    assert report.delivery == Delivery(Verdict.DELIVER, "", (Target("127.0.0.2", smtp_port),))
    assert [(finding.severity, finding.id) for finding in report.findings] == [("warning", "best-mx")]
    no_routes = Settings(routes=False)
    report = collecting.checker_for(kind_of(host), no_routes, nameservers=servers, planned=rule).check(rule.name, rule)
    assert report.delivery == Delivery(Verdict.BOUNCE, "5.4.6")


def test_a_planned_rule_below_one_with_a_route_is_checked_with_an_entry_of_its_own(
    server: Scratch, nameserver: str
) -> None:
    above, planned = rules.make("best.test", route="127.0.0.2:1"), rules.make("www.best.test")
    server.path("/var/qmail/control/smtproutes").write_text("best.test:127.0.0.2:1\n.best.test:127.0.0.2:1\n")
    host, servers = Host(server.root), [Server("127.0.0.1", int(nameserver.partition(":")[2]))]
    checker = collecting.checker_for(
        kind_of(host), Settings(), nameservers=servers, rules=RuleSet([above]), planned=planned
    )
    facts = checker.check(planned.name, planned).facts
    assert facts.route == facts.expected_route == Route("www.best.test")


def test_all_are_checked_at_once_and_reported_in_order(dns_port: int) -> None:
    together = threading.Barrier(4, timeout=20)

    def meet(host: str, question: Question, port: int, seconds: float) -> Dialogue:
        together.wait()
        return Dialogue(Outcome.ACCEPTED)

    names = [(f"n{number}.test", None) for number in range(4)]
    done: list[int] = []
    found = collecting.check_all(checker(dns_port, meet, {"": "127.0.0.2"}), names, lambda report: done.append(1))
    assert [report.name for report in found] == [name for name, _ in names]
    assert len(done) == 4
    assert {report.delivery for report in found} == {Delivery(Verdict.DELIVER, "", (Target("127.0.0.2", 25),))}


@pytest.mark.parametrize("name", ["ok", "best", "only", "alias", "dice", "more", "odd", "big", "gone", "t.ok"])
def test_what_is_found_on_the_way_does_not_turn_out_wrong(dns_port: int, name: str) -> None:
    known: list[Facts] = []
    subject = checker(dns_port, lambda *about: Dialogue(Outcome.REFUSED))
    report = subject.check(f"{name}.test", told=known.append)
    assert {facts.known for facts in known} == {Known.HERE, Known.RECORDS, Known.SERVERS, Known.WAY}
    for facts in known:
        assert set(map(str, judge(facts))) <= set(map(str, report.findings))
        assert set(facts.contacts) <= set(report.facts.contacts)
        assert facts.servers == report.facts.servers[: len(facts.servers)]


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """A primary that takes connections and says nothing, on a port of 127.0.0.2."""
    with socket.create_server(("127.0.0.2", 0)) as listener:
        yield listener


def test_a_check_is_given_up_when_its_budget_is_spent(dns_port: int, hanging: socket.socket) -> None:
    subject = checker(dns_port, client.probe, {"": f"127.0.0.2:{hanging.getsockname()[1]}"})
    begin = time.monotonic()
    assert not subject.check("ok.test", limit=0.3).checked
    assert time.monotonic() - begin < 2
    report = checker(dns_port).check("ok.test", limit=20)
    assert report.state == "fine"


def test_a_hanging_primary_is_waited_for_once(
    dns_port: int, hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "CONTACT_LIMIT", 0.5)
    asked: list[str] = []

    def probe(host: str, question: Question, port: int, seconds: float) -> Dialogue:
        asked.append(question.recipient)
        return client.probe(host, question, port, seconds)

    names = [(f"n{number}.test", None) for number in range(24)]
    begin = time.monotonic()
    found = collecting.check_all(checker(dns_port, probe, {"": f"127.0.0.2:{hanging.getsockname()[1]}"}), names)
    assert len(asked) <= contacts.AT_ONCE_EACH
    assert time.monotonic() - begin < 4
    assert {tuple(finding.id for finding in report.findings) for report in found} == {
        ("no-such-name", "smarthost", "primary-broken")
    }


def test_what_the_time_is_not_enough_for_is_not_checked(dns_port: int, hanging: socket.socket) -> None:
    subject = checker(dns_port, client.probe, {".test": f"127.0.0.2:{hanging.getsockname()[1]}"})
    begin = time.monotonic()
    found = collecting.check_all(subject, [(f"n{number}.test", None) for number in range(40)], limit=0.5)
    assert time.monotonic() - begin < 3
    assert {report.state for report in found} == {"unchecked"}
    assert about_checks.lines(found[-1], lexicon.load("en-us")) == [
        "Warning: n39.test was not checked to the end: the limit of 0.5 s is over. [not-checked]",
        "    Check it alone: mxbackup check n39.test. More time for all: --limit SECONDS",
    ]


def break_one(host: str, question: Question, port: int, seconds: float) -> Dialogue:
    if question.recipient == "postmaster@n1.test":
        raise AttributeError("no attribute \x1b[31m")
    return Dialogue(Outcome.ACCEPTED)


@pytest.mark.parametrize("threads", ["threads", "no_threads"])
def test_the_trouble_with_one_name_is_not_that_of_others(
    dns_port: int, threads: str, request: pytest.FixtureRequest
) -> None:
    if threads == "no_threads":
        request.getfixturevalue(threads)
    log: list[str] = []
    subject = checker(dns_port, break_one, {"": "127.0.0.2"}, log=log)
    found = collecting.check_all(subject, [(f"n{number}.test", None) for number in range(3)])
    assert [report.state for report in found] == ["error", "unchecked", "error"]
    assert about_checks.lines(found[1], lexicon.load("en-us")) == [
        "Warning: n1.test could not be checked because of a fault in this program: "
        "AttributeError('no attribute \\x1b[31m') [check-failed]",
        "    Please report it, with the lines about n1.test in /var/log/messages.",
    ]
    assert log[0] == "check of n1.test: Traceback (most recent call last):"
    report = subject.check("n1.test", limit=20)
    assert [finding.id for finding in report.findings] == ["check-failed"]


def test_so_many_connections_and_no_more(dns_port: int) -> None:
    asked: list[str] = []

    def down(host: str, question: Question, port: int, seconds: float) -> Dialogue:
        asked.append(host)
        return Dialogue(Outcome.UNREACHABLE)

    report = checker(dns_port, down).check("many.test")
    assert len(asked) == inquiry.CONNECTIONS
    assert (report.delivery.verdict, report.delivery.code, len(report.delivery.to)) == (Verdict.DEFER, "4.4.1", 1000)
    assert len(about_checks.lines(report, lexicon.load("en-us"))[20]) < 200
    assert "not-all-tried" in [finding.id for finding in report.findings]


def test_more_records_than_can_be_asked_for(dns_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "QUESTIONS", 30)
    report = checker(dns_port).check("many.test")
    assert (report.state, report.delivery.verdict) == ("unchecked", Verdict.UNKNOWN)
    assert "more than 30 questions" in about_checks.sentence(report.findings[0], lexicon.load("en-us"))


def told(report: collecting.Report) -> list[str]:
    return about_checks.lines(report, lexicon.load("en-us"))[-4:]


def test_kinds_of_qmail_differ_about_aliases(dns_port: int) -> None:
    assert told(checker(dns_port).check("alias.test")) == [
        "ERROR: This server is the only mail exchanger of alias.test: there is no primary to pass the mail on to. "
        "[only-mx]",
        "    Have an MX record for the primary added, with a lower preference number than 10.",
        "Warning: Kinds of qmail differ: mail for alias.test is sent back to the sender at once (5.4.6) by "
        "notqmail 1.09, and sent in circles through 127.0.0.1:25 by qmail 1.03, netqmail 1.06, notqmail 1.08, "
        "SME Server. [qmail-differs]",
        "    Set the primary's address as route, which makes all do the same: mxbackup set alias.test --route ADDRESS",
    ]
    report = checker(dns_port, us=replace(US, kinds=(qmail_remote.LATER,))).check("alias.test")
    assert (report.delivery, len(report.findings)) == (Delivery(Verdict.BOUNCE, "5.4.6"), 1)


def test_kinds_of_qmail_differ_about_large_answers(dns_port: int) -> None:
    report = checker(dns_port).check("big.test")
    assert report.delivery == Delivery(Verdict.DEFER, "4.1.2")
    assert told(report)[-2] == (
        "Warning: Kinds of qmail differ: mail for big.test is kept in the queue for now (4.1.2) by qmail 1.03, "
        "netqmail 1.06, notqmail 1.08, and delivered to 127.0.0.2:25 by notqmail 1.09, SME Server. [qmail-differs]"
    )
    report = checker(dns_port, us=replace(US, kinds=(qmail_remote.PATCHED,))).check("big.test")
    assert (report.delivery.verdict, report.state) == (Verdict.DELIVER, "fine")


def test_chance_decides_between_exchangers_of_equal_preference(dns_port: int) -> None:
    report = checker(dns_port, us=replace(US, public=frozenset({"127.0.0.8"}))).check("dice.test")
    assert report.delivery.verdict == Verdict.LOOP
    assert told(report)[-2:] == [
        "Warning: Exchangers of dice.test have equal preference, so chance decides: its mail is sent in circles "
        "through 127.0.0.8:25, 127.0.0.2:25, or delivered to 127.0.0.8:25, 127.0.0.2:25. [by-chance]",
        "    Give this server a higher preference number than the primary's, or set the primary's address as route: "
        "mxbackup set dice.test --route ADDRESS",
    ]


@pytest.mark.parametrize(
    ("program", "verdict"), [(b"\0control/moreipme\0", "bounce 5.4.6"), (b"\0control/me\0", "loop"), (None, "loop")]
)
def test_moreipme_counts_where_qmail_reads_it(
    server: Scratch, dns_port: int, program: bytes | None, verdict: str
) -> None:
    shutil.rmtree(server.path("/home/e-smith"))
    server.write("/var/qmail/control/moreipme", "127.0.0.8\n")
    if program is not None:
        server.write("/var/qmail/bin/qmail-remote", program)
    servers = [Server("127.0.0.1", dns_port)]
    found = collecting.checker_for(kind_of(server.host), Settings(), nameservers=servers).check("more.test").delivery
    assert f"{found.verdict} {found.code}".strip() == (verdict if program else "bounce 5.4.6")
    server.write("/var/qmail/control/notipme", "127.0.0.8\n")
    found = collecting.checker_for(kind_of(server.host), Settings(), nameservers=servers).check("more.test").delivery
    assert found.verdict != Verdict.BOUNCE


def test_our_own_address_on_a_port_where_nothing_listens(dns_port: int) -> None:
    port = free_port()
    report = checker(dns_port, client.probe, {"ok.test": f"127.0.0.1:{port}"}).check("ok.test")
    assert report.delivery == Delivery(Verdict.DEFER, "4.4.1", (Target("127.0.0.1", port),))
    assert [finding.id for finding in report.findings] == ["primary-unreachable"]


def test_an_exchanger_with_an_escaped_dot_in_its_name(dns_port: int) -> None:
    report = checker(dns_port).check("odd.test")
    assert report.delivery == Delivery(Verdict.DELIVER, "", (Target("127.0.0.2", 25),))
    assert about_checks.lines(report, lexicon.load("en-us"))[0] == (
        r"odd.test mail is handled (pri=10) by a\.b\032c.test"
    )


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python says on Linux 2.4, with the C library of our interpreter."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("no_threads")
def test_without_threads_names_are_checked_one_after_the_other(dns_port: int) -> None:
    asked: list[str] = []

    def probe(host: str, question: Question, port: int, seconds: float) -> Dialogue:
        asked.append(question.recipient)
        return Dialogue(Outcome.ACCEPTED)

    names = [(f"n{number}.test", None) for number in range(3)]
    done: list[int] = []
    subject = checker(dns_port, probe, {"": "127.0.0.2"})
    found = collecting.check_all(subject, names, lambda report: done.append(len(asked)))
    assert [report.name for report in found] == [name for name, _ in names]
    assert asked == [f"postmaster@{name}" for name, _ in names]
    assert done == [1, 2, 3]


@pytest.mark.usefixtures("no_threads")
def test_without_threads_one_check_has_its_time_too(dns_port: int) -> None:
    report = checker(dns_port).check("ok.test", limit=20)
    assert report.state == "fine"
    assert not checker(dns_port).check("ok.test", limit=0).checked


def test_unreachable_targets_are_tried_in_turn_until_one_answers(dns_port: int) -> None:
    asked: list[tuple[str, int]] = []

    def down(host: str, question: Question, port: int, seconds: float) -> Dialogue:
        asked.append((host, port))
        return Dialogue(Outcome.UNREACHABLE)

    report = checker(dns_port, down).check("ok.test")
    assert asked == [("127.0.0.2", 25)]
    assert report.delivery == Delivery(Verdict.DEFER, "4.4.1", (Target("127.0.0.2", 25),))
    assert [finding.id for finding in report.findings] == ["primary-unreachable"]


@pytest.fixture
def night(mxbackup: Run, server: Scratch, nameserver: str) -> Callable[[], list[str]]:
    """Run the nightly check; returns the mails that went out."""
    server.script("/usr/sbin/sendmail", f'echo "$*" >> {server.root}/arguments; cat >> {server.root}/sent')
    server.database("configuration", "DomainName=durantcom.net", "sysconfig=configuration|Language|fr_FR.UTF-8")

    def run() -> list[str]:
        mxbackup("check", "--all", "--remember", "--nameserver", nameserver)
        sent = server.path("/sent")
        mails = [sent.read_text()] if sent.exists() else []
        sent.unlink(missing_ok=True)
        return mails

    return run


def text_of(message: Message) -> str:
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_one_mail_when_rules_break_and_one_when_they_are_well(
    night: Callable[[], list[str]], server: Scratch, ok: str
) -> None:
    rules_in_force(server, ok, rule("only"))
    (mail,) = night()
    message = message_from_bytes(mail.encode())
    assert (message["To"], message["Subject"]) == ("admin@durantcom.net", "MX-Backup : erreur pour only.test")
    text = text_of(message)
    assert "Ce serveur est le seul serveur MX de only.test" in text
    assert "ok.test" not in text
    assert server.read("/arguments") == "-i -f <> -t\n"
    assert night() == []
    rules_in_force(server, ok, ok.replace("ok", "only"))
    (mail,) = night()
    message = message_from_bytes(mail.encode())
    assert message["Subject"] == "MX-Backup : de nouveau en ordre : only.test"
    assert text_of(message) == "De nouveau en ordre\u00a0: only.test.\n"
    assert night() == []


def test_while_disabled_nothing_is_mailed_and_the_memory_stays(
    night: Callable[[], list[str]], server: Scratch, ok: str
) -> None:
    rules_in_force(server, ok, rule("only"))
    assert len(night()) == 1
    before, configuration = server.read(OUTAGES), server.records("configuration")
    server.database("configuration", *configuration, "mxbackup=service|status|disabled")
    rules_in_force(server, ok, rule("only"))
    assert night() == []
    assert server.read(OUTAGES) == before
    server.database("configuration", *configuration)
    rules_in_force(server, ok, rule("only"))
    assert night() == []


def checks(server: Scratch) -> dict[str, list[object]]:
    """What is remembered of the last checks, beside the name servers."""
    rules = json.loads(server.read(OUTAGES))["rules"]
    return {name: state["check"][:2] for name, state in rules.items() if "check" in state}


def test_what_is_remembered(
    night: Callable[[], list[str]], server: Scratch, mxbackup: Run, nameserver: str, ok: str
) -> None:
    rules_in_force(server, ok, rule("only"))
    before = int(time.time())
    night()
    assert checks(server) == {"ok.test": ["fine", []], "only.test": ["error", ["only-mx"]]}
    times = [state["checked"] for state in json.loads(server.read(OUTAGES))["rules"].values()]
    assert all(before <= when <= time.time() for when in times)
    mxbackup("check", "in.ok.test", "missing.test", "--remember", "--nameserver", nameserver)
    assert list(checks(server)) == ["ok.test", "only.test"]
    rules_in_force(server, ok)
    night()
    assert list(checks(server)) == ["ok.test"]
    assert "only.test" not in server.read("/var/lib/mxbackup/history")


def test_what_the_name_servers_said_is_remembered(server: Scratch, mxbackup: Run, nameserver: str) -> None:
    rules_in_force(server, rule("in.ok"), rule("missing"))
    mxbackup("check", "--nameserver", nameserver, "--public-address", "127.0.0.1")
    states = json.loads(server.read(OUTAGES))["rules"]
    records = [[10, "prim.test", False], [20, "self.test", True]]
    assert {name: state["check"][2] for name, state in states.items()} == {
        "in.ok.test": [["127.0.0.1", "answers", records]],
        "missing.test": [["127.0.0.1", "answers", []]],
    }


def test_a_check_by_hand_is_remembered_and_told_the_next_night(
    night: Callable[[], list[str]], server: Scratch, mxbackup: Run, nameserver: str
) -> None:
    rules_in_force(server, rule("only"))
    mxbackup("check", "--nameserver", nameserver)
    assert checks(server) == {"only.test": ["error", ["only-mx"]]}
    assert not server.path("/sent").exists()
    assert len(night()) == 1
    assert night() == []


def test_what_could_not_be_checked_is_remembered_as_it_was(
    server: Scratch, mxbackup: Run, nameserver: str, hanging: socket.socket
) -> None:
    rules_in_force(server, f"{rule('ok')}|Route|prim.test:{hanging.getsockname()[1]}")
    error = {"check": ["error", ["nat"]], "checked": 1078866000, "since": 1078866000}
    rules = {"gone.test": {"check": ["fine", []]}, "ok.test": error}
    server.write(OUTAGES, json.dumps({"version": 1, "open": False, "seen": 0, "trouble": "", "rules": rules}))
    words = ("check", "--nameserver", nameserver, "--limit", "0.5")
    status, out, err = mxbackup(*words, "--json")
    (report,) = reports_in(out)
    assert (status, err) == (3, "Not checked: ok.test.\n")
    assert (report["state"], report["verdict"], report["code"]) == ("unchecked", "unknown", None)
    status, out, err = mxbackup(*words, "--remember")
    assert (status, err) == (3, "Not checked: ok.test.\n")
    assert out.endswith("Rules checked: 0; with errors: 0; with warnings: 0; fine: 0.\n")
    assert checks(server) == {"ok.test": ["error", ["nat"]]}


def test_an_error_is_an_answer_whatever_could_not_be_checked(
    mxbackup: Run, server: Scratch, nameserver: str, hanging: socket.socket
) -> None:
    rules_in_force(server, f"{rule('ok')}|Route|prim.test:{hanging.getsockname()[1]}", rule("only"))
    status, out, _ = mxbackup("check", "--nameserver", nameserver, "--limit", "1", "--json")
    assert (status, [report["state"] for report in reports_in(out)]) == (1, ["unchecked", "error"])


def test_a_check_that_remembers_runs_alone(mxbackup: Run, server: Scratch, nameserver: str) -> None:
    lock = server.path("/var/lock/mxbackup-check")
    with files.alone(lock):
        assert mxbackup("check", "only.test", "--remember", "--nameserver", nameserver) == (
            3, "", "mxbackup: Another check with --remember is running. Wait for its end.\n"
        )  # fmt: skip
        assert mxbackup("check", "only.test", "--nameserver", nameserver)[0] == 1
    assert mxbackup("check", "only.test", "--remember", "--nameserver", nameserver)[0] == 1
    assert lock.stat().st_mode & 0o777 == 0o600


def test_a_mail_that_could_not_be_sent_is_sent_the_next_night(
    night: Callable[[], list[str]], server: Scratch, mxbackup: Run, nameserver: str
) -> None:
    rules_in_force(server, rule("only"))
    works = server.read("/usr/sbin/sendmail")
    server.script("/usr/sbin/sendmail", "exit 1")
    status, _, err = mxbackup("check", "--remember", "--nameserver", nameserver)
    assert status == 3
    assert "sendmail could not send the mail" in err
    server.write("/usr/sbin/sendmail", works)
    assert len(night()) == 1


def test_probe(mxbackup: Run, smtp_port: int) -> None:
    words = ("probe", "127.0.0.2", "jean.dupont@dupontnet.com", "--port", str(smtp_port), "--sender", "a@b.net")
    status, out, err = mxbackup(*words, "--refuse", "tomy@hotmail.com", "--helo", "pc.b.net")
    assert (status, err) == (1, "")
    assert (
        out
        == """\
Trying 127.0.0.2...
Connected to 127.0.0.2.
Escape character is '^]'.
220 mail.dupontnet.com ESMTP
EHLO pc.b.net
250 ok
MAIL FROM:<a@b.net>
250 ok
RCPT TO:<jean.dupont@dupontnet.com>
250 ok
RSET
250 ok
MAIL FROM:<a@b.net>
250 ok
RCPT TO:<tomy@hotmail.com>
250 ok
QUIT
221 Good bye.
Connection closed by foreign host.

Good: jean.dupont@dupontnet.com is accepted.
BAD: tomy@hotmail.com is accepted, so this server may be an open relay.
The test counts only from outside: not from that server's own network.
This machine is that server itself: what it says here is not what it says to strangers.
What to do:
    From elsewhere (a friend's machine, a telephone's network): repeat this command.
    The owner of the domain, from his machine: mxbackup audit dupontnet.com
    On the backup itself, without a stranger: mxbackup check dupontnet.com
"""
    )


def test_probe_sends_a_message(mxbackup: Run, smtp_port: int) -> None:
    words = ("probe", "127.0.0.2", "jean.dupont@dupontnet.com", "--port", str(smtp_port), "--sender", "a@b.net")
    _, out, _ = mxbackup(*words, "--send")
    (message_id,) = re.findall("^Message-ID: (.*)$", out, re.MULTILINE)
    assert (
        "The test message is on its way. In the header of what jean.dupont@dupontnet.com receives, look for:\n"
        f"    Message-ID: {message_id}\n"
        "    Received: ... by mail.dupontnet.com ...\n"
        "The second line shows that it came through the backup; without it the primary took it directly.\n"
    ) in out


def test_probe_without_a_server(mxbackup: Run) -> None:
    port = free_port()
    status, out, _ = mxbackup("probe", "127.0.0.1", "a@b.net", "--port", str(port))
    assert status == 3
    assert out.endswith(f"BAD: 127.0.0.1 port {port} accepts no connection: Connection refused.\n")


def test_probe_of_a_host_that_is_not_there(mxbackup: Run) -> None:
    said = "mxbackup: The name nosuch.invalid is not in the DNS.\n"
    # Without a resolver nobody can say that it is not there.
    unknown = "mxbackup: The DNS cannot be asked for nosuch.invalid at present: "
    status, out, err = mxbackup("probe", "nosuch.invalid", "a@b.net")
    assert (status, out) == (3, "")
    assert err == said or err.startswith(unknown)


def test_probe_of_a_host_without_a_dot(mxbackup: Run) -> None:
    status, out, _ = mxbackup("probe", "localhost", "a@b.net", "--port", str(free_port()))
    assert status == 3
    assert "BAD: localhost port " in out


WITHOUT_UNIX = """
import sys
for name in ("fcntl", "grp", "pwd", "syslog", "termios", "resource", "ssl"):
    sys.modules[name] = None
sys.argv = ["mxbackup", *sys.argv[1:]]
from mxbackup.__main__ import main
main()
"""


def test_check_and_probe_run_where_there_is_no_unix_and_no_tls(tmp_path: Path, dns_port: int, smtp_port: int) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_UNIX, "--root", str(tmp_path), *arguments],
            env={"PYTHONPATH": str(PACKAGE), "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    probed = run("probe", "127.0.0.2", "jean.dupont@dupontnet.com", "--port", str(smtp_port))
    assert (probed.returncode, probed.stderr) == (1, "")
    assert "Good: jean.dupont@dupontnet.com is accepted." in probed.stdout
    checked = run("check", "only.test", "--nameserver", f"127.0.0.1:{dns_port}", "--json")
    assert (checked.returncode, checked.stderr) == (1, "")
    assert [report["name"] for report in reports_in(checked.stdout)] == ["only.test"]


def on_a_terminal(server: Scratch, *arguments: str, **environment: str) -> tuple[bytes, bytes]:
    """What a command writes to stdout and stderr, each a terminal of its own."""
    (ours, theirs), (our_errors, their_errors) = pty.openpty(), pty.openpty()
    clean = {"PYTHONPATH": str(PACKAGE), "MXBACKUP_ROOT": str(server.root), "LC_ALL": "C.UTF-8", "TERM": "vt100"}
    command = [sys.executable, "-m", "mxbackup", *arguments]
    subprocess.run(command, env={**clean, **environment}, stdout=theirs, stderr=their_errors, check=False)
    os.close(theirs)
    os.close(their_errors)
    return read_terminal(ours), read_terminal(our_errors)


def read_terminal(ours: int) -> bytes:
    """All that was written to the other side of a terminal that is closed."""
    said = b""
    with suppress(OSError):  # how Linux tells the end of a terminal
        while chunk := os.read(ours, 65536):
            said += chunk
    os.close(ours)
    return said.replace(b"\r\n", b"\n")


def test_on_a_terminal_who_is_waited_for_and_what_is_found_as_it_comes(
    server: Scratch, nameserver: str, ok: str
) -> None:
    rules_in_force(server, ok, rule("only"))
    out, err = on_a_terminal(server, "check", "--nameserver", nameserver)
    shown = err.split(b"\r\x1b[K")
    assert (shown[:2], shown[-1]) == ([b"", b"Checking ok.test (1 of 2)"], b"")
    assert b"only.test: ERROR: only-mx\n" in shown
    assert b"\x1b[31mERROR: This server is the only mail exchanger of only.test" in out
    assert b"\x1b[32mEverything is as it should be.\x1b[0m\n" in out
    assert out.endswith(b"With errors: only.test.\n")


@pytest.mark.parametrize(("name", "value", "progress"), [("NO_COLOR", "1", True), ("TERM", "dumb", False)])
def test_a_terminal_without_colours(
    server: Scratch, nameserver: str, mxbackup: Run, name: str, value: str, progress: bool
) -> None:
    out, err = on_a_terminal(server, "check", "best.test", "--nameserver", nameserver, **{name: value})
    assert out.decode() == mxbackup("check", "best.test", "--nameserver", nameserver)[1]
    assert (b"Checking best.test (1 of 1)" in err) == progress


def test_only_problems(mxbackup: Run, nameserver: str) -> None:
    words = ("check", "--problems", "--nameserver", nameserver)
    status, out, _ = mxbackup(*words, "ok.test", "best.test")
    assert (status, "ok.test" in out) == (1, False)
    assert out.endswith("Rules checked: 2; with errors: 1; with warnings: 0; fine: 1.\nWith errors: best.test.\n")
    assert [report["name"] for report in reports_in(mxbackup(*words, "--json")[1])] == ["best.test", "xn--t-9fab.test"]
