# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialogues with mail servers during one run of checks: in turn, in bounded time, and in vain only once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mxbackup.lookup.clock import Clock
from mxbackup.routing.verdict import Target
from mxbackup.smtp.client import Dialogue, Question, probe
from mxbackup.smtp.replies import Outcome

# qpsmtpd of an SME Server takes five connections from one address and puts the sixth off.
AT_ONCE_EACH = 4
CONTACT_LIMIT = 10.0  # seconds for one dialogue

Probe = Callable[[str, Question, int, float], Dialogue]


class Turns:
    """Keeps dialogues with one address to AT_ONCE_EACH at a time."""

    def __init__(self) -> None:
        self._turns: dict[str, threading.Semaphore] = {}

    @contextmanager
    def take(self, address: str, clock: Clock) -> Iterator[None]:
        """Wait for a turn with the address, and have it. Raises TimeIsUp."""
        turns = self._turns.setdefault(address, threading.Semaphore(AT_ONCE_EACH))
        if not turns.acquire(timeout=clock.left()):
            clock.over()
        try:
            yield
        finally:
            turns.release()


class Contacts:
    """Holds dialogues, also for several threads. `probe` does it: address, question, port, seconds."""

    def __init__(self, probe: Probe = probe) -> None:
        self._probe = probe
        self._turns = Turns()
        self._silent: dict[Target, Dialogue] = {}

    def hold(self, target: Target, question: Question, clock: Clock) -> Dialogue:
        """Return the dialogue with the target, or the one before that told it to be silent. Raises TimeIsUp."""
        with self._turns.take(target.address, clock):
            if target in self._silent:
                return self._silent[target]
            left = clock.left()
            dialogue = self._probe(target.address, question, target.port, min(CONTACT_LIMIT, left))
            if dialogue.late and left < CONTACT_LIMIT:
                clock.over()
            if dialogue.late or dialogue.outcome == Outcome.UNREACHABLE:
                self._silent[target] = dialogue
            return dialogue
