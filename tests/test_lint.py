# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in what is already there are told with the remedy, and what is right is not."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import Finding, Severity
from mxbackup.esmith.host import CONTROL, MORERCPTHOSTS
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule, RuleSet
from mxbackup.rules.names import Name
from mxbackup.service import applying
from mxbackup.targets import lint, rcpthosts, smtpd_check_rules, smtproutes
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.lint import publicaddress
from tests.conftest import Outcome
from tests.fragments import fragment
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch
from tests.strategies import RULE_SETS

RCPTHOSTS, SMTPROUTES = rcpthosts.TARGET.path, smtproutes.TARGET.path
CHECK_RULES = smtpd_check_rules.TARGET.path
SERVER = Settings(domain_name="durantcom.net", system_name="sme")
CUSTOM = "/etc/e-smith/templates-custom"
TEMPLATES = "/etc/e-smith/templates"
QUICK_AND_DIRTY = f"{CUSTOM}/var/qmail/control/rcpthosts/20QandD"
SME5_FRAGMENT = f"{CUSTOM}/var/spool/smtpd/etc/smtpd_check_rules/61MXBackupDomains"


def brief(found: list[Finding]) -> list[tuple[str, str, str, tuple[int, ...]]]:
    return [(finding.severity.value, finding.id, Path(finding.path or "").name, finding.lines) for finding in found]


def look(
    texts: Mapping[str, str], *rules: Rule, settings: Settings = SERVER
) -> list[tuple[str, str, str, tuple[int, ...]]]:
    files: dict[Path, str | None] = {RCPTHOSTS: ""}
    paths = {path.name: path for path in (RCPTHOSTS, MORERCPTHOSTS, SMTPROUTES, CHECK_RULES)}
    files |= {paths[name]: text for name, text in texts.items()}
    return brief(lint.findings(files, RuleSet(rules), settings))


@pytest.mark.parametrize("name", ["rcpthosts", "morercpthosts"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (" a.com", "leading-blank"),
        ("\ta.com", "leading-blank"),
        ("a.com\r", "carriage-return"),
        (" a.com\r", "carriage-return"),
        ("a.com # mine", "inline-comment"),
        ("a.com#mine", "inline-comment"),
        (" # mine", "inline-comment"),
        ("*.a.com", "not-a-name"),
        ("@a.com", "not-a-name"),
        ("a.com b.com", "not-a-name"),
        ("a.com:", "not-a-name"),
        ("été.fr", "not-a-name"),
    ],
)
def test_a_line_that_qmail_passes_over(name: str, line: str, code: str) -> None:
    assert look({name: f"# ours\na.com\n{line}\n"}) == [("warning", code, name, (3,))]


@pytest.mark.parametrize("line", ["a.com", ".a.com", "A.com", "a.com  \t", "localhost", "# x\r", "", "_x.a-b.com"])
def test_a_line_that_qmail_takes(line: str) -> None:
    assert look({"rcpthosts": f"{line}\n"}) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (" a.com:b.com", "leading-blank"),
        ("a.com:b.com\r", "carriage-return"),
        ("a.com:b.com # mine", "inline-comment"),
        ("a.com", "bad-route"),
        ("a.com::26", "bad-route"),
        ("a.com:[2001:db8::1]", "bad-route"),
        ("a.com:2001:db8::1", "bad-route"),
        ("a.com:b.com:smtp", "bad-route"),
        ("a.com: b.com", "bad-route"),
        ("*.a.com:b.com", "bad-route"),
    ],
)
def test_a_route_that_qmail_does_not_understand(line: str, code: str) -> None:
    assert look({"smtproutes": f":smtp.provider.net\n{line}\n"}) == [("warning", code, "smtproutes", (2,))]


@pytest.mark.parametrize(
    "line", ["a.com:", ".a.com:b.com:26", ":smtp.provider.net:587", "a.com:b.com.:26", "a.com:[192.0.2.1]:26", ":"]
)
def test_a_route_that_qmail_understands(line: str) -> None:
    assert look({"smtproutes": f"{line}\n"}) == []


def test_lines_with_the_same_mistake_are_one_finding() -> None:
    assert look({"rcpthosts": "a.com\r\nb.com\r\n c.com\n"}) == [
        ("warning", "carriage-return", "rcpthosts", (1, 2)),
        ("warning", "leading-blank", "rcpthosts", (3,)),
    ]


