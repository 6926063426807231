# SPDX-License-Identifier: GPL-2.0-or-later
"""When a primary is asked, and when its mail is made due.

That it can be connected to is tried at each look, which costs both sides next to nothing, so that its return is seen
at once. The dialogue, which costs more, backs off as long as it comes to nothing.
"""

from mxbackup.outage.state import Contact, State

LOOK = 60  # seconds from one look to the next
SLACK = 5  # seconds by which cron may come early
SETTLED = 60  # seconds that a message is old before it counts: qmail-send tries what is new itself
SLOWEST = 5 * LOOK  # from one dialogue with a primary that is away to the next
FLUSH = 5 * 60  # seconds from one flush to the next, at least
RAREST = 60 * 60
FLUSHES = 6  # in a row that deliver nothing


def is_open(state: State, now: int) -> bool:
    """Whether the rule's primary is to be asked: mail waits for it, or an outage that was told of has not ended.

    One that a check found, and that keeps nothing waiting, is looked at now and then.
    """
    told = state.ended is not None or (state.outage is not None and state.outage.told > 0)
    return told or _waits(state, now) or (state.open and not 0 <= now - state.asked < RAREST)


def talk_due(state: State, now: int) -> bool:
    """Whether there is to be a dialogue with a primary that can be connected to."""
    if state.contact == Contact.ANSWERS and state.outage is None:
        return flush_due(state, now)
    if state.contact == Contact.ANSWERS:
        return flush_due(state, now) or now - state.asked >= SLOWEST
    pause = min(LOOK * state.failures, SLOWEST)
    return state.failures == 0 or not 0 <= now - state.asked < pause - SLACK


def flush_due(state: State, now: int) -> bool:
    """Whether the rule's mail, whose primary answers, is made due: at most each FLUSH, ever less often in vain."""
    if not _waits(state, now) or state.flushes >= FLUSHES:
        return False
    pause = min(FLUSH << max(state.flushes - 1, 0), RAREST)
    return not state.flushed or not 0 <= now - state.flushed < pause


def _waits(state: State, now: int) -> bool:
    return state.mail.messages > 0 and not 0 <= now - state.mail.oldest < SETTLED
