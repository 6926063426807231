# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules out of the files of mail programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.esmith.database import Database
from mxbackup.esmith.settings import Settings
from mxbackup.routing.entries import entries
from mxbackup.rules import Rule, RuleSet
from mxbackup.rules.localmail import LocalMail
from mxbackup.transfer import merging
from mxbackup.transfer.entries import Reading, lines_of
from mxbackup.transfer.formats import controlfiles
from tests.fragments import fragment
from tests.strategies import RULE_SETS


def read(text: str) -> Reading:
    return controlfiles.read_qmail(lines_of(text))


def stated(reading: Reading) -> list[tuple[int, str, dict[str, str | None]]]:
    return [(entry.line, entry.name, dict(entry.properties)) for entry in reading.entries]


def reasons(reading: Reading) -> list[tuple[int, str, str]]:
    return [(remark.line, remark.text, str(remark.reason)) for remark in reading.problems]


def test_a_pair_is_a_domain_and_a_name_alone_a_host() -> None:
    reading = read("b.com\nA.com\n.a.com\n.c.com\nc.com\n")
    assert stated(reading) == [
        (1, "b.com", {"Kind": "host"}),
        (2, "a.com", {"Kind": "domain"}),
        (5, "c.com", {"Kind": "domain"}),
    ]


def test_comments_blanks_and_carriage_returns_do_not_count() -> None:
    assert stated(read("# a remark\n\n  a.com  # mine\r\n.a.com\t# mine\r\n")) == [(3, "a.com", {"Kind": "domain"})]


def test_of_equal_routes_the_last_counts() -> None:
    reading = read("a.com:one.example.com\nA.com:two.example.com:26\n")
    assert stated(reading) == [(2, "a.com", {"Route": "two.example.com:26"})]
    assert [entry.only_existing for entry in reading.entries] == [True]


def test_an_empty_route_is_none() -> None:
    assert stated(read("a.com:\n.a.com:\n")) == [(1, "a.com", {"Route": None})]


@pytest.mark.parametrize("text", ["a.com:x.org\n.a.com:y.org\n", "a.com:x.org\n.a.com:\n", ".a.com:y.org\n"])
def test_a_route_of_its_own_for_what_lies_below_is_refused(text: str) -> None:
    assert [reason[2].partition(",")[0] for reason in reasons(read(text))] == [
        "The routes of a.com and of what lies below it differ"
    ]


def test_routes_of_names_that_no_rule_can_have_are_left_out() -> None:
    reading = read("lan:10.0.0.1\n:smtp.provider.net\n")
    assert [(note.line, note.text) for note in reading.notes] == [(1, "lan:10.0.0.1"), (2, ":smtp.provider.net")]
    assert (reading.entries, reading.problems) == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        "allow:ALL:ALL:ALL",
        "allow:ALL:ALL",
        "allow:192.168.1.0/24:ALL:*@a.com",
        "allow:ALL:*@b.com:*@a.com",
        "allow:ALL:ALL:jean@a.com",
        "allow:ALL:ALL:*@a.com ALL",
        "allow:ALL:ALL:*@*.a.com",
        "deny:ALL:ALL:*@a.com",
        "noto:ALL:ALL:ALL",
    ],
)
def test_check_rules_of_another_purpose_are_left_out(line: str) -> None:
    reading = controlfiles.read_check_rules([(1, line)])
    assert (reading.entries, reading.problems, len(reading.notes)) == ([], [], 1)


def test_a_check_rule_for_what_lies_below_alone_is_explained() -> None:
    (reason,) = reasons(controlfiles.read_check_rules([(3, "allow:ALL:ALL:*.a.com")]))
    assert reason[:2] == (3, ".a.com")


@given(RULE_SETS, st.sampled_from(["", "smtp.provider.net"]))
def test_what_is_rendered_for_qmail_comes_back(rules: list[Rule], smarthost: str) -> None:
    settings = Settings(smarthost=smarthost)
    text = "".join(fragment(target, RuleSet(rules), settings) for target in ("rcpthosts", "smtproutes"))
    made = merging.merge(Database(), LocalMail(), read(text).entries)
    assert (made.notes, made.problems) == ([], [])
    # Below a domain rule that goes around the smart host, one that uses it has its relay as a route of its own.
    relays = {rule.name: relay for rule, relay in entries(RuleSet(rules), settings)}
    assert {(rule.name, rule.kind, rule.route) for rule in made.added} == {
        (rule.name, rule.kind, rule.route or relays.get(rule.name, "")) for rule in rules
    }


@given(RULE_SETS)
def test_what_is_rendered_for_smtpd_comes_back(rules: list[Rule]) -> None:
    reading = controlfiles.read_check_rules(lines_of(fragment("smtpd_check_rules", RuleSet(rules), Settings())))
    assert (reading.notes, reading.problems) == ([], [])
    assert {(entry.name, entry.properties["Kind"]) for entry in reading.entries} == {
        (rule.name, rule.kind) for rule in rules
    }
