# SPDX-License-Identifier: GPL-2.0-or-later
"""qmail's queue, read and acted on beside a running qmail-send.

To have mail tried now, `tcpto` then ALRM; to keep it from expiring, `births`. Nothing else is safe then.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from mxbackup.errors import HostError, QueueError
from mxbackup.esmith.host import Host
from mxbackup.queue.holding import Holds
from mxbackup.queue.mailqueue import Attempt, Failure, MailQueue, Reading
from mxbackup.queue.messages import Channel, Message, waiting
from mxbackup.queue.qmail import births, flushing, lifetime, reading, sendlog, tcpto
from mxbackup.queue.qmail.messages import QmailMessage, next_try
from mxbackup.queue.qmail.sendlog import SendLog


@dataclass(frozen=True)
class QmailReading(Reading):
    """What qmail holds, as its files have it, and what the log of qmail-send says of that."""

    path: Path
    now: int
    found: Sequence[QmailMessage]
    log: SendLog

    def reason(self, addresses: Collection[str]) -> str:
        """As the log has it."""
        return self.log.reason(addresses)

    @property
    def failures(self) -> Sequence[Failure]:
        """As far back as the log goes."""
        return self.log.failures

    def keep(self, holds: Holds) -> int:
        """By renewing births."""
        wanted = births.renewals(self.found, holds, self.lifetime, self.now, self.log.running)
        return len(births.renew(self.path, wanted))


class QmailMailQueue(MailQueue):
    """The queue of a host with qmail; `services` are the names that its supervisor may have for qmail-send."""

    def __init__(self, host: Host, services: Sequence[str]) -> None:
        self.host = host
        self.services = services
        self.path = host.path(reading.QUEUE)

    def waiting(self) -> list[set[str]]:
        """What is in todo may be for elsewhere."""
        messages = reading.read(self.path)
        return [{to.name for to in waiting(found.recipients) if to.channel != Channel.LOCAL} for found in messages]

    def lifetime(self) -> int:
        """As qmail-send reads it at its start."""
        return lifetime.read_lifetime(self.host.path(lifetime.QUEUELIFETIME))

    def read(self, *, past: bool = False) -> QmailReading:
        """Without a log there are no reasons. Messages that are still being handed in are left out."""
        found = reading.read(self.path)
        log, silent = SendLog(), None
        if found or past:
            try:
                log = sendlog.read_log(self.host.path(sendlog.LOGS))
            except QueueError as error:
                silent = error
        life = self.lifetime()
        now = int(time.time())
        return QmailReading(as_seen(found, log, life, now), life, silent, self.path, now, found, log)

    def make_due(self, messages: Iterable[Message], addresses: Iterable[str]) -> str:
        """All that qmail holds is tried; what is for primaries that still have their time-outs is put off at once."""
        if self.host.dry:
            tcpto.read_time_outs(self.path)
            return self._alarm()
        return flushing.make_due(self.path, sorted(map(IPv4Address, set(addresses))), self._alarm)

    def attempt(self, sender: str) -> Attempt | None:
        """As qmail-send logs it."""
        return sendlog.attempt(sendlog.read_lines(self.host.path(sendlog.LOGS)), sender)

    def stopped(self) -> HostError | None:
        """As the supervisor of qmail-send says."""
        service = next(filter(self.host.is_stopped, self.services), "")
        return HostError("{service} is not running.", service=service) if service else None

    def _alarm(self) -> str:
        """Have qmail-send try all that waits, now: ALRM, through its supervisor. Return what was used.

        Raises HostError when it is not supervised, does not run, or cannot be signalled.
        """
        service = next(filter(self.host.supervises, self.services), self.services[-1])
        return self.host.alarm(service)


def as_seen(found: Iterable[QmailMessage], log: SendLog, life: int, now: int) -> list[Message]:
    """Return the messages as every queue tells of them, `life` being how many seconds qmail keeps them."""
    return [
        Message(
            message.ident, message.arrival, message.size, message.recipients,
            next_try(message, now, tried=log.tried.get(message.ident)), births.end(message, life),
        )
        for message in found
    ]  # fmt: skip
