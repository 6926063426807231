# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of the qpsmtpd plugin, whole."""

from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import BAD_LIFE, GOOD_LIFE, NOTHING, NOWHERE, Answer, Known, Primary, table
from mxbackup.rules import RuleSet
from tests.fragments import fragment

LEARN = rules.make("dupontnet.com", recipients="learn", unknown="defer")
ROUTED = rules.make("dupontnet.com", recipients="learn", route="mail.dupontnet.com:26")
LIST = rules.make("martin.fr", recipients="list")


def test_every_recipient_is_accepted_unless_a_rule_says_otherwise() -> None:
    assert table(RuleSet([rules.make("dupontnet.com"), rules.make("a.martin.fr", kind="host")]), NOTHING) == [
        (".dupontnet.com", "any"),
        ("a.martin.fr", "any"),
        ("dupontnet.com", "any"),
    ]


def test_a_list_counts_only_when_it_is_whole() -> None:
    assert table(RuleSet([LIST]), NOTHING) == [(".martin.fr", "defer"), ("martin.fr", "defer")]
    assert table(RuleSet([LIST]), Known(lists={"martin.fr": ["paul@martin.fr", "a@b.martin.fr"]})) == [
        (".martin.fr", "list"),
        ("<a@b.martin.fr>", "good"),
        ("<paul@martin.fr>", "good"),
        ("martin.fr", "list"),
    ]


def test_hosts_below_a_name_may_have_other_primaries_unless_there_is_a_route() -> None:
    found = Known(primaries={"dupontnet.com": Primary("192.0.2.25:25")})
    assert table(RuleSet([LEARN]), found) == [
        (".dupontnet.com", "learn - defer"),
        ("dupontnet.com", "learn 192.0.2.25:25 defer"),
    ]
    found = Known(primaries={"dupontnet.com mail.dupontnet.com:26": Primary("192.0.2.25:26")})
    assert table(RuleSet([ROUTED]), found) == [
        (".dupontnet.com", "learn 192.0.2.25:26 accept"),
        ("dupontnet.com", "learn 192.0.2.25:26 accept"),
    ]


def test_the_primary_of_another_route_is_not_asked() -> None:
    found = Known(primaries={"dupontnet.com": Primary("192.0.2.25:25")})
    assert table(RuleSet([ROUTED]), found) == [
        (".dupontnet.com", "learn - accept"),
        ("dupontnet.com", "learn - accept"),
    ]


def test_a_primary_that_accepts_all_makes_the_rule_one_that_does() -> None:
    found = Known(primaries={"dupontnet.com": Primary("192.0.2.25:25", accepts_all=True)})
    assert table(RuleSet([LEARN]), found) == [(".dupontnet.com", "learn - defer"), ("dupontnet.com", "any")]


def test_answers_carry_the_time_until_which_they_count_and_belong_to_rules_that_learn() -> None:
    answers = [
        Answer("jean@dupontnet.com", True, 1000),
        Answer("x@a.dupontnet.com", False, 2000),
        Answer("paul@martin.fr", True, 1000),
        Answer("y@nowhere.org", True, 1000),
    ]
    found = Known(primaries={"dupontnet.com": NOWHERE, "martin.fr": NOWHERE}, answers=answers)
    assert table(RuleSet([LEARN, LIST]), found) == [
        (".dupontnet.com", "learn - defer"),
        (".martin.fr", "defer"),
        ("<jean@dupontnet.com>", f"good {1000 + GOOD_LIFE}"),
        ("<x@a.dupontnet.com>", f"bad {2000 + BAD_LIFE}"),
        ("dupontnet.com", "learn - defer"),
        ("martin.fr", "defer"),
    ]


def test_answers_of_the_primary_of_another_route_are_none() -> None:
    found = Known(primaries={"dupontnet.com": NOWHERE}, answers=[Answer("jean@dupontnet.com", True, 1000)])
    assert table(RuleSet([ROUTED]), found) == [
        (".dupontnet.com", "learn - accept"),
        ("dupontnet.com", "learn - accept"),
    ]


def test_a_list_says_nothing_of_the_names_of_nearer_rules() -> None:
    below = [rules.make(f"{name}.martin.fr", kind="host", recipients=name) for name in ("list", "learn")]
    listed = ("paul@martin.fr", "x@list.martin.fr", "x@learn.martin.fr", "x@www.martin.fr")
    found = Known(lists={"martin.fr": listed, "list.martin.fr": ["y@list.martin.fr"]})
    assert table(RuleSet([LIST, *below]), found) == [
        (".martin.fr", "list"),
        ("<paul@martin.fr>", "good"),
        ("<x@www.martin.fr>", "good"),
        ("<y@list.martin.fr>", "good"),
        ("learn.martin.fr", "learn - accept"),
        ("list.martin.fr", "list"),
        ("martin.fr", "list"),
    ]


NAMES = st.lists(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?\.(example|martin|x-1)\.org", fullmatch=True), unique=True
)


@given(NAMES, st.sampled_from(["any", "list", "learn"]))
def test_the_whole_file_is_in_the_order_of_bytes(found: list[str], recipients: str) -> None:
    chosen = [rules.make(name, recipients=recipients) for name in found]
    lists: dict[str, list[str]] = {rule.name: [f"~z@{rule.name}", f"!a@{rule.name}"] for rule in chosen}
    lines = fragment("qpsmtpd", RuleSet(chosen), Settings(), Known(lists=lists)).encode().splitlines()
    assert lines == sorted(lines)
    assert lines[-1] == b"~ END mxbackup"
    assert fragment("qpsmtpd", RuleSet(chosen), Settings(enabled=False)).count("\n") == 2
