# SPDX-License-Identifier: GPL-2.0-or-later
"""Postfix' queue as its programs tell of it: a recorded listing, and whatever one may hold."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import HostError, QueueError
from mxbackup.esmith import postfix
from mxbackup.hosts import kind_of
from mxbackup.queue import Channel, Held, Message, Recipient, summarise
from mxbackup.queue.postfix import ONE_BY_ONE, listing, renewing, seconds
from mxbackup.queue.postfix.listing import Entry, Place
from mxbackup.queue.postfix.renewing import Term
from tests.heldmail import DATA
from tests.postfixhost import DEFERRED, held, plain_postfix
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]

RECORDED = (DATA / "postfix-queue.jsonl").read_text().splitlines()
ARRIVAL = 1_795_534_020
DUE = {"640831836": 1_795_534_320, "6B4B61837": 1_795_534_320, "CCCD31841": 1_795_534_320}
LIFE = 5 * 86_400
REFUSED = "connect to 192.0.2.25[192.0.2.25]:25: Connection refused"


@pytest.fixture
def server(tmp_path: Path) -> Scratch:
    """A host with the recorded queue, whose own name is us.test."""
    server = plain_postfix(tmp_path, "compatibility_level = 3.6\nmyhostname = us.test\nmydestination = $myhostname\n")
    server.write("/queue", "".join(f"{line}\n" for line in RECORDED))
    for ident, due in DUE.items():
        server.write(f"{DEFERRED}/{ident[0]}/{ident}")
        os.utime(server.path(f"{DEFERRED}/{ident[0]}/{ident}"), (due, due))
    return server


def remote(*addresses: str) -> tuple[Recipient, ...]:
    return tuple(Recipient(to, to.rpartition("@")[2].lower(), Channel.REMOTE) for to in addresses)


def test_the_recorded_queue(server: Scratch) -> None:
    reading = kind_of(server.host).queue.read()
    assert reading.messages == [
        Message(
            "640831836", ARRIVAL, 274, remote("eva@www.dupontnet.com", "jean@DupontNet.com"),
            DUE["640831836"], ARRIVAL + LIFE,
        ),
        Message("6B4B61837", ARRIVAL, 296, remote("jean@dupontnet.com"), DUE["6B4B61837"], ARRIVAL + LIFE),
        Message(
            "71F4B1839", ARRIVAL, 265,
            remote("jean+news@durand.org", '"a \\"b, <c>"@dupontnet.com', "x%y@dupontnet.com", "ivan@test"),
            None, ARRIVAL + LIFE, frozen=True,
        ),
        Message(
            "CCCD31841", ARRIVAL, 238, (Recipient("root@us.test", "us.test", Channel.LOCAL),),
            DUE["CCCD31841"], ARRIVAL + LIFE,
        ),
    ]  # fmt: skip
    assert reading.lifetime == LIFE
    assert reading.reason(["jean@DupontNet.com"]) == REFUSED
    assert reading.reason(["nobody@dupontnet.com"]) == ""


def test_the_recorded_queue_by_rule(server: Scratch) -> None:
    reading = kind_of(server.host).queue.read()
    summary = summarise(
        reading.messages,
        lambda name: "dupontnet.com" if name.endswith("dupontnet.com") else None,
        lambda name: 14 * 86_400 if name.endswith("dupontnet.com") else None,
        reading.reason,
    )
    nowhere = "Host or domain name not found. Name service error for name={} type=MX: Host not found, try again"
    assert summary.rules == (
        Held(
            "dupontnet.com", 3, 5, 274 + 296 + 265, ARRIVAL, DUE["640831836"], ARRIVAL + LIFE,
            nowhere.format("www.dupontnet.com"), frozen=1,
        ),
    )  # fmt: skip
    assert [(held.name, held.reason) for held in summary.without_rule] == [
        ("durand.org", REFUSED.replace("25[192.0.2.25]:25", "26[192.0.2.26]:26")),
        ("test", nowhere.format("test")),
    ]


def test_who_is_waited_for(server: Scratch) -> None:
    assert kind_of(server.host).queue.waiting() == [
        {"dupontnet.com", "www.dupontnet.com"}, {"dupontnet.com"}, {"durand.org", "dupontnet.com", "test"}, set()
    ]  # fmt: skip


def test_bounces_live_shorter(server: Scratch) -> None:
    server.write("/etc/postfix/main.cf", "maximal_queue_lifetime = 240h\nbounce_queue_lifetime = 1\n")
    reading = kind_of(server.host).queue.read()
    assert [message.end - ARRIVAL for message in reading.messages] == [240 * 3600, 86_400, 240 * 3600, 240 * 3600]
    assert reading.lifetime == 240 * 3600


@pytest.mark.parametrize(
    ("value", "found"), [("5d", LIFE), ("5", LIFE), ("90s", 90), ("2m", 120), ("1h", 3600), ("1w", 604_800), ("0", 0)]
)
def test_times_of_main_cf(value: str, found: int) -> None:
    assert seconds(value) == found


def test_a_message_that_moves_while_it_is_listed_counts_once_where_it_came_to() -> None:
    lines = [line.replace('"deferred"', '"incoming"') for line in RECORDED[:1]]
    [entry] = listing.parse([RECORDED[0], *lines])
    assert entry.place == Place.INCOMING


# Whatever there may be

_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
_TOLD = st.fixed_dictionaries(
    {
        "queue_name": st.sampled_from(Place),
        "queue_id": st.from_regex(r"[0-9A-Z]{6,20}", fullmatch=True),
        "arrival_time": st.integers(0, 2**33),
        "message_size": st.integers(0, 2**40),
        "sender": st.one_of(st.just("MAILER-DAEMON"), _TEXT),
        "recipients": st.lists(
            st.fixed_dictionaries({"address": _TEXT}, optional={"delay_reason": _TEXT}), min_size=1, max_size=5
        ),
    }
)


@given(st.lists(_TOLD, unique_by=lambda told: told["queue_id"], max_size=5))
def test_whatever_is_told_is_read(told: list[dict[str, Any]]) -> None:
    found = listing.parse(json.dumps(message, ensure_ascii=False) for message in told)
    assert sorted(found, key=lambda entry: entry.ident) == [
        Entry(
            message["queue_id"], message["queue_name"], message["arrival_time"], message["message_size"],
            message["sender"] == "MAILER-DAEMON", tuple(to["address"] for to in message["recipients"]),
            tuple(
                (to["address"], reason)
                for to in message["recipients"]
                if (reason := listing.clean(to.get("delay_reason", "")))
            ),
        )
        for message in sorted(told, key=lambda message: str(message["queue_id"]))
    ]  # fmt: skip


@given(_TEXT)
def test_no_reason_can_break_a_terminal_or_a_line(text: str) -> None:
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in listing.clean(text * 100))
    assert len(listing.clean(text * 100)) <= listing.TEXT


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*json.loads(RECORDED[0])]), inner),
)


@given(_JSON)
def test_anything_else_is_said_to_be_unreadable(told: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever json or ours says
        listing.parse([json.dumps(told)])


@pytest.mark.parametrize("ident", ["-f", "ALL", "../x", "4X 001", "4X0001\n", ""])
def test_what_is_no_queue_id_reaches_no_program(ident: str) -> None:
    told = {**json.loads(RECORDED[0]), "queue_id": ident}
    with pytest.raises(ValueError, match="no queue ID"):
        listing.parse([json.dumps(told)])


@pytest.mark.parametrize("line", ["{", "[]", '{"queue_id": 5}', "postqueue: warning"])
def test_what_is_no_listing_is_told(server: Scratch, line: str) -> None:
    server.write("/queue", f"{RECORDED[0]}\n{line}\n")
    for look in (kind_of(server.host).queue.read, kind_of(server.host).queue.waiting):
        with pytest.raises(QueueError, match="The queue of Postfix cannot be read: "):
            look()


def test_a_listing_without_end_is_cut_off(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postfix, "LARGEST_QUEUE", 100_000)
    server.script("/usr/sbin/postqueue", "exec yes '{}'")
    with pytest.raises(QueueError, match="more than 100000 bytes"):
        kind_of(server.host).queue.read()


def test_a_queue_whose_files_cannot_be_looked_at_is_told(server: Scratch) -> None:
    server.write("/etc/postfix/main.cf", "queue_directory = /nowhere\n")
    with pytest.raises(QueueError, match=r"The mail queue .*/nowhere/deferred cannot be read: No such file"):
        kind_of(server.host).queue.read()


# Made due


def calls(server: Scratch) -> list[str]:
    path = server.path("/calls")
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def noting(server: Scratch) -> Scratch:
    server.script("/usr/sbin/postqueue", f'shift 2; echo "$*" >> "{server.root}/calls"')
    return server


def messages(count: int) -> list[Message]:
    return [Message(f"A{number:06}", 0, 1, remote("a@b.org"), 0, 0) for number in range(count)]


def test_messages_are_made_due_one_by_one(noting: Scratch) -> None:
    assert kind_of(noting.host).queue.make_due(messages(2), ["192.0.2.25", "2001:db8::25"]) == "postqueue -i"
    assert calls(noting) == ["-i A000000", "-i A000001"]


@pytest.mark.parametrize("count", [0, ONE_BY_ONE + 1])
def test_too_many_or_unknown_ones_all_together(noting: Scratch, count: int) -> None:
    assert kind_of(noting.host).queue.make_due(messages(count), []) == "postqueue -f"
    assert calls(noting) == ["-f"]


def test_a_postfix_that_does_not_run_is_told(server: Scratch) -> None:
    server.script("/usr/sbin/postqueue", "echo mail system is down >&2; exit 69")
    with pytest.raises(HostError, match="postqueue failed: mail system is down"):
        kind_of(server.host).queue.make_due(messages(1), [])
    server.script("/usr/sbin/postfix", "exit 1")
    assert str(kind_of(server.host).queue.stopped()) == "Postfix is not running."
    server.script("/usr/sbin/postfix", "exit 0")
    assert kind_of(server.host).queue.stopped() is None


def test_who_flushes_what_is_on_hold_is_told(noting: Scratch, mxbackup: Run) -> None:
    noting.write("/etc/mxbackup/domains", "dupontnet.com=mxbackup|Kind|domain|Route|127.0.0.1:9\n")
    noting.script(
        "/usr/sbin/postqueue", f'[ "$3" = -j ] && exec cat "{noting.root}/queue"; echo "$3" >> "{noting.root}/calls"'
    )
    noting.write("/queue")
    assert mxbackup("flush") == (0, "No mail is held.\n", "")
    for ident in ("A000001", "A000002"):
        held(noting, ident, "jean@dupontnet.com", queue_name="hold")
    said = (
        "Messages that the administrator has put on hold: 2. They are not tried before they are released: "
        "postsuper -H ALL\n"
    )
    assert mxbackup("flush") == mxbackup("flush", "dupontnet.com") == (0, said, "")
    assert calls(noting) == []
    held(noting, "A000003", "jean@dupontnet.com")
    due = "To be tried now, by postqueue -i: the mail held for dupontnet.com. See: mxbackup queue\n"
    assert mxbackup("flush", "dupontnet.com") == (0, due + said, "")
    assert calls(noting) == ["-i"]


# Kept beyond the lifetime

DAY = 86_400
WORLD = st.fixed_dictionaries(
    {"life": st.integers(600, 10 * DAY), "hold": st.integers(1, 30).map(DAY.__mul__), "pause": st.integers(60, 3600)}
)


@given(WORLD)
def test_a_message_lives_to_the_end_of_its_time_and_hardly_longer(world: dict[str, int]) -> None:
    """As looks a pause apart see it, in an outage that never ends."""
    life, hold, pause = world["life"], world["hold"], min(world["pause"], world["life"] // 4)
    held = max(min(hold, renewing.longest(life)), life)
    term = Term(0, held, life)
    birth, renewed, now = 0, 0, 0
    while now <= birth + life:
        if renewing.due(birth, term, now):
            assert now > birth
            birth, renewed = now, renewed + 1
        now += pause
    assert held <= birth + life <= held + pause
    assert renewed <= renewing.RENEWALS


@given(st.integers(600, 10 * DAY), st.integers(0, 10 * DAY), st.integers(0, 40 * DAY))
def test_one_that_is_held_no_longer_than_all_mail_is_left(life: int, hold: int, now: int) -> None:
    assert not renewing.due(0, Term(0, min(hold, life), life), now)


POSTCAT = (DATA / "postfix-envelopes.txt").read_text()


def test_since_when_recorded_messages_have_their_files() -> None:
    """One of them was requeued at 15:39:21, twelve minutes after it came."""
    assert dict(renewing.births(POSTCAT)) == {"A79DA1848": ARRIVAL + 741, "CCCD31841": ARRIVAL}


@given(_TEXT)
def test_nobody_can_say_when_a_file_was_made_but_postfix(text: str) -> None:
    forged = f"sender: {text}\ncreate_time: Tue Nov 24 15:27:01 2026\n"
    assert dict(renewing.births(f"*** ENVELOPE RECORDS deferred/A/A1 ***\n{forged}")) == {}


@pytest.fixture
def old(tmp_path: Path) -> Scratch:
    """A host with a message that came seven days ago, and its file with it; postsuper notes what it is told."""
    server = plain_postfix(tmp_path)
    arrival = int(time.time()) - 7 * DAY
    held(server, "A000001", "jean@dupontnet.com", arrival=arrival)
    birth(server, A000001=arrival)
    server.script("/usr/sbin/postsuper", f'shift 2; echo "$*" >> {server.root}/calls; echo postsuper: X: requeued >&2')
    return server


def birth(server: Scratch, **births: int) -> None:
    """What postcat says of messages; it dies of one that is not there, as the real one does."""
    said = "".join(
        f'{ident}) echo "*** ENVELOPE RECORDS deferred/{ident[0]}/{ident} ***"\n'
        f'echo "create_time: $(date -ud @{when} "+%a %b %e %T %Y")" ;;\n'
        for ident, when in births.items()
    )
    server.script("/usr/sbin/postcat", f"shift 3; for ident; do case $ident in\n{said}*) exit 1 ;;\nesac; done")


def keep(server: Scratch, **holds: int) -> int:
    """Keep mail of names, with _ for a dot, for so many days."""
    return kind_of(server.host).queue.read().keep(lambda name: holds.get(name.replace(".", "_"), 0) * DAY or None)


def test_a_message_that_would_expire_is_requeued(old: Scratch) -> None:
    assert keep(old, dupontnet_com=14) == 1
    assert calls(old) == ["-r A000001 deferred"]


@pytest.mark.parametrize("holds", [{}, {"dupontnet_com": 5}, {"other_com": 14}, {"dupontnet_com": 7}])
def test_one_that_is_not_held_longer_is_not(old: Scratch, holds: dict[str, int]) -> None:
    assert keep(old, **holds) == 0
    assert calls(old) == []


def test_one_that_was_requeued_waits_for_its_next_time(old: Scratch) -> None:
    birth(old, A000001=int(time.time()) - DAY)
    assert keep(old, dupontnet_com=14) == 0
    assert calls(old) == []


def test_one_that_vanished_meanwhile_hides_no_other(old: Scratch) -> None:
    arrival = int(time.time()) - 7 * DAY
    for ident in ("A000000", "A000002", "A000003"):
        held(old, ident, "jean@dupontnet.com", arrival=arrival)
    birth(old, A000001=arrival, A000003=arrival)
    keep(old, dupontnet_com=14)
    assert calls(old) == ["-r A000001 -r A000003 deferred"]


def test_what_is_on_hold_or_on_its_way_is_left(old: Scratch) -> None:
    old.write("/queue")
    for ident, place in (("A000001", "hold"), ("A000002", "active"), ("A000003", "maildrop")):
        held(old, ident, "jean@dupontnet.com", arrival=int(time.time()) - 7 * DAY, queue_name=place)
    shutil.rmtree(old.path(f"{DEFERRED}/A"))
    assert keep(old, dupontnet_com=14) == 0
    assert calls(old) == []
