# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail of rules that hold longer outlives qmail's lifetime, and no other does, and none for ever."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import QueueError
from mxbackup.queue import Channel, Recipient
from mxbackup.queue.holding import expiry, hold_of, margin
from mxbackup.queue.qmail import as_seen
from mxbackup.queue.qmail.births import Renewal, renew, renewals
from mxbackup.queue.qmail.lifetime import DEFAULT, read_lifetime
from mxbackup.queue.qmail.messages import QmailMessage, Sender
from mxbackup.queue.qmail.reading import read
from mxbackup.queue.qmail.sendlog import SendLog
from tests.heldmail import empty_queue, hold

DAY, WEEK = 86_400, 604_800
HOLDS = {"long.example.com": 30 * DAY, "longer.example.com": 60 * DAY, "short.example.com": 2 * DAY}
BIRTH = 1_000_000_000


def message(
    *names: str, birth: int | None = BIRTH, arrival: int = BIRTH, done: str = "", local: str = ""
) -> QmailMessage:
    recipients = [Recipient(f"a@{name}", name, Channel.REMOTE, name == done) for name in names]
    if local:
        recipients.append(Recipient(f"a@{local}", local, Channel.LOCAL))
    return QmailMessage(7, "7", Sender.ORDINARY, birth, arrival, 100, tuple(recipients))


def new_births(*messages: QmailMessage, now: int, lifetime: int = WEEK) -> list[int]:
    return [renewal.birth for renewal in renewals(messages, HOLDS.get, lifetime, now)]


def expiry_of(message: QmailMessage) -> int:
    [seen] = as_seen([message], SendLog(), WEEK, BIRTH)
    return expiry(seen, HOLDS.get)


# Which messages


def test_a_message_is_renewed_a_day_before_it_would_expire() -> None:
    held = message("long.example.com")
    assert new_births(held, now=BIRTH + 6 * DAY - 1) == []
    assert new_births(held, now=BIRTH + 6 * DAY) == [BIRTH + 6 * DAY]


def test_one_that_is_late_is_renewed_all_the_same() -> None:
    """Nothing bounces before its next try."""
    assert new_births(message("long.example.com"), now=BIRTH + 8 * DAY) == [BIRTH + 8 * DAY]


@pytest.mark.parametrize(
    "held",
    [
        message("long.example.com", "hotmail.com"),
        message("long.example.com", "short.example.com"),
        message("long.example.com", local="durantcom.net"),
        message("hotmail.com"),
        message(),
        message("long.example.com", done="long.example.com"),
        message("long.example.com", birth=None),
    ],
    ids=["another's too", "of a shorter rule too", "local too", "another's", "nobody's", "delivered", "in todo"],
)
def test_what_is_not_renewed(held: QmailMessage) -> None:
    assert new_births(held, now=BIRTH + 6 * DAY) == []


def test_who_has_it_already_does_not_count() -> None:
    held = message("long.example.com", "hotmail.com", done="hotmail.com")
    assert new_births(held, now=BIRTH + 6 * DAY) == [BIRTH + 6 * DAY]


def test_the_rule_that_holds_shortest_counts() -> None:
    assert hold_of(message("long.example.com", "longer.example.com").recipients, HOLDS.get) == 30 * DAY


def test_one_that_is_being_tried_waits() -> None:
    held = message("long.example.com")
    assert renewals([held], HOLDS.get, WEEK, BIRTH + 6 * DAY, running={7}) == []


def test_nothing_is_renewed_beyond_its_time() -> None:
    born = BIRTH + 29 * DAY - WEEK
    held = message("long.example.com", birth=born)
    assert new_births(held, now=BIRTH + 29 * DAY) == [BIRTH + 30 * DAY - WEEK]
    held = message("long.example.com", birth=BIRTH + 30 * DAY - WEEK)
    assert new_births(held, now=BIRTH + 30 * DAY - 1) == []
    assert new_births(held, now=BIRTH + 31 * DAY) == []


def test_when_it_would_bounce() -> None:
    assert expiry_of(message("long.example.com")) == BIRTH + 30 * DAY
    assert expiry_of(message("short.example.com")) == BIRTH + WEEK
    assert expiry_of(message("hotmail.com")) == BIRTH + WEEK
    assert expiry_of(message("long.example.com", birth=None)) == BIRTH + 30 * DAY


