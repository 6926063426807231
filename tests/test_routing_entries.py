# SPDX-License-Identifier: GPL-2.0-or-later
"""Which way a rule's mail goes, and what smtproutes says for that."""

import pytest

from mxbackup import rules
from mxbackup.esmith.settings import Settings
from mxbackup.routing.entries import Way, actual_way, meant_way, table
from mxbackup.rules import RuleSet

PLAIN = Settings()
SMART = Settings(smarthost="smtp.provider.net")


@pytest.mark.parametrize(
    ("route", "smarthost", "settings", "expected"),
    [
        ("mail.a.com", "use", SMART, Way.ROUTE),
        ("mail.a.com", "use", PLAIN, Way.ROUTE),
        ("", "use", SMART, Way.SMARTHOST),
        ("", "bypass", SMART, Way.BYPASS),
        ("", "use", PLAIN, Way.MX),
        ("", "bypass", PLAIN, Way.MX),
    ],
)
def test_the_way_that_a_rule_asks_for(route: str, smarthost: str, settings: Settings, expected: Way) -> None:
    assert meant_way(rules.make("a.com", route=route, smarthost=smarthost), settings) == expected


@pytest.mark.parametrize(("smarthost", "expected"), [("", Way.MX), ("smtp.provider.net", Way.SMARTHOST)])
def test_where_routes_do_not_count_all_mail_goes_one_way(smarthost: str, expected: Way) -> None:
    settings = Settings(smarthost=smarthost, routes=False)
    assert actual_way(rules.make("a.com", route="mail.a.com"), settings) == expected


def test_the_entries_by_key() -> None:
    held = RuleSet(
        [
            rules.make("a.com", route="mail.a.com"),
            rules.make("www.a.com"),
            rules.make("x.a.com", kind="host", smarthost="use"),
            rules.make("b.com", kind="host"),
            rules.make("c.com", smarthost="use"),
        ]
    )
    assert table(held, SMART) == {
        "a.com": "mail.a.com",
        ".a.com": "mail.a.com",
        "www.a.com": "",
        ".www.a.com": "",
        "x.a.com": "smtp.provider.net",
        "b.com": "",
    }
    assert table(held, PLAIN) == {
        "a.com": "mail.a.com",
        ".a.com": "mail.a.com",
        "www.a.com": "",
        ".www.a.com": "",
        "x.a.com": "",
    }
    assert table(held, Settings(enabled=False, smarthost="smtp.provider.net")) == {}
