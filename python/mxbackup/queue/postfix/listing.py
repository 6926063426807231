# SPDX-License-Identifier: GPL-2.0-or-later
"""What Postfix tells of its queue: the lines of `postqueue -j`, see JSON OBJECT FORMAT in postqueue(1). Pure.

Who sent a message decides about its addresses, a stranger's server about the reasons.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TEXT = 500  # characters of a reason that are kept
_IDENT = re.compile(r"[0-9A-Za-z]{5,40}")
_NO_SENDER = "MAILER-DAEMON"  # as showq(8) writes the empty one
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Place(StrEnum):
    """Where in the queue a message lies: QSHAPE_README. A requeued one is in `maildrop` until pickup(8) takes it."""

    MAILDROP = "maildrop"
    INCOMING = "incoming"
    ACTIVE = "active"
    DEFERRED = "deferred"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message: its queue ID, its times in seconds since 1970, who still waits for it, and why.

    bounce: whether it has no sender. reasons: by address, of those that any is known of.
    """

    ident: str
    place: Place
    arrival: int
    size: int
    bounce: bool
    addresses: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]


def parse(lines: Iterable[str]) -> list[Entry]:
    """Return the messages, sorted by arrival; one that moved while it was listed counts once, where it came to.

    Raises ValueError for what Postfix never says.
    """
    found = {entry.ident: entry for line in lines if (entry := _entry(json.loads(line))).addresses}
    return sorted(found.values(), key=lambda entry: (entry.arrival, entry.ident))


def _entry(told: Any) -> Entry:
    try:
        recipients = [(_text(to["address"]), clean(_text(to.get("delay_reason", "")))) for to in told["recipients"]]
        return Entry(
            _checked_ident(told["queue_id"]),
            Place(told["queue_name"]),
            int(told["arrival_time"]),
            int(told["message_size"]),
            told["sender"] == _NO_SENDER,
            tuple(address for address, _ in recipients),
            tuple((address, reason) for address, reason in recipients if reason),
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{error!r} in {told!r}"[:TEXT]) from error


def _checked_ident(value: object) -> str:
    """It becomes an argument of programs."""
    if not isinstance(value, str) or not _IDENT.fullmatch(value):
        raise ValueError(f"no queue ID: {value!r}"[:TEXT])
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r}")
    return value


def clean(text: str) -> str:
    """Return what of a reason is kept: nothing in it breaks a line, or a terminal."""
    return _UNSAFE.sub(" ", text[:TEXT]).strip()
