# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mail queue answers, whichever mail system it is of."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mxbackup.errors import HostError, QueueError
from mxbackup.queue.holding import Holds
from mxbackup.queue.messages import Message


class Failure(NamedTuple):
    """A message that was given up for a recipient of a name, and when: refused for good, or kept too long."""

    when: int
    message: int | str
    name: str
    expired: bool = False


class Ending(StrEnum):
    """How the delivery of a message ended."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"


class Attempt(NamedTuple):
    """How the last delivery of a message ended, and what the other side or the mail system said of it."""

    ending: Ending
    text: str


@dataclass(frozen=True)
class Reading(ABC):
    """The messages of a queue at one time, and what is known of them.

    lifetime: for how many seconds the mail system keeps a message. silent: why no reasons are known.
    """

    messages: Sequence[Message]
    lifetime: int
    silent: QueueError | None

    @property
    def longest(self) -> int:
        """For how many seconds from its arrival a message can be kept at most."""
        return sys.maxsize

    @abstractmethod
    def reason(self, addresses: Collection[str]) -> str:
        """Return the last answer for any of these addresses; empty when it is not known."""

    @property
    @abstractmethod
    def failures(self) -> Sequence[Failure]:
        """What went back to its senders, as far as it is remembered."""

    @abstractmethod
    def keep(self, holds: Holds) -> int:
        """Keep messages that would expire soon and are to be held longer; return how many. Raises QueueError.

        None is kept beyond its arrival plus the time that `holds` gives: at the end of that it bounces as usual.
        """


class MailQueue(ABC):
    """The queue of one host."""

    @abstractmethod
    def waiting(self) -> list[set[str]]:
        """Return the names elsewhere that each message still waits for. Raises QueueError."""

    @abstractmethod
    def lifetime(self) -> int:
        """Return for how many seconds the mail system keeps a message. Raises QueueError."""

    @abstractmethod
    def read(self, *, past: bool = False) -> Reading:
        """Return what it holds now, and what is known of that; with `past` also if it holds nothing.

        Raises QueueError when any of it cannot be read.
        """

    @abstractmethod
    def make_due(self, messages: Iterable[Message], addresses: Iterable[str]) -> str:
        """Have these messages, for the primaries at these addresses, tried now; return what was used.

        Raises QueueError, HostError.
        """

    @abstractmethod
    def attempt(self, sender: str) -> Attempt | None:
        """Return how the last delivery of the message with this envelope sender ended, as the log has it, if any has.

        Raises QueueError when the log cannot be read.
        """

    @abstractmethod
    def stopped(self) -> HostError | None:
        """Return why nothing in it is tried: the mail system does not run; or None."""
