# SPDX-License-Identifier: GPL-2.0-or-later
"""What the mail queue of this server holds for the rules: read beside a running qmail-send, and never guessed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

from mxbackup import queue
from mxbackup.errors import HostError, QueueElsewhere, QueueError, UnknownRule
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.hosts import kind_of
from mxbackup.queue import Held, Message, SendLog, Summary
from mxbackup.rules import Rule, names

DAY = 86_400  # seconds


@dataclass(frozen=True)
class HeldMail:
    """What is held, by rule; nothing is known of it when `trouble` says why the queue cannot be read.

    `stopped` says why none of it is tried: qmail-send does not run. `silent` says why no reasons are told: the log of
    qmail-send cannot be read.
    """

    summary: Summary = field(default_factory=Summary)
    trouble: QueueError | None = None
    stopped: HostError | None = None
    silent: QueueError | None = None

    def of(self, name: str) -> Held | None:
        """Return what is held for a rule, if anything."""
        return self._by_name.get(name)

    def only(self, wanted: set[str]) -> Summary:
        """Return what is held for these names."""
        rules, others = (
            tuple(held for held in group if held.name in wanted)
            for group in (self.summary.rules, self.summary.without_rule)
        )
        return Summary(rules, others)

    @cached_property
    def _by_name(self) -> dict[str, Held]:
        return {held.name: held for held in self.summary.rules}


@dataclass(frozen=True)
class Reading:
    """The messages of the queue, what the log says of them, and how long they are kept, at one time."""

    now: int
    messages: list[Message]
    log: SendLog
    lifetime: int
    silent: QueueError | None = None

    def summary(self, inventory: Inventory) -> Summary:
        """Return what is held by rule."""
        nearest, holds = inventory.with_draining.nearest, self.holds(inventory)
        return queue.summarise(
            self.messages,
            lambda name: rule.name if (rule := nearest(name)) else None,
            self.now,
            partial(queue.expiry, holds=holds, lifetime=self.lifetime),
            self.log.reason,
            self.log.tried,
        )

    def holds(self, inventory: Inventory) -> Callable[[str], int | None]:
        """Return what tells for how many seconds from its arrival mail for a name is held; None without a rule."""

        def holds(name: str) -> int | None:
            rule = inventory.with_draining.nearest(name)
            return hold(rule, self.lifetime) if rule else None

        return holds


def look(host: Host, inventory: Inventory) -> HeldMail:
    """Return what is held now. Never raises: why nothing is known is in the result."""
    try:
        found = read(host, inventory)
        return HeldMail(found.summary(inventory), silent=found.silent, stopped=kind_of(host).stopped())
    except QueueError as trouble:
        return HeldMail(trouble=trouble)


def read(host: Host, inventory: Inventory, *, with_log: bool = False) -> Reading:
    """Return the queue as it is now, with the log if anything is in it; without a log there are no reasons.

    Raises QueueError.
    """
    if inventory.settings.postfix:
        raise QueueElsewhere("The mail of this server is held by Postfix, whose queue is not read here.")
    messages = kind_of(host).queued()
    log, silent = SendLog(), None
    if messages or with_log:
        try:
            log = queue.read_log(host.path(queue.LOGS))
        except QueueError as error:
            silent = error
    lifetime = queue.read_lifetime(host.path(queue.QUEUELIFETIME))
    return Reading(int(time.time()), messages, log, lifetime, silent)


def chosen(wanted: tuple[str, ...], inventory: Inventory, held: HeldMail) -> set[str]:
    """Return the names that were asked for: each has a rule or held mail. Raises UnknownRule, InvalidName."""
    parsed = {names.parse_host(text): text for text in wanted}
    known = {rule.name for rule in inventory.with_draining} | {other.name for other in held.summary.without_rule}
    for name, text in parsed.items():
        if name not in known:
            raise UnknownRule('There is no rule for "{name}". See: mxbackup list', name=text)
    return set(parsed)


def hold(rule: Rule, lifetime: int) -> int:
    """Return for how many seconds mail of the rule is held: its property, else as long as all mail is."""
    return max(rule.hold * DAY, lifetime) if rule.hold else lifetime  # qmail sends nothing back earlier