def test_of_equal_keys_ours_loses_when_it_is_not_the_last() -> None:
    ours = f"{BEGIN}\na.com:\nb.com:mail.b.com\n{END}\n"
    assert look({"smtproutes": f"a.com:x.com\n{ours}A.COM:x.com\nb.com:mail.b.com\nc.com:x.com\n"}) == [
        ("error", "route-overridden", "smtproutes", (6,))
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{BEGIN}\nallow:ALL:ALL:*@a.com\n{END}\nnoto:ALL:ALL:ALL\n", []),
        (f"{BEGIN}\nallow:ALL:ALL:*@a.com\n{END}\n", [("error", "open-relay", "smtpd_check_rules", ())]),
        (f"noto:ALL:ALL:ALL\n{BEGIN}\n{END}\n", [("error", "after-closing-rule", "smtpd_check_rules", (2,))]),
        (
            f"allow:ALL:ALL:{'*@a.com ' * 130}\nnoto:ALL:ALL:ALL\n",
            [("error", "line-too-long", "smtpd_check_rules", (1,))],
        ),
        # As read from a file in ISO-8859-1.
        (b"# le caf\xe9\nnoto:ALL:ALL:ALL\n".decode("utf-8", "surrogateescape"), []),
    ],
)
def test_smtpd_check_rules(text: str, found: list[object]) -> None:
    assert look({"smtpd_check_rules": text}) == found


@given(RULE_SETS, st.sampled_from(["", "smtp.provider.net"]))
def test_nothing_is_wrong_with_what_we_render(rules: list[Rule], smarthost: str) -> None:
    settings = Settings(smarthost=smarthost)
    texts = {target: fragment(target, RuleSet(rules), settings) for target in ("rcpthosts", "smtproutes")}
    texts["smtpd_check_rules"] = fragment("smtpd_check_rules", RuleSet(rules), settings) + "noto:ALL:ALL:ALL\n"
    assert look(texts, *rules) == []


@pytest.mark.parametrize(("route", "found"), [("", []), ("192.0.2.1", [(Severity.WARNING, "no-routes")])])
def test_where_smtproutes_is_not_expanded_routes_have_no_effect(route: str, found: list[object]) -> None:
    ours = RuleSet([Rule(Name("a.com"), route=route)])
    findings = lint.findings({RCPTHOSTS: ""}, ours, replace(SERVER, routes=False))
    assert [(finding.severity, finding.id) for finding in findings] == found


def test_a_public_address_that_is_none() -> None:
    settings = Settings(public_addresses=frozenset({"192.0.2.1", "2001:db8::1", "foo", "192.0.2.300"}))
    found = publicaddress.lint(settings)
    assert [(finding.severity.value, finding.id, str(finding.path), str(finding)) for finding in found] == [
        (
            "warning",
            "bad-public-address",
            "/home/e-smith/db/configuration",
            f'"{text}" in PublicAddress is no IP address and has no effect. State it again: mxbackup address ADDRESS',
        )
        for text in ("192.0.2.300", "foo")
    ]


def test_a_missing_rcpthosts_is_an_open_relay(server: Scratch) -> None:
    assert brief(lint.findings(lint.read(server.host), RuleSet(), SERVER)) == [("error", "open-relay", "rcpthosts", ())]


def test_a_server_without_qmail_has_no_rcpthosts(server: Scratch) -> None:
    server.path("/var/qmail/control").rmdir()
    assert lint.findings(lint.read(server.host), RuleSet(), SERVER) == []


def test_a_custom_fragment_that_takes_the_place_of_ours(server: Scratch) -> None:
    server.write("/var/qmail/control/rcpthosts")
    for directory, name in (
        ("/var/qmail/control/rcpthosts", "20mxbackup"),
        ("/var/service/qpsmtpd/config/peers/0", "36mxbackup"),
    ):
        server.write(f"{TEMPLATES}{directory}/{name}")
        server.write(f"{CUSTOM}{directory}/{name}")
        server.write(f"{CUSTOM}{directory}/21mxbackup")
    found = lint.findings(lint.read(server.host), RuleSet(), SERVER)
    assert [(finding.severity, finding.id, str(finding.path)) for finding in found] == [
        (Severity.ERROR, "shadowed", f"{CUSTOM}/var/qmail/control/rcpthosts/20mxbackup"),
        (Severity.ERROR, "shadowed", f"{CUSTOM}/var/service/qpsmtpd/config/peers/0/36mxbackup"),
    ]
    assert str(found[0]).endswith(f"Remove it: rm {CUSTOM}/var/qmail/control/rcpthosts/20mxbackup")


@pytest.mark.parametrize(
    ("fragment", "source", "text"),
    [
        (QUICK_AND_DIRTY, QUICK_AND_DIRTY, "# Quick and Dirty\ndurantcom.net\na.com\n.a.com\nb.com\n"),
        (SME5_FRAGMENT, "/etc/MXBackupDomains", "durantcom.net\na.com\nb.com\n"),
    ],
)
def test_fragments_of_the_how_to(fragment: str, source: str, text: str, server: Scratch) -> None:
    server.write("/var/qmail/control/rcpthosts")
    server.write(fragment, "{ some Perl }")
    server.write(source, text)

    def found(*rules: Rule) -> list[tuple[str, str]]:
        findings = lint.findings(lint.read(server.host), RuleSet(rules), SERVER)
        assert [str(finding.path) for finding in findings] == [fragment]
        return [(finding.id, str(finding)) for finding in findings]

    a, b = Rule(Name("a.com")), Rule(Name("b.com"))
    assert found(a) == [
        (
            "no-rules-yet",
            f"It holds names that are no rules yet (1, the first is b.com). Take them over: mxbackup import {source}",
        )
    ]
    assert found(a, b) == [
        (
            "needless-fragment",
            "All its names are rules, but with it they stay accepted when the rules are removed. "
            f"Remove it: rm {fragment}",
        )
    ]


