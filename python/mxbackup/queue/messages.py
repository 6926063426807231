# SPDX-License-Identifier: GPL-2.0-or-later
"""What a held message is, whichever mail system holds it. Pure values; times are whole seconds since 1970."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Channel(StrEnum):
    """Whether a recipient's mail stays here or goes elsewhere."""

    LOCAL = "local"
    REMOTE = "remote"


class Recipient(NamedTuple):
    """One recipient. `name` is what stands behind the @, in ASCII lower case; `channel` is None while not yet known."""

    address: str
    name: str
    channel: Channel | None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue, of which its contents are never read.

    ident: what the mail system calls it. arrival: when it came. size: bytes. next: when it is tried next, None when it
    has just come, or nothing of it goes elsewhere. end: from when on a try that fails makes it bounce, if nobody keeps
    it. frozen: whether it is on hold, not tried until the administrator lets it go.
    """

    ident: int | str
    arrival: int
    size: int
    recipients: tuple[Recipient, ...]
    next: int | None
    end: int
    frozen: bool = False


def waiting(recipients: Iterable[Recipient], channel: Channel | None = None) -> Iterator[Recipient]:
    """Yield the recipients that still wait, of one channel or of both."""
    return (to for to in recipients if not to.done and (channel is None or to.channel == channel))


def recipient(address: bytes, channel: Channel | None, done: bool = False) -> Recipient:
    """Return the recipient of that address; bytes that are no UTF-8 become surrogates (PEP 383)."""
    name = address.rpartition(b"@")[2].lower()
    return Recipient(_text(address), _text(name), channel, done)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
