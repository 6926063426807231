# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mails are due: none twice, one for several rules behind one primary, and nothing is well before it is."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mxbackup.outage.state import AWAY, Condition, Outage, State

PATIENCE = 15 * 60  # seconds of an outage before somebody is told, and of a queue that does not drain
DAY = 86_400


class Kind(StrEnum):
    """What somebody is told. BROKEN and WELL are of the checks, all else of an outage."""

    BEGUN = "begun"
    LASTS = "lasts"
    STUCK = "stuck"
    EXPIRES = "expires"
    BACK = "back"
    BROKEN = "broken"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told of some rules, which share a primary unless it is of the checks.

    since: when the outage began. messages: held now, or delivered when it is BACK. waited: for how long the first of
    them, in seconds. expires: from when on the first may be sent back, 0 when none waits. refused, expired:
    how many went back to their senders when it is BACK, refused for good or kept too long.
    """

    kind: Kind
    names: tuple[str, ...]
    primary: tuple[str, ...] = ()
    since: int = 0
    messages: int = 0
    waited: int = 0
    expires: int = 0
    reason: str = ""
    refused: int = 0
    expired: int = 0


States = Mapping[str, State]


def due(states: States, now: int, checked: Collection[str] = ()) -> tuple[dict[str, State], list[Notice]]:
    """Return the mails that are due, and the states as they are once these are sent.

    `checked` are the rules whose checks may be told of now.
    """
    told, notices = dict(states), list[Notice]()
    for group in _behind_one_primary(states):
        notices += _of_outage(group, told, now)
    for kind, wanted, broken in ((Kind.BROKEN, _is_broken, True), (Kind.WELL, _is_well, False)):
        if names := [name for name in checked if name in told and wanted(told[name])]:
            told |= {name: replace(told[name], broken=broken) for name in names}
            notices.append(Notice(kind, tuple(names)))
    return told, notices


def _is_broken(state: State) -> bool:
    return bool(state.check and state.check.codes) and not state.broken and not (state.outage and state.outage.told)


def _is_well(state: State) -> bool:
    return state.broken and state.condition == Condition.FINE


def _behind_one_primary(states: States) -> Iterable[list[str]]:
    """Return the rules by primary; one whose primary is not known stands alone."""
    groups: dict[object, list[str]] = {}
    for name, state in states.items():
        if state.open or state.mail.messages or state.warned:
            groups.setdefault(state.primary or name, []).append(name)
    return groups.values()


def _of_outage(names: list[str], told: dict[str, State], now: int) -> list[Notice]:
    notices = []
    for kind, decide in (
        (Kind.BEGUN, _begun),
        (Kind.LASTS, _lasts),
        (Kind.STUCK, _stuck),
        (Kind.EXPIRES, _expires),
        (Kind.BACK, _back),
    ):
        group = {name: told[name] for name in names}
        changed, concerned = decide(group, now)
        told |= changed
        if concerned:
            notices.append(_notice(kind, concerned, now))
    return notices


Decision = tuple[States, States]
_NOTHING: Decision = ({}, {})


def _away(states: States) -> dict[str, State]:
    return {name: state for name, state in states.items() if state.outage and state.contact in AWAY}


def _with_outage(states: States, change: Callable[[Outage], Outage]) -> States:
    return {name: replace(state, outage=change(state.outage)) for name, state in states.items() if state.outage}


def _begun(states: States, now: int) -> Decision:
    """An outage of PATIENCE with held mail. A rule that joins one that was told of is no news."""
    away = _away(states)
    long = {
        name: state
        for name, state in away.items()
        if state.mail.messages and state.outage and now - state.outage.begun >= PATIENCE and not state.outage.told
    }
    if not long:
        return _NOTHING
    last = max((state.outage.told for state in away.values() if state.outage), default=0)
    joined = _with_outage(long, lambda outage: replace(outage, told=last or now))
    return joined, {} if last else long


def _lasts(states: States, now: int) -> Decision:
    """Every day of it, as long as mail is held."""
    told = {name: state for name, state in _away(states).items() if state.outage and state.outage.told}
    if not any(state.mail.messages for state in told.values()):
        return _NOTHING
    if now - max(state.outage.told for state in told.values() if state.outage) < DAY:
        return _NOTHING
    return _with_outage(told, lambda outage: replace(outage, told=now)), told


def _stuck(states: States, now: int) -> Decision:
    """The primary has been back for PATIENCE, and what it was to get is held all the same."""
    stuck = {
        name: state
        for name, state in states.items()
        if state.outage
        and state.outage.back
        and not state.outage.stuck
        and now - state.outage.back >= PATIENCE
        and state.flushes
    }
    return _with_outage(stuck, lambda outage: replace(outage, stuck=True, told=now)), stuck


def _expires(states: States, now: int) -> Decision:
    """Two days and one day before anything is sent back; sooner where it is kept for less than four days."""
    levels = {name: _level(state, now) for name, state in states.items()}
    near = {
        name: state
        for name, state in states.items()
        if levels[name] > state.warned or (levels[name] and state.mail.expires >= state.warned_for + 2 * DAY)
    }
    changed = {name: replace(state, warned=levels[name], warned_for=state.mail.expires) for name, state in near.items()}
    over = {
        name: replace(state, warned=0, warned_for=0)
        for name, state in states.items()
        if state.warned and not state.mail.messages
    }
    return {**changed, **over}, near


def _level(state: State, now: int) -> int:
    mail = state.mail
    if not mail.messages or now - mail.oldest < PATIENCE:
        return 0
    life, left = mail.expires - mail.oldest, mail.expires - now
    return sum(left <= limit for limit in (min(2 * DAY, life // 2), min(DAY, life // 4)))


def _back(states: States, now: int) -> Decision:
    """It is back, and all is delivered; when that is so for the last of the rules that were told of."""
    ended = {name: state for name, state in states.items() if state.ended}
    waiting = any(state.outage and state.outage.told for state in states.values())
    if not ended or waiting:
        return _NOTHING
    return {name: replace(state, ended=None) for name, state in ended.items()}, ended


def _notice(kind: Kind, states: States, now: int) -> Notice:
    outages = [outage for state in states.values() if (outage := state.outage or state.ended)]
    notice = Notice(
        kind,
        tuple(states),
        primary=next(iter(states.values())).primary,
        since=min((outage.begun for outage in outages), default=0),
        reason=next((state.reason for state in states.values() if state.reason), ""),
    )
    if kind == Kind.BACK:
        oldest = min((outage.oldest for outage in outages if outage.messages), default=now)
        refused, expired = (sum(getattr(outage, which) for outage in outages) for which in ("refused", "expired"))
        delivered = max(0, sum(outage.messages for outage in outages) - refused - expired)
        waited = max(0, now - oldest)
        return replace(notice, messages=delivered, refused=refused, expired=expired, waited=waited)
    mails = [state.mail for state in states.values() if state.mail.messages]
    return replace(
        notice,
        messages=sum(mail.messages for mail in mails),
        waited=max(0, now - min((mail.oldest for mail in mails), default=now)),
        expires=min((mail.expires for mail in mails), default=0),
    )
