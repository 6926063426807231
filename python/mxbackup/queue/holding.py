# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep mail from expiring before its rules' time is up, by renewing the birth of a message: the mtime of its info file.

That is the one change to the queue that is safe while qmail-send runs. It must come before the try that would be the
last begins, which is the first after birth + lifetime: so well before that. The arrival, the mtime in mess, stays.
"""

import os
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from mxbackup.queue.messages import Channel, Message
from mxbackup.queue.places import NotOurs, directory, file, unreadable

_DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Renewal:
    """The birth that a message is to have instead of the one it was seen with."""

    message: Message
    birth: int


def margin(lifetime: int) -> int:
    """Return how many seconds before the end of its life a message is renewed: a day, if it lives for two."""
    return min(_DAY, lifetime // 2)


def hold_of(message: Message, holds: Callable[[str], int | None]) -> int | None:
    """Return for how many seconds from its arrival the message is to be held: the shortest time of its recipients.

    `holds` gives that of the rule that decides about a name, None for a name without one. None when any recipient
    who still waits is of no rule: whoever wrote to him is told as always.
    """
    waiting = list(message.undelivered())
    if not waiting or any(to.channel != Channel.REMOTE for to in waiting):
        return None
    times = [holds(to.name) for to in waiting]
    known = [time for time in times if time is not None]
    return min(known) if len(known) == len(times) else None


def expiry(message: Message, holds: Callable[[str], int | None], lifetime: int) -> int:
    """Return from when on a try that fails makes the message bounce, provided that it is renewed as it should be."""
    born = message.arrival if message.birth is None else message.birth
    hold = hold_of(message, holds)
    return max(born + lifetime, message.arrival + hold if hold is not None else 0)


def renewals(
    messages: Iterable[Message],
    holds: Callable[[str], int | None],
    lifetime: int,
    now: int,
    running: Container[int] = (),
) -> list[Renewal]:
    """Return which messages to renew now, and to which birth.

    Those are the ones that would expire within the margin and are to be held longer, none beyond its arrival plus
    that time: at the end of it nothing is renewed, and they bounce as usual. A message that is `running`, being
    tried just now, waits for the next look.
    """
    wanted = (
        Renewal(message, birth)
        for message in messages
        if message.ident not in running and (birth := _new_birth(message, holds, lifetime, now)) is not None
    )
    return list(wanted)


def _new_birth(message: Message, holds: Callable[[str], int | None], lifetime: int, now: int) -> int | None:
    if message.birth is None or not message.whole or message.birth + lifetime - now > margin(lifetime):
        return None
    hold = hold_of(message, holds)
    if hold is None:
        return None
    birth = min(now, message.arrival + hold - lifetime)
    return birth if birth > message.birth else None


def renew(queue: Path, wanted: Iterable[Renewal]) -> list[Renewal]:
    """Give the messages their new births; return those that have it. One that vanished or changed meanwhile is left.

    Raises QueueError when the queue refuses it.
    """
    try:
        return [renewal for renewal in wanted if _renew(queue, renewal)]
    except OSError as error:
        raise unreadable(queue, error) from error


def _renew(queue: Path, renewal: Renewal) -> bool:
    message = renewal.message
    try:
        with directory(queue, "info", message.place) as folder, file(folder, str(message.ident)) as descriptor:
            found = os.fstat(descriptor)
            if found.st_mtime_ns // 1_000_000_000 != message.birth:
                return False
            _set_times(queue, descriptor, (found.st_atime_ns, renewal.birth * 1_000_000_000))
            return True
    except (FileNotFoundError, NotOurs):
        return False


def _set_times(queue: Path, descriptor: int, times: tuple[int, int]) -> None:
    """Set the times of the open file. The packaged interpreter takes no descriptor for that (it lacks futimens(3))."""
    try:
        os.utime(f"/proc/self/fd/{descriptor}", ns=times)
    except OSError as error:  # no /proc: that is not the message's having vanished
        raise unreadable(queue, error) from error
