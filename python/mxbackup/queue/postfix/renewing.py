# SPDX-License-Identifier: GPL-2.0-or-later
"""Which messages of Postfix to requeue, so that they do not expire before their rules' time is up. Pure.

`postsuper -r` makes a new queue file of a message, and Postfix reckons its age from the creation of that: postsuper(1)
names it for mail that was kept long. The arrival stays, and the message is tried as often as before; putting it on
hold instead, it would wait for us alone. Each time adds a Received field, of which Postfix takes 50 (hopcount_limit).
"""

import calendar
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from mxbackup.queue.holding import margin

RENEWALS = 25  # of one message, at most
# What postcat(1) says of each message, up to what its sender decides about; times in the zone of its environment.
_BIRTH = re.compile(
    r"^\*\*\* ENVELOPE RECORDS (?:\S*/)?(\w+) \*\*\*\n(?:message_[a-z_]+:.*\n)*create_time: (.*)$", re.MULTILINE
)


def longest(life: int) -> int:
    """Return for how many seconds a message can be kept that Postfix keeps for `life` seconds."""
    return life + RENEWALS * _step(life)


class Term(NamedTuple):
    """When a message came, for how many seconds from then on it is to be held, and how many a queue file lives."""

    arrival: int
    hold: int
    life: int


def due(birth: int, term: Term, now: int) -> bool:
    """Whether a message whose queue file is of `birth` is to be renewed now.

    Its times are reckoned back from the end, so that it expires then and not much later: each well before the life
    that the one before gave ends.
    """
    last = term.arrival + term.hold - term.life
    step = _step(term.life)
    return birth < last and last - (last - birth - 1) // step * step <= now < term.arrival + term.hold


def births(said: str) -> Iterator[tuple[str, int]]:
    """Yield the queue ID of each message that postcat tells of, and since when its file exists."""
    for ident, when in _BIRTH.findall(said):
        yield ident, calendar.timegm(time.strptime(when))


def _step(life: int) -> int:
    """The seconds from one renewal to the next."""
    return max(life - margin(life), 1)
