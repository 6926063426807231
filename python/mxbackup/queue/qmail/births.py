# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep mail from expiring before its rules' time is up, by renewing the birth of a message: the mtime of its info file.

That is the one change to the queue that is safe while qmail-send runs. It must come before the try that would be the
last begins, which is the first after birth + lifetime: so well before that. The arrival, the mtime in mess, stays.
"""

import os
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from mxbackup.queue.holding import Holds, hold_of, margin
from mxbackup.queue.qmail.messages import QmailMessage
from mxbackup.queue.qmail.places import NotOurs, directory, file, unreadable


@dataclass(frozen=True, slots=True)
class Renewal:
    """The birth that a message is to have instead of the one it was seen with."""

    message: QmailMessage
    birth: int


def end(message: QmailMessage, lifetime: int) -> int:
    """Return from when on a try that fails makes the message bounce, unless it is renewed."""
    return (message.arrival if message.birth is None else message.birth) + lifetime


def renewals(
    messages: Iterable[QmailMessage],
    holds: Holds,
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


def _new_birth(message: QmailMessage, holds: Holds, lifetime: int, now: int) -> int | None:
    if message.birth is None or not message.whole or message.birth + lifetime - now > margin(lifetime):
        return None
    hold = hold_of(message.recipients, holds)
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
