# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of the state of a rule when something new is seen of it."""

from dataclasses import replace

from mxbackup.outage.history import Event, Happening
from mxbackup.outage.state import AWAY, CONTACT_CODES, NO_MAIL, Contact, Outage, Seen, State

CONFIRMED = 2  # failed contacts that make an outage worth recording


def after(state: State, seen: Seen) -> tuple[State, list[Event]]:
    """Return the state of a rule after something was seen of it, and what happened by that; the events have no name.

    A state from the future, by a clock that was set back, is taken for one of now.
    """
    before = _none_to_come(state, seen.now)
    events: list[Event] = []
    new = _looked(_contacted(before, seen, events), seen, events)
    new = _closed(_checked(new, seen, events), seen.now, events)
    if new.condition != before.condition or not new.since:
        new = replace(new, since=new.outage.begun if new.outage and new.contact in AWAY else seen.now)
    return new, events


def _none_to_come(state: State, now: int) -> State:
    outages = {
        name: replace(
            outage,
            **{key: min(getattr(outage, key), now) for key in ("begun", "back", "oldest", "told")},
        )
        for name in ("outage", "ended")
        if (outage := getattr(state, name))
    }
    times = {key: min(getattr(state, key), now) for key in ("since", "asked", "flushed", "checked")}
    return replace(state, **times, **outages)


def _contacted(state: State, seen: Seen, events: list[Event]) -> State:
    if seen.contact == Contact.UNKNOWN:
        return state
    away = seen.contact in AWAY
    state = replace(
        state,
        contact=seen.contact,
        reason=seen.reason if away else "",
        primary=seen.primary or state.primary,
        flushes=0 if away else state.flushes,
    )
    state = _paced(state, seen, away=away)
    return _away(state, seen, events) if away else _back(state, seen, events)


def _paced(state: State, seen: Seen, *, away: bool) -> State:
    """Only what `tend` tries makes its next try rarer: a check, by whomever and however often, does not."""
    if seen.check:
        return state if away else replace(state, failures=0)
    return replace(state, asked=seen.now, failures=state.failures + 1 if away and seen.asked else 0)


def _away(state: State, seen: Seen, events: list[Event]) -> State:
    outage = state.outage or state.ended
    if outage is None:
        return replace(state, outage=Outage(seen.now, seen.reason))
    outage = replace(outage, reason=seen.reason, failed=outage.failed + 1, back=0)
    if outage.failed >= CONFIRMED and not outage.recorded:
        events.append(Event(outage.begun, Happening.BEGUN, reason=seen.reason))
        outage = replace(outage, recorded=True)
    return replace(state, outage=outage, ended=None)


def _back(state: State, seen: Seen, events: list[Event]) -> State:
    if state.check and CONTACT_CODES.intersection(state.check.codes) and not seen.check:
        codes = tuple(code for code in state.check.codes if code not in CONTACT_CODES)
        state = replace(state, check=state.check._replace(codes=codes))
    outage = state.outage
    if outage is None or outage.back:
        return state
    if outage.recorded:
        events.append(Event(seen.now, Happening.BACK, messages=state.mail.messages))
    return replace(state, outage=replace(outage, back=seen.now, failed=0))


def _looked(state: State, seen: Seen, events: list[Event]) -> State:
    """Take in what is held; while the queue cannot be read it counts as it was."""
    mail, outage = seen.mail, state.outage
    if mail is None:
        return state
    if not mail.messages or mail.oldest > state.flushed:
        state = replace(state, flushes=0)
    if outage and seen.given_up:
        if (more := sum(seen.given_up) - outage.given_up) > 0:
            events.append(Event(seen.now, Happening.RETURNED, messages=more))
        outage = replace(outage, refused=seen.given_up.refused, expired=seen.given_up.expired)
    if outage and mail.messages:
        if outage.recorded and not outage.messages:
            events.append(Event(seen.now, Happening.HELD, messages=mail.messages))
        if outage.recorded and outage.back in (0, seen.now):  # what comes later is not held by the outage
            oldest = min(outage.oldest or mail.oldest, mail.oldest)
            outage = replace(outage, messages=max(outage.messages, mail.messages + outage.given_up), oldest=oldest)
    return replace(state, mail=mail if mail.messages else NO_MAIL, outage=outage)


def _checked(state: State, seen: Seen, events: list[Event]) -> State:
    if seen.check is None:
        return state
    before = state.check.codes if state.check else ()
    if seen.check.codes and not before:
        events.append(Event(seen.now, Happening.BROKEN, reason=", ".join(seen.check.codes)))
    elif before and not seen.check.codes:
        events.append(Event(seen.now, Happening.WELL))
    return replace(state, check=seen.check, checked=seen.now)


def _closed(state: State, now: int, events: list[Event]) -> State:
    """End an outage when the primary answers and nothing is held any more that came before it was back."""
    outage, mail = state.outage, state.mail
    if outage is None or not outage.back or (mail.messages and not outage.back < mail.oldest <= now):
        return state
    waited = max(0, now - outage.oldest) if outage.messages else 0
    if outage.recorded and outage.messages:
        delivered = max(0, outage.messages - outage.given_up)
        events.append(Event(now, Happening.DRAINED, messages=delivered, waited=waited))
    return replace(state, outage=None, ended=outage if outage.told else None)