def test_a_custom_fragment_without_a_name_has_none_that_is_a_rule(server: Scratch) -> None:
    server.write("/var/qmail/control/rcpthosts")
    server.write(QUICK_AND_DIRTY, "{ die 'no' }\n")
    assert lint.findings(lint.read(server.host), RuleSet([Rule(Name("a.com"))]), SERVER) == []


def test_the_list_of_sme_5_without_its_fragment_is_nobodys_business(server: Scratch) -> None:
    server.write("/var/qmail/control/rcpthosts")
    server.write("/etc/MXBackupDomains", "a.com\n")
    assert lint.findings(lint.read(server.host), RuleSet(), SERVER) == []


def test_status_tells_and_answers_no(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.write("/var/qmail/control/rcpthosts", f"{BEGIN}\n{END}\na.com\r\nb.com\r\n c.com\n")
    server.write("/var/qmail/control/smtproutes", f"{BEGIN}\n{END}\n")
    status, out, _ = mxbackup("status")
    assert (status, out.splitlines()[-3:-1]) == (
        1,
        [
            "warning: /var/qmail/control/rcpthosts, line 3 and 1 more: qmail does not take the line: "
            "it ends in a carriage return, as Windows writes it. Remove it.",
            "warning: /var/qmail/control/rcpthosts, line 5: qmail does not take the line: "
            "it begins with a blank. Remove the blank.",
        ],
    )
    assert json.loads(mxbackup("status", "--json")[1])["findings"][1] == {
        "level": "warning",
        "code": "leading-blank",
        "path": "/var/qmail/control/rcpthosts",
        "lines": [5],
        "message": "qmail does not take the line: it begins with a blank. Remove the blank.",
    }


def no_rules_in_force(server: Scratch) -> None:
    for name in ("rcpthosts", "smtproutes"):
        server.write(f"/var/qmail/control/{name}", f"{BEGIN}\n{END}\n")


def test_status_tells_what_is_wrong_in_the_settings(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.database("configuration", "mxbackup=service|PublicAddress|foo|status|enabled")
    no_rules_in_force(server)
    status, out, _ = mxbackup("status")
    assert (status, out.splitlines()[-2]) == (
        1,
        'warning: /home/e-smith/db/configuration: "foo" in PublicAddress is no IP address and has no effect. '
        "State it again: mxbackup address ADDRESS",
    )


def test_a_note_alone_is_sound(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.database("domains", "friend.test=mxbackup|Kind|domain")
    server.script(EXPAND_TEMPLATE, EXPANSION)
    applying.expand(server.context)
    server.write("/var/qmail/control/virtualdomains", "jo@friend.test:jo\n")
    status, out, _ = mxbackup("status")
    assert (status, out.splitlines()[-2]) == (
        0,
        "note: /var/qmail/control/virtualdomains, line 1: Mail for jo@friend.test is delivered here and not passed on, "
        "though there is a rule for friend.test.",
    )


VIRTUAL = """\
.friend.test:alias
www.friend.test:alias
jo@friend.test:jo
exception.friend.test:
.host.test:alias
other.test:alias
broken.friend.test
"""


def qmail(texts: Mapping[str, str], *ours: Rule) -> list[tuple[str, str, str, tuple[int, ...]]]:
    files: dict[Path, str | None] = {RCPTHOSTS: "", **{CONTROL / name: text for name, text in texts.items()}}
    return brief(lint.findings(files, RuleSet(ours), SERVER))


FRIEND, HOST = rules.make("friend.test"), rules.make("host.test", kind="host")


def test_percenthack_on_a_name_that_is_accepted_is_an_open_relay() -> None:
    text = "# ours\nFriend.test\nwww.friend.test \nother.test\nwww.host.test\n%\n"
    assert qmail({"percenthack": text}, FRIEND, HOST) == [
        ("error", "percenthack", "percenthack", (2,)),
        ("error", "percenthack", "percenthack", (3,)),
    ]


def test_what_virtualdomains_keeps_of_a_rule_is_told() -> None:
    assert qmail({"virtualdomains": VIRTUAL}, FRIEND, HOST) == [
        ("warning", "kept-here", "virtualdomains", (1,)),
        ("warning", "kept-here", "virtualdomains", (2,)),
        ("note", "address-kept-here", "virtualdomains", (3,)),
    ]


def test_a_local_domain_below_a_rule_is_meant() -> None:
    files: dict[Path, str | None] = {RCPTHOSTS: "", CONTROL / "virtualdomains": "www.friend.test:alias-www\n"}
    local = replace(SERVER, local_domains=frozenset({"www.friend.test"}))
    assert brief(lint.findings(files, RuleSet([FRIEND]), local)) == []