@given(
    hold_days=st.integers(1, 90),
    lifetime=st.integers(600, 2 * WEEK),
    pause=st.integers(60, 6 * 3600),
    outage=st.integers(0, 120 * DAY),
)
def test_through_an_outage_of_any_length(hold_days: int, lifetime: int, pause: int, outage: int) -> None:
    """Looked at now and then, it lives to the end of its time, or of qmail's if that is longer, and not beyond.

    The looks are at most a quarter of the lifetime apart.
    """
    pause = min(pause, lifetime // 4)
    held, now = message("long.example.com"), BIRTH
    promised = BIRTH + max(hold_days * DAY, lifetime)
    holds = {"long.example.com": hold_days * DAY}
    born = BIRTH
    for _ in range(2000):
        now += pause
        if now > min(promised, BIRTH + outage):
            break
        assert born + lifetime >= now, "it may have bounced since the last look"
        found = renewals([message("long.example.com", birth=born)], holds.get, lifetime, now)
        for renewal in found:
            assert born < renewal.birth <= now
            born = renewal.birth
        assert born + lifetime <= promised
    assert held.arrival == BIRTH


@given(lifetime=st.integers(0, 10 * WEEK))
def test_the_margin_is_well_before_the_end(lifetime: int) -> None:
    assert margin(lifetime) <= lifetime / 2


# In the queue


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return empty_queue(tmp_path / "queue")


def test_only_the_birth_changes(queue: Path) -> None:
    info = hold(queue, 30, ["Ta@long.example.com"], birth=BIRTH, due=BIRTH + 7000)
    before = info.stat()
    [held] = read(queue)
    wanted = [Renewal(held, BIRTH + 6 * DAY)]
    assert renew(queue, wanted) == wanted
    [after] = read(queue)
    assert after == QmailMessage(
        30, "7", Sender.ORDINARY, BIRTH + 6 * DAY, BIRTH, 100, held.recipients, ((Channel.REMOTE, BIRTH + 7000),)
    )
    assert (info.stat().st_ino, info.read_bytes()) == (before.st_ino, b"Fsender@out.example.org\0")


def test_what_vanished_or_changed_meanwhile_is_left(queue: Path) -> None:
    gone, changed = hold(queue, 30, ["Ta@x.com"], birth=BIRTH), hold(queue, 31, ["Ta@x.com"], birth=BIRTH)
    seen = read(queue)
    gone.unlink()
    os.utime(changed, (BIRTH + 5, BIRTH + 5))
    assert renew(queue, [Renewal(held, BIRTH + DAY) for held in seen]) == []
    assert changed.stat().st_mtime == BIRTH + 5


def test_no_link_leads_to_another_file(queue: Path, tmp_path: Path) -> None:
    info = hold(queue, 30, ["Ta@x.com"], birth=BIRTH)
    seen = read(queue)
    victim = tmp_path / "victim"
    info.rename(victim)
    os.link(victim, info)
    assert renew(queue, [Renewal(held, BIRTH + DAY) for held in seen]) == []
    info.unlink()
    info.symlink_to(victim)
    with pytest.raises(QueueError, match="Too many levels of symbolic links"):
        renew(queue, [Renewal(held, BIRTH + DAY) for held in seen])
    info.unlink()
    victim.rename(tmp_path / "30")
    (queue / "info/7").rmdir()
    (queue / "info/7").symlink_to(tmp_path)
    with pytest.raises(QueueError):
        renew(queue, [Renewal(held, BIRTH + DAY) for held in seen])
    assert (tmp_path / "30").stat().st_mtime == BIRTH


# queuelifetime


@pytest.mark.parametrize(
    ("contents", "seconds"),
    [("1209600\n", 1_209_600), ("3600", 3600), ("", DEFAULT), ("\n5\n", DEFAULT), ("week\n", DEFAULT), ("60s\n", 60)],
)
def test_the_lifetime_is_read_as_qmail_does(tmp_path: Path, contents: str, seconds: int) -> None:
    path = tmp_path / "queuelifetime"
    path.write_text(contents)
    assert read_lifetime(path) == seconds


def test_without_a_file_it_is_a_week(tmp_path: Path) -> None:
    assert read_lifetime(tmp_path / "queuelifetime") == WEEK


def test_a_lifetime_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="cannot be read: Is a directory"):
        read_lifetime(tmp_path)
