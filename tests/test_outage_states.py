# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a rule through outages, and the mails about it: stories, and whatever may happen in any order."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.outage import (
    Check,
    Condition,
    Contact,
    Event,
    Happening,
    Kind,
    Mail,
    NameServer,
    Notice,
    Outage,
    Record,
    Seen,
    State,
    after,
    due,
    pace,
)
from mxbackup.outage.history import EACH, YEAR, kept
from mxbackup.outage.state import AWAY

NOW = 1_078_866_000
MINUTE, HOUR, DAY = 60, 3600, 86_400
WEEK = 7 * DAY
PRIMARY = ("192.0.2.25:25",)


def mail(messages: int, oldest: int) -> Mail:
    return Mail(messages, oldest, oldest + WEEK)


class Told(NamedTuple):
    when: int
    notice: Notice


class Watch:
    """A few rules behind one primary, looked at as `tend` does."""

    def __init__(self, *names: str, primary: tuple[str, ...] = PRIMARY) -> None:
        self.states = {name: State(primary=primary) for name in names or ("dupontnet.com",)}
        self.events: list[Event] = []
        self.told: list[Told] = []
        self.flushes: list[int] = []

    def look(self, now: int, contact: Contact, held: Mail | None, checks: dict[str, Check] | None = None) -> None:
        for name, state in self.states.items():
            check = (checks or {}).get(name)
            seen = Seen(now, contact, "no", asked=contact != Contact.UNKNOWN, mail=held, check=check)
            new, events = after(state, seen)
            if contact == Contact.ANSWERS and pace.flush_due(new, now):
                self.flushes.append(now)
                new = replace(new, flushed=now, flushes=new.flushes + 1)
            self.states[name] = new
            self.events += [event.of(name) for event in events]
        self.states, notices = due(self.states, now, (checks or {}).keys())
        self.told += [Told(now, notice) for notice in notices]

    @property
    def state(self) -> State:
        return next(iter(self.states.values()))

    @property
    def kinds(self) -> list[Kind]:
        return [told.notice.kind for told in self.told]


def minutes(begin: int, end: int) -> Iterator[int]:
    return iter(range(begin, end, MINUTE))


def test_an_outage_from_begin_to_end() -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + 9 * HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(17, NOW - 5 * MINUTE))
    assert (watch.state.condition, watch.state.since) == (Condition.UNREACHABLE, NOW)
    assert [told.when - NOW for told in watch.told] == [15 * MINUTE]
    assert watch.told[0].notice == Notice(
        Kind.BEGUN, ("dupontnet.com",), PRIMARY, NOW, 17, 20 * MINUTE, NOW - 5 * MINUTE + WEEK, "no"
    )
    back = NOW + 9 * HOUR
    watch.look(back, Contact.ANSWERS, mail(17, NOW - 5 * MINUTE))
    assert (watch.state.condition, watch.state.since, watch.flushes) == (Condition.DRAINING, back, [back])
    watch.look(back + MINUTE, Contact.UNKNOWN, Mail())
    assert watch.state.condition == Condition.FINE
    assert watch.kinds == [Kind.BEGUN, Kind.BACK]
    assert watch.told[-1].notice == Notice(
        Kind.BACK, ("dupontnet.com",), PRIMARY, NOW, 17, 9 * HOUR + 6 * MINUTE, 0, ""
    )
    assert [(event.happening, event.time, event.messages) for event in watch.events] == [
        (Happening.BEGUN, NOW, 0),
        (Happening.HELD, NOW + MINUTE, 17),
        (Happening.BACK, back, 17),
        (Happening.DRAINED, back + MINUTE, 17),
    ]


def test_a_mail_every_day_it_lasts_and_two_before_anything_is_sent_back() -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + WEEK):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    days = [(told.notice.kind, (told.when - NOW) / DAY) for told in watch.told]
    assert [kind for kind, _ in days if kind != Kind.LASTS] == [Kind.BEGUN, Kind.EXPIRES, Kind.EXPIRES]
    assert [day for kind, day in days if kind == Kind.EXPIRES] == [5.0, 6.0]
    assert sum(kind == Kind.LASTS for kind, _ in days) == 6


def test_a_short_outage_is_no_mail() -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + 14 * MINUTE):
        watch.look(now, Contact.UNREACHABLE, mail(1, NOW))
    watch.look(NOW + 14 * MINUTE, Contact.ANSWERS, Mail())
    assert (watch.told, watch.state.condition) == ([], Condition.FINE)


def test_an_outage_without_held_mail_is_no_mail() -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + DAY):
        watch.look(now, Contact.UNREACHABLE, Mail())
    assert watch.told == []


