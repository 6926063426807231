# SPDX-License-Identifier: GPL-2.0-or-later
"""The outages of the last days as a picture: a strip on which one hour is one unit. Pure."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from mxbackup.outage import Event, Happening

DAYS = 30
LENGTH = DAYS * 24  # units
NARROWEST = 2.0  # units: what is shorter could not be seen
HOUR = 3600  # seconds


@dataclass(frozen=True)
class Absence:
    """From when to when a primary was away, in seconds since 1970; `end` is None while it is."""

    begin: int
    end: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Bar:
    """One absence on the strip, in units from its left end."""

    x: float
    width: float


@dataclass(frozen=True)
class Tick:
    """The beginning of a day, and its date."""

    x: float
    date: str


def absences(events: Iterable[Event], now: int) -> list[Absence]:
    """Return the absences that reach into the last DAYS, the oldest first, of what happened to one rule."""
    found: list[Absence] = []
    begun: Event | None = None
    for event in sorted(events, key=lambda event: event.time):
        if event.happening == Happening.BEGUN and begun is None:
            begun = event
        elif event.happening == Happening.BACK and begun is not None:
            found.append(Absence(begun.time, event.time, begun.reason))
            begun = None
    if begun is not None:
        found.append(Absence(begun.time, None, begun.reason))
    return [absence for absence in found if absence.end is None or absence.end > _left_end(now)]


def bars(found: Iterable[Absence], now: int) -> list[Bar]:
    """Return the bars of these absences, none beyond the strip."""
    return [_bar(absence, now) for absence in found]


def ticks(now: int, every: int = 5) -> list[Tick]:
    """Return each fifth midnight of this server's clock, counted back from today's."""
    year, month, day = time.localtime(now)[:3]
    # mktime takes day 0 for the last of the month before, and knows when clocks are changed.
    midnights = (int(time.mktime((year, month, day - back, 0, 0, 0, 0, 0, -1))) for back in range(0, DAYS, every))
    return [
        Tick(_unit(midnight, now), time.strftime("%Y-%m-%d", time.localtime(midnight)))
        for midnight in sorted(midnights)
        if midnight >= _left_end(now)
    ]


def _bar(absence: Absence, now: int) -> Bar:
    left, right = _unit(absence.begin, now), _unit(now if absence.end is None else absence.end, now)
    width = max(right - left, NARROWEST)
    return Bar(min(left, LENGTH - width), width)


def _unit(moment: int, now: int) -> float:
    return round(min(max((moment - _left_end(now)) / HOUR, 0.0), float(LENGTH)), 2)


def _left_end(now: int) -> int:
    return now - LENGTH * HOUR
