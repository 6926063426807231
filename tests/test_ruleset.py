# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of a server's rules decides about a name."""

import pytest
from hypothesis import given

from mxbackup import rules
from mxbackup.rules import Kind, Rule, RuleSet, names
from mxbackup.rules.names import Name
from tests.strategies import NAMES, RULE_SETS

FAR, NEAR = rules.make("com.example"), rules.make("dupont.com.example")
HOST = rules.make("www.dupont.com.example", kind="host")
OTHER = rules.make("other.example")
ALL = RuleSet([HOST, OTHER, NEAR, FAR])


def test_they_stand_in_the_order_of_their_names() -> None:
    assert list(ALL) == [FAR, NEAR, HOST, OTHER]
    assert (len(ALL), ALL.get("com.example"), ALL.get("example")) == (4, FAR, None)
    assert (NEAR in ALL, rules.make("com.example", kind="host") in ALL) == (True, False)


@pytest.mark.parametrize(
    ("name", "nearest", "covering"),
    [
        ("com.example", FAR, None),
        ("x.com.example", FAR, FAR),
        ("dupont.com.example", NEAR, FAR),
        ("www.dupont.com.example", HOST, NEAR),
        ("a.www.dupont.com.example", NEAR, NEAR),
        ("xdupont.com.example", FAR, FAR),
        ("xcom.example", None, None),
        ("example", None, None),
    ],
)
def test_the_nearest_rule_decides(name: str, nearest: Rule | None, covering: Rule | None) -> None:
    assert (ALL.nearest(name), ALL.covering(name)) == (nearest, covering)


def test_of_two_with_one_name_the_later_counts() -> None:
    changed = rules.make("com.example", kind="host")
    assert RuleSet([FAR, NEAR, changed]) == RuleSet([changed, NEAR]) == RuleSet([FAR, NEAR]).beside(changed)
    assert RuleSet([FAR]) != [FAR]


@given(RULE_SETS, NAMES)
def test_a_rule_decides_where_some_rule_covers_the_name(found: list[Rule], name: Name) -> None:
    """The definition, slowly: of the rules that cover a name its own, else that with the longest name."""
    covering = [rule for rule in found if rule.covers(name)]
    wanted = max(covering, key=lambda rule: len(rule.name), default=None)
    assert RuleSet(found).nearest(name) == wanted


@given(RULE_SETS)
def test_the_order_is_that_of_the_labels_from_the_right(found: list[Rule]) -> None:
    assert list(RuleSet(found)) == sorted(found, key=lambda rule: names.sort_key(rule.name))
    assert all(rule.kind in Kind for rule in found)
