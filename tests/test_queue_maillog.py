# SPDX-License-Identifier: GPL-2.0-or-later
"""What Postfix gave up is told by its log: recorded lines, and whatever strangers put there."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.hosts import kind_of
from mxbackup.queue import Failure
from mxbackup.queue.postfix import maillog
from tests.postfixhost import plain_postfix

RECORDED = """\
Nov 24 16:23:18 us postfix/smtp[2022]: 81B4A185D: to=<late@durand.org>, relay=none, delay=0.04, delays=0.02/0.02/0/0, \
dsn=4.4.1, status=deferred (connect to 192.0.2.26[192.0.2.26]:26: Connection refused)
Nov 24 16:23:20 us postfix/qmgr[2016]: 81B4A185D: from=<a@b.test>, status=expired, returned to sender
Nov 24 16:23:20 us postfix/smtp[2028]: 929901861: to=<a@b.test>, orig_to=<a>, relay=none, delay=0.02, \
delays=0/0.02/0/0, dsn=4.4.3, status=deferred (Host not found, try again)
Nov 24 16:23:47 us postfix/cleanup[2095]: 84B4E1868: message-id=<20261124162347.84B4E1868@us.test>
Nov 24 16:23:47 us postfix/smtp[2099]: 84B4E1868: to=<jean@DupontNet.com>, relay=none, delay=0.03, \
delays=0.02/0.01/0/0, dsn=5.4.6, status=bounced (mail for 192.0.2.25 loops back to myself)
Nov 24 16:23:48 us postfix/smtp[250]: 8D31A4A: to=<n1@dupontnet.com>, relay=192.0.2.25[192.0.2.25]:25, delay=2.2, \
delays=2.2/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 status=bounced)
"""
NOW = time.mktime((2026, 11, 24, 16, 30, 0, 0, 0, -1))
GIVEN_UP = [
    Failure(int(NOW) - 400, "81B4A185D", "durand.org", expired=True),
    Failure(int(NOW) - 373, "84B4E1868", "dupontnet.com"),
]


def test_the_recorded_lines() -> None:
    assert maillog.parse(RECORDED.splitlines(), NOW) == GIVEN_UP


def test_the_same_with_stamps_of_a_newer_rsyslog() -> None:
    lines = [
        line.replace("Nov 24 ", "2026-11-24T").replace(" us ", ".123456+00:00 us ", 1) for line in RECORDED.splitlines()
    ]
    assert maillog.parse(lines, NOW) == GIVEN_UP


def test_a_stamp_without_a_year_is_of_the_last_one_where_it_would_be_to_come() -> None:
    new_year = time.mktime((2027, 1, 2, 0, 0, 0, 0, 0, -1))
    assert maillog.parse(RECORDED.splitlines(), new_year) == GIVEN_UP


@pytest.mark.parametrize("stamp", ["Feb 29 16:23:20", "Nov 99 99:99:99", "2026-99-99T16:23:20", "0001-01-01T00:00:00"])
def test_a_stamp_that_is_none_ends_nothing(stamp: str) -> None:
    lines = [f"{stamp}{line[15:]}" for line in RECORDED.splitlines()]
    assert [failure.name for failure in maillog.parse(lines, NOW)] == ["durand.org", "dupontnet.com"]
    assert all(failure.when <= 0 for failure in maillog.parse(lines, NOW))


def test_who_has_it_is_not_among_those_it_expired_for() -> None:
    sent = RECORDED.splitlines()[0].replace("deferred (connect", "sent (connect")
    lines = [RECORDED.splitlines()[0], sent, RECORDED.splitlines()[1]]
    assert maillog.parse(lines, NOW) == []


@pytest.mark.parametrize("address", ['"a@dupontnet.com>, status=bounced "@x.org', '"a b"@dupontnet.com'])
def test_no_address_can_say_what_became_of_it(address: str) -> None:
    line = f"Nov 24 16:23:48 us postfix/smtp[1]: 8D31A4A: to=<{address}>, relay=none, dsn=2.0.0, status=sent (ok)"
    assert maillog.parse([line], NOW) == []


@given(st.lists(st.text(max_size=80) | st.sampled_from(RECORDED.splitlines()), max_size=8))
def test_whatever_a_log_holds_is_read(lines: list[str]) -> None:
    assert all(failure.name for failure in maillog.parse(lines, NOW))


@pytest.mark.parametrize("configured", ["", "/var/log/own"])
def test_the_log_that_main_cf_names_counts(tmp_path: Path, configured: str) -> None:
    server = plain_postfix(tmp_path, f"compatibility_level = 3.6\nmaillog_file = {configured}\n")
    assert kind_of(server.host).queue.read(past=True).failures == []
    server.write(configured or "/var/log/mail.log", RECORDED)
    found = kind_of(server.host).queue.read(past=True).failures
    assert [(failure.message, failure.name) for failure in found] == [
        ("81B4A185D", "durand.org"), ("84B4E1868", "dupontnet.com")
    ]  # fmt: skip
