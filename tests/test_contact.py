# SPDX-License-Identifier: GPL-2.0-or-later
"""The address of who owns the name of a rule."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import InvalidRule
from mxbackup.rules import contact


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        ("", ""),
        (" \t", ""),
        (" Jean.Dupont+mx@Martin.ORG. ", "Jean.Dupont+mx@martin.org"),
        ("jean@été.example.fr", "jean@xn--t-9fab.example.fr"),
        (f"{'a' * 64}@martin.org", f"{'a' * 64}@martin.org"),
        ("-f@martin.org", "-f@martin.org"),
    ],
)
def test_an_address_is_recorded_as_mail_programs_take_it(typed: str, recorded: str) -> None:
    assert contact.parse(typed) == recorded
    assert contact.parse(recorded) == recorded


NONE = ["jean", "@martin.org", "jean@@martin.org", "a b@martin.org", ".a@martin.org", "a..b@martin.org"]
NEVER = [
    '"a b"@martin.org',
    "a|b@martin.org",
    "<jean@martin.org>",
    "é@martin.org",
    f"{'a' * 65}@martin.org",
    "a\n@b.fr",
]


@pytest.mark.parametrize("text", [*NONE, *NEVER])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        contact.parse(text)
    said = f'"{text}" is no e-mail address. Give one such as jean@example.org.'
    assert (refused.value.field, str(refused.value)) == ("Contact", said)


@pytest.mark.parametrize("text", ["jean@martin", "jean@192.0.2.1", "jean@[192.0.2.1]", "jean@-a.org", "jean@"])
def test_a_domain_that_is_none_is_told(text: str) -> None:
    with pytest.raises(InvalidRule, match=re.escape(f'In the address "{text}": ')):
        contact.parse(text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_an_address_or_refused(local: str, domain: str) -> None:
    try:
        found = contact.parse(f"{local}@{domain}")
    except InvalidRule:
        return
    assert re.fullmatch(r"[!-{}~]{1,64}@[a-z0-9.-]{3,253}", found)
    assert contact.parse(found) == found


@pytest.mark.parametrize(
    ("kind", "address", "inside"),
    [
        ("domain", "jean@dupontnet.com", True),
        ("domain", "jean@mail.DupontNet.com", True),
        ("domain", "jean@notdupontnet.com", False),
        ("host", "jean@dupontnet.com", True),
        ("host", "jean@mail.dupontnet.com", False),
    ],
)
def test_an_address_that_the_rule_covers_is_refused(kind: str, address: str, inside: bool) -> None:
    if not inside:
        assert rules.make("dupontnet.com", kind=kind, contact=address).contact == address
        return
    with pytest.raises(InvalidRule) as refused:
        rules.make("dupontnet.com", kind=kind, contact=address)
    assert str(refused.value) == (
        f'Mail for "{contact.parse(address)}" waits here too while the primary of dupontnet.com is down. '
        "Give an address somewhere else."
    )


@pytest.mark.parametrize(("typed", "days"), [("", None), (" ", None), ("1", 1), (" 030 ", 30)])
def test_days_to_keep_mail(typed: str, days: int | None) -> None:
    assert rules.make("dupontnet.com", hold=typed).hold == days


@pytest.mark.parametrize("typed", ["0", "31", "-1", "1.5", "1e1", "٣", "9999", "week"])
def test_days_that_are_none_are_refused(typed: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.make("dupontnet.com", hold=typed)
    assert str(refused.value) == (
        f'Mail cannot be kept for "{typed}" days. Give a whole number from 1 to 30, or nothing for as long as this '
        "server keeps all mail."
    )
