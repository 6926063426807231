# SPDX-License-Identifier: GPL-2.0-or-later
"""MTA-STS policies: when there is one, what it says, whom it lists. Fetching is in tests/system/test_check.py."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.mtasts import Policy, Unreadable, announced, fetch, parse

TEXT = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


def test_parse() -> None:
    assert parse(TEXT) == Policy("enforce", ("mail.example.com", "*.example.net"))
    assert parse("version:STSv1\nmode:none\nmax_age:1") == Policy("none")
    assert parse("version: STSv1\nmode: testing\nmode: enforce") == Policy("testing")


@pytest.mark.parametrize("text", ["", "mode: enforce", "version: STSv2\nmode: enforce", "version: STSv1\nmode: x"])
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


@given(st.text())
def test_any_text_is_a_policy_or_none(text: str) -> None:
    with suppress(Unreadable):
        assert parse(text).mode in ("enforce", "testing", "none")


@pytest.mark.parametrize(
    ("exchanger", "listed"),
    [("mail.example.com", True), ("a.example.net", True), ("a.b.example.net", False), ("example.net", False)],
)
def test_lists(exchanger: str, listed: bool) -> None:
    assert parse(TEXT).lists(exchanger) is listed


@pytest.mark.parametrize(
    ("records", "there"),
    [
        ((), False),
        (("v=STSv1; id=20160831085700Z;",), True),
        (("v=spf1 -all", "v=STSv1; id=1"), True),
        (("v=STSv1; id=1", "v=STSv1; id=2"), False),
        (("v=STSv10; id=1",), False),
    ],
)
def test_announced(records: tuple[str, ...], there: bool) -> None:
    assert announced(records) is there


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(Unreadable):
        fetch("nowhere.invalid", timeout=1)
