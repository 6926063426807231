# SPDX-License-Identifier: GPL-2.0-or-later
"""What has happened to rules."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

YEAR = 366 * 86_400  # seconds that an event is kept
EACH = 1_000  # events of one rule that are kept
ALL = 20_000  # events that are kept


class Happening(StrEnum):
    """What can happen.

    BROKEN and WELL are of the checks, REPLAYED and ANSWERED of a test message, TESTED of a test from outside, all else
    of an outage.
    """

    BEGUN = "begun"
    HELD = "held"
    BACK = "back"
    DRAINED = "drained"
    RETURNED = "returned"
    STUCK = "stuck"
    BROKEN = "broken"
    WELL = "well"
    REPLAYED = "replayed"
    ANSWERED = "answered"
    TESTED = "tested"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a rule, and when. messages: how many it is about. waited: for how long the first, in seconds."""

    time: int
    happening: Happening
    name: str = ""
    messages: int = 0
    waited: int = 0
    reason: str = ""

    def of(self, name: str) -> "Event":
        """Return it as the event of a rule."""
        return replace(self, name=name)

    def to_json(self) -> dict[str, Any]:
        """Return what a file and `history --json` have of it."""
        return {"time": self.time, "name": self.name, "event": self.happening.value} | {
            key: value for key, value in asdict(self).items() if key in ("messages", "waited", "reason") and value
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Event":
        """Return what `to_json` had. Raises ValueError, TypeError or KeyError for anything else."""
        messages, waited = (int(told.get(key, 0)) for key in ("messages", "waited"))
        name, reason = str(told["name"]), str(told.get("reason", ""))
        return cls(int(told["time"]), Happening(told["event"]), name, messages, waited, reason)


def kept(events: Iterable[Event], now: int) -> list[Event]:
    """Return the events that are kept, in their order: the newest of each rule and of all, none older than a YEAR.

    One that a clock set wrong put into the future is kept as any other.
    """
    count: dict[str, int] = {}
    newest: list[Event] = []
    for event in reversed(list(events)):
        count[event.name] = count.get(event.name, 0) + 1
        if event.time > now - YEAR and count[event.name] <= EACH and len(newest) < ALL:
            newest.append(event)
    return newest[::-1]