def test_several_rules_behind_one_primary_are_one_mail() -> None:
    watch = Watch("dupontnet.com", "martin.org", "late.org")
    late = watch.states.pop("late.org")
    for now in minutes(NOW, NOW + HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    watch.states["late.org"] = late
    for now in minutes(NOW + HOUR, NOW + 2 * HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    watch.look(NOW + 2 * HOUR, Contact.ANSWERS, mail(2, NOW))
    watch.look(NOW + 2 * HOUR + MINUTE, Contact.UNKNOWN, Mail())
    assert [(told.notice.kind, told.notice.names) for told in watch.told] == [
        (Kind.BEGUN, ("dupontnet.com", "martin.org")),
        (Kind.BACK, ("dupontnet.com", "martin.org", "late.org")),
    ]


def test_it_is_not_back_before_all_is_delivered_and_it_is_said_when_it_is_not() -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    for now in minutes(NOW + HOUR, NOW + 3 * HOUR):
        watch.look(now, Contact.ANSWERS, mail(1, NOW))
    assert watch.kinds == [Kind.BEGUN, Kind.STUCK]
    assert watch.state.condition == Condition.DRAINING
    assert len(watch.flushes) <= pace.FLUSHES
    watch.look(NOW + 3 * HOUR, Contact.ANSWERS, mail(1, NOW + 3 * HOUR - 5))  # what came since is another matter
    assert (watch.kinds[-1], watch.state.condition) == (Kind.BACK, Condition.FINE)


def test_a_primary_that_comes_and_goes_every_minute() -> None:
    watch = Watch()
    for count, now in enumerate(minutes(NOW, NOW + 2 * DAY)):
        watch.look(now, Contact.UNREACHABLE if count % 2 else Contact.ANSWERS, mail(3, NOW))
    assert all(later - earlier >= pace.FLUSH for earlier, later in pairwise(watch.flushes))
    assert watch.kinds == [Kind.BEGUN, Kind.LASTS]
    watch = Watch()
    for count, now in enumerate(minutes(NOW, NOW + 2 * DAY)):  # and it takes what it gets
        away = count % 2 == 1
        watch.look(now, Contact.UNREACHABLE if away else Contact.ANSWERS, mail(3, now) if away else Mail())
    assert (watch.told, watch.events) == ([], [])


def test_what_was_told_by_the_check_is_well_when_it_is() -> None:
    error, fine = Check("error", ("nat",)), Check("fine")
    watch = Watch()
    watch.look(NOW, Contact.UNKNOWN, Mail(), {"dupontnet.com": error})
    watch.look(NOW + DAY, Contact.UNKNOWN, Mail(), {"dupontnet.com": error})
    assert (watch.kinds, watch.state.condition) == ([Kind.BROKEN], Condition.MISCONFIGURED)
    watch.look(NOW + 2 * DAY, Contact.UNREACHABLE, Mail(), {"dupontnet.com": fine})
    assert (watch.kinds, watch.state.condition) == ([Kind.BROKEN], Condition.UNREACHABLE)
    watch.look(NOW + 3 * DAY, Contact.ANSWERS, Mail(), {"dupontnet.com": fine})
    assert (watch.kinds, watch.state.condition) == ([Kind.BROKEN, Kind.WELL], Condition.FINE)


def test_a_check_by_hand_tells_nobody_and_the_next_night_does() -> None:
    state, _ = after(State(), Seen(NOW, check=Check("error", ("nat",))))
    states, notices = due({"dupontnet.com": state}, NOW)
    assert notices == []
    _, notices = due(states, NOW + DAY, ["dupontnet.com"])
    assert [notice.kind for notice in notices] == [Kind.BROKEN]


def test_a_primary_that_refused_and_answers_is_no_longer_an_error() -> None:
    refusing = Seen(NOW, Contact.REFUSES, "550 no", asked=True, check=Check("error", ("primary-refuses",)))
    state, _ = after(State(), refusing)
    assert state.condition == Condition.REFUSES
    state, _ = after(state, Seen(NOW + HOUR, Contact.ANSWERS, asked=True))
    assert state.condition == Condition.FINE


def test_where_mail_would_be_sent_back_the_rule_is_misconfigured() -> None:
    state, _ = after(State(), Seen(NOW, Contact.NOWHERE, "5.4.6", mail=mail(1, NOW - HOUR)))
    assert state.condition == Condition.MISCONFIGURED
    assert state.outage


def test_a_queue_that_cannot_be_read_ends_nothing() -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    for now in minutes(NOW + HOUR, NOW + 2 * HOUR):
        watch.look(now, Contact.ANSWERS, None)
    assert Kind.BACK not in watch.kinds
    assert watch.state.condition == Condition.DRAINING


@pytest.mark.parametrize("jump", [-365 * DAY, -HOUR, HOUR, 365 * DAY])
def test_a_clock_that_jumps_does_no_harm(jump: int) -> None:
    watch = Watch()
    for now in minutes(NOW, NOW + HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    later = NOW + HOUR + jump
    for now in minutes(later, later + HOUR):
        watch.look(now, Contact.UNREACHABLE, mail(2, NOW))
    assert watch.kinds.count(Kind.BEGUN) == 1
    assert len(watch.kinds) <= 3
    watch.look(later + HOUR, Contact.ANSWERS, mail(2, NOW))
    assert watch.flushes == [later + HOUR]
    watch.look(later + HOUR + MINUTE, Contact.UNKNOWN, Mail())
    assert (watch.kinds[-1], watch.state.condition) == (Kind.BACK, Condition.FINE)


def test_dialogues_back_off_and_connections_do_not() -> None:
    state, talks = State(), []
    for now in minutes(NOW, NOW + HOUR):
        if pace.talk_due(state, now):
            talks.append((now - NOW) // MINUTE)
            state, _ = after(state, Seen(now, Contact.REFUSES, "451 no", asked=True, mail=mail(1, NOW - HOUR)))
    assert talks[:6] == [0, 1, 3, 6, 10, 15]
    assert all(later - earlier == 5 for earlier, later in pairwise(talks[5:]))
    state, _ = after(state, Seen(NOW + HOUR, Contact.UNREACHABLE, "no"))
    assert pace.talk_due(state, NOW + HOUR + MINUTE), "as soon as it can be connected to again"


@given(st.lists(st.integers(0, HOUR), max_size=20), st.sampled_from(sorted(AWAY)), st.integers(0, 4))
def test_checks_that_fail_make_no_look_rarer(checks: list[int], contact: Contact, failures: int) -> None:
    state = State()
    for number in range(failures):
        state, _ = after(state, Seen(NOW - number, contact, "no", asked=True, mail=mail(1, NOW - HOUR)))
    checked = state
    for wait in sorted(checks):
        checked, _ = after(checked, Seen(NOW + wait, contact, "no", asked=True, check=Check("error", ("nat",))))
    for now in minutes(NOW, NOW + HOUR):
        assert pace.talk_due(checked, now) == pace.talk_due(state, now)


_SERVERS = (NameServer("ns.org (192.0.2.53)", "answers", (Record(10, "a.org"), Record(20, "b.org", True))),)
_CHECKS = st.none() | st.sampled_from([Check("fine"), Check("warning"), Check("error", ("nat",), _SERVERS)])
_LOOKS = st.lists(
    st.tuples(
        st.integers(-2 * DAY, 3 * DAY) | st.just(MINUTE),
        st.sampled_from(Contact),
        st.none() | st.builds(mail, st.integers(0, 3), st.integers(NOW - DAY, NOW + DAY)),
        _CHECKS,
    ),
    max_size=60,
)


@given(_LOOKS)
def test_whatever_happens_nothing_is_well_before_it_is_and_nothing_is_told_twice(
    looks: Iterable[tuple[int, Contact, Mail | None, Check | None]],
) -> None:
    watch, now = Watch(), NOW
    begun = ended = 0
    for step, contact, held, check in looks:
        now = max(now + step, 1)
        before, count = watch.state, len(watch.told)
        watch.look(now, contact, held, {"dupontnet.com": check} if check else None)
        new = [told.notice.kind for told in watch.told[count:]]
        state = watch.state
        assert max(Counter(new).values(), default=0) <= 1
        if Kind.WELL in new:
            assert state.condition == Condition.FINE
            assert before.broken
        if Kind.BACK in new:
            assert state.contact == Contact.ANSWERS
            assert not state.outage
            ended += 1
        begun += Kind.BEGUN in new
        assert ended <= watch.kinds.count(Kind.BEGUN) + watch.kinds.count(Kind.STUCK)
        assert state.since <= now
        assert (state.outage is not None) or state.contact not in AWAY
        assert State.from_json(json.loads(json.dumps(state.to_json()))) == state
    assert begun <= ended + 1


@given(_LOOKS)
def test_no_more_flushes_than_one_in_five_minutes(
    looks: Iterable[tuple[int, Contact, Mail | None, Check | None]],
) -> None:
    watch, now = Watch(), NOW
    for step, contact, held, _ in looks:
        now += abs(step) % 400
        watch.look(now, contact, held)
    assert all(later - earlier >= pace.FLUSH for earlier, later in pairwise(watch.flushes))


@pytest.mark.parametrize(
    "told",
    [
        {"since": "1"}, {"contact": "gone"}, {"mail": [1]}, {"outage": {"began": 1}}, {"unknown": 1},
        {"outage": {"begun": None}}, {"check": 5}, {"broken": 1},
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(told: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        State.from_json(told)


def test_history_is_kept_for_a_year_and_bounded_for_each_rule() -> None:
    noisy = [Event(NOW - 5 * DAY + count, Happening.BEGUN, "noisy.org") for count in range(3 * EACH)]
    old, quiet = Event(NOW - YEAR - 1, Happening.BEGUN, "quiet.org"), Event(NOW - DAY, Happening.BACK, "quiet.org")
    assert kept([old, *noisy, quiet], NOW) == [*noisy[-EACH:], quiet]


@given(
    st.builds(
        Event, st.integers(0, NOW), st.sampled_from(Happening), st.text(), st.integers(0), st.integers(0), st.text()
    )
)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event


def test_what_is_as_always_takes_no_room() -> None:
    assert State().to_json() == {}
    assert State(outage=Outage(NOW)).to_json()["outage"]["begun"] == NOW
