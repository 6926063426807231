# SPDX-License-Identifier: GPL-2.0-or-later
"""For how long a message is to be kept from going back to its sender. Pure."""

from collections.abc import Callable, Iterable

from mxbackup.queue.messages import Channel, Message, Recipient, waiting

_DAY = 86_400  # seconds

Holds = Callable[[str], int | None]  # for how many seconds mail for a name is held; None without a rule


def margin(lifetime: int) -> int:
    """Return how many seconds before the end of its life a message is kept: a day, if it lives for two."""
    return min(_DAY, lifetime // 2)


def hold_of(recipients: Iterable[Recipient], holds: Holds) -> int | None:
    """Return for how many seconds from its arrival a message is to be held: the shortest time of its recipients.

    None when any recipient who still waits is of no rule: whoever wrote to him is told as always.
    """
    left = list(waiting(recipients))
    if not left or any(to.channel != Channel.REMOTE for to in left):
        return None
    times = [holds(to.name) for to in left]
    known = [time for time in times if time is not None]
    return min(known) if len(known) == len(times) else None


def expiry(message: Message, holds: Holds) -> int:
    """Return from when on a try that fails makes the message bounce, provided that it is kept as it should be."""
    hold = hold_of(message.recipients, holds)
    return max(message.end, message.arrival + hold if hold is not None else 0)
