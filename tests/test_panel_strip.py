# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture of the outages of the last 30 days."""

from hypothesis import given
from hypothesis import strategies as st

from mxbackup.outage import Event, Happening
from mxbackup.panel import strip
from mxbackup.panel.strip import HOUR, LENGTH, Absence, Bar

NOW = 1_790_000_000
DAY = 24 * HOUR


def event(hours_ago: float, what: str, reason: str = "") -> Event:
    return Event(int(NOW - hours_ago * HOUR), Happening(what), "dupontnet.com", reason=reason)


def test_an_outage_lasts_from_its_beginning_until_the_primary_is_back() -> None:
    events = [
        event(100, "begun", "silent"),
        event(99, "held"),
        event(90, "back"),
        event(90, "drained"),
        event(5, "begun"),
    ]
    found = strip.absences(events, NOW)
    assert found == [Absence(NOW - 100 * HOUR, NOW - 90 * HOUR, "silent"), Absence(NOW - 5 * HOUR)]
    assert strip.bars(found, NOW) == [Bar(620.0, 10.0), Bar(715.0, 5.0)]


def test_what_began_before_the_strip_begins_at_its_left_end() -> None:
    assert strip.bars(strip.absences([event(1000, "begun"), event(715, "back")], NOW), NOW) == [Bar(0.0, 5.0)]
    assert strip.absences([event(1000, "begun"), event(720, "back")], NOW) == []
    assert strip.bars(strip.absences([event(1000, "begun")], NOW), NOW) == [Bar(0.0, 720.0)]


def test_the_shortest_outage_can_be_seen() -> None:
    assert strip.bars([Absence(NOW - 60)], NOW) == [Bar(718.0, 2.0)]


def test_a_return_without_an_outage_and_a_second_beginning_say_nothing() -> None:
    events = [event(50, "back"), event(40, "begun"), event(30, "begun"), event(20, "back"), event(10, "broken")]
    assert strip.absences(events, NOW) == [Absence(NOW - 40 * HOUR, NOW - 20 * HOUR)]


def test_every_fifth_day_has_its_date() -> None:
    found = strip.ticks(NOW)
    assert len(found) == 6
    assert [len(tick.date) for tick in found] == [10] * 6
    assert all(0 <= tick.x <= LENGTH for tick in found)


EVENTS = st.lists(
    st.builds(Event, st.integers(NOW - 60 * DAY, NOW + 60 * DAY), st.sampled_from(Happening), st.just("dupontnet.com"))
)


@given(EVENTS)
def test_whatever_happened_the_bars_lie_on_the_strip(events: list[Event]) -> None:
    for bar in strip.bars(strip.absences(events, NOW), NOW):
        assert bar.x >= 0
        assert bar.x + bar.width <= LENGTH + 0.01
        assert bar.width >= strip.NARROWEST
