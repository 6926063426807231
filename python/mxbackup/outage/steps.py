# SPDX-License-Identifier: GPL-2.0-or-later
"""How far the two administrators have come with a rule: the steps of the how-to, one after the other. Pure.

The rule is made and in force; the domain's name servers name this server; somebody has tested from outside; an outage
was lived through, or the way back to the primary tried.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mxbackup.outage.history import Event, Happening
from mxbackup.outage.state import NameServer, State
from mxbackup.queue import Ending

# What tells how held mail fared, or would.
DRILLS = frozenset({Happening.RETURNED, Happening.DRAINED, Happening.REPLAYED, Happening.ANSWERED})


class Force(StrEnum):
    """Whether the rules are in force, or why not: MX backup is off, or files do not hold them."""

    ACTIVE = "active"
    OFF = "off"
    OUTDATED = "outdated"


class Progress(StrEnum):
    """How a step stands."""

    DONE = "done"
    TODO = "todo"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Steps:
    """What is known of the steps. `known` is whether what is remembered could be read.

    servers, checked: the name servers at the last check, and when that was. test: the last one from outside that
    was recorded. drill: the last event of an outage or a test message that tells how held mail fared; `lost` is
    whether mail of that outage went back to its senders.
    """

    force: Force
    known: bool = True
    servers: tuple[NameServer, ...] = ()
    checked: int = 0
    test: Event | None = None
    drill: Event | None = None
    lost: bool = False

    @property
    def rule(self) -> Progress:
        """Whether the rule, which is made, is in force."""
        return Progress.DONE if self.force == Force.ACTIVE else Progress.WRONG

    @property
    def dns(self) -> Progress:
        """Whether every name server names this server."""
        if not self.known:
            return Progress.UNKNOWN
        if not self.servers:
            return Progress.TODO
        return Progress.DONE if all(server.knows_us for server in self.servers) else Progress.WRONG

    @property
    def tested(self) -> Progress:
        """Whether somebody has said that he tested."""
        if not self.known:
            return Progress.UNKNOWN
        return Progress.DONE if self.test else Progress.TODO

    @property
    def drilled(self) -> Progress:
        """Whether held mail came through, or a message that fares alike."""
        if not self.known:
            return Progress.UNKNOWN
        if self.drill is None or self.drill.happening == Happening.REPLAYED:
            return Progress.TODO
        refused = self.drill.happening == Happening.ANSWERED and not self.drill.reason.startswith(Ending.ACCEPTED)
        return Progress.WRONG if self.lost or refused else Progress.DONE


def steps(force: Force, state: State, events: Sequence[Event]) -> Steps:
    """Return the steps of a rule of what is remembered of it; the events are its own, in their order."""
    drill = _last(DRILLS, events)
    return Steps(
        force,
        servers=state.check.servers if state.check else (),
        checked=state.checked,
        test=_last({Happening.TESTED}, events),
        drill=drill,
        lost=drill is not None and _lost(drill, events),
    )


def _last(kinds: Iterable[Happening], events: Sequence[Event]) -> Event | None:
    return next((event for event in reversed(events) if event.happening in kinds), None)


def _lost(drill: Event, events: Sequence[Event]) -> bool:
    """Whether mail of the outage that this event is of went back to its senders."""
    if drill.happening not in (Happening.RETURNED, Happening.DRAINED):
        return False
    begun = _last({Happening.BEGUN}, events)
    since = begun.time if begun and begun.time <= drill.time else 0
    return any(event.happening == Happening.RETURNED and event.time >= since for event in events)
