# SPDX-License-Identifier: GPL-2.0-or-later
"""What a message held by qmail is, and when qmail-send tries it again. Pure values.

Follows nextretry(), pass_dochan() and todo_do() of qmail-send.c (notqmail 1.08). Times are whole seconds since 1970,
as qmail-send reckons.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isqrt

from mxbackup.queue.messages import Channel, Recipient, waiting


class Sender(StrEnum):
    """What kind of sender a message has: an ordinary one, a list's VERP pattern, none (a bounce), or `#@[]`."""

    ORDINARY = "ordinary"
    VERP = "verp"
    BOUNCE = "bounce"
    DOUBLE_BOUNCE = "double bounce"


@dataclass(frozen=True, slots=True)
class QmailMessage:
    """One message of the queue as its files have it, of which its contents are never read.

    ident: the number that names its files. place: the directory of the split it lies in.
    birth: the time its age is reckoned from, None while it is in todo, where its channels are not known yet.
    arrival: when it came. size: bytes. stamps: the times of the channels' files.
    whole: False when a file of it is only half-written.
    """

    ident: int
    place: str
    sender: Sender
    birth: int | None
    arrival: int
    size: int
    recipients: tuple[Recipient, ...]
    stamps: tuple[tuple[Channel, int], ...] = ()
    whole: bool = True


_SKIP = {Channel.LOCAL: 10, Channel.REMOTE: 20}


def retry(birth: int, tried: int, channel: Channel = Channel.REMOTE) -> int:
    """Return when a channel is tried again after the try at `tried`: nextretry() of qmail-send.c."""
    return birth + (isqrt(max(tried - birth, 0)) + _SKIP[channel]) ** 2


def next_try(
    message: QmailMessage, now: int, channel: Channel = Channel.REMOTE, tried: int | None = None
) -> int | None:
    """Return when qmail-send tries the channel next, as far as can be told from outside; None when it has nothing to.

    `tried` is the time of its last try, if the log tells it. Without, the time of the channel's file counts while
    it is to come, as qmail-send read that at its start, or wrote it at its end. Else it is the next time of the
    schedule that began at the birth.
    """
    if message.birth is None or not any(waiting(message.recipients, channel)):
        return None
    if tried is not None and tried >= message.birth:
        return retry(message.birth, tried, channel)
    stamp = dict(message.stamps).get(channel, 0)
    return stamp if stamp > now else _on_schedule(message.birth, now, channel)


def _on_schedule(birth: int, now: int, channel: Channel) -> int:
    """Return the first time after `now` of a schedule that nothing disturbed: the birth plus squares of the skip."""
    if now < birth:
        return birth
    skip = _SKIP[channel]
    return birth + (isqrt(now - birth) // skip * skip + skip) ** 2


def kind_of_sender(sender: bytes) -> Sender:
    """Return what kind of sender that is: see addresses(5)."""
    if not sender:
        return Sender.BOUNCE
    if sender == b"#@[]":
        return Sender.DOUBLE_BOUNCE
    return Sender.VERP if sender.endswith(b"-@[]") else Sender.ORDINARY
