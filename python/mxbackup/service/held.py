# SPDX-License-Identifier: GPL-2.0-or-later
"""What the mail queue of this server holds for the rules: read beside a running mail system, and never guessed."""

from dataclasses import dataclass, field
from functools import cached_property

from mxbackup import queue
from mxbackup.errors import HostError, QueueElsewhere, QueueError, UnknownRule
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.hosts import kind_of
from mxbackup.queue import Held, Holds, Reading, Summary
from mxbackup.rules import Rule, names

DAY = 86_400  # seconds


@dataclass(frozen=True)
class HeldMail:
    """What is held, by rule; nothing is known of it when `trouble` says why the queue cannot be read.

    `stopped` says why none of it is tried: the mail system does not run. `silent` says why no reasons are told.
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


def summary(reading: Reading, inventory: Inventory) -> Summary:
    """Return what is held by rule."""
    nearest = inventory.with_draining.nearest
    return queue.summarise(
        reading.messages,
        lambda name: rule.name if (rule := nearest(name)) else None,
        holds(reading, inventory),
        reading.reason,
    )


def holds(reading: Reading, inventory: Inventory) -> Holds:
    """Return what tells for how many seconds from its arrival mail for a name is held; None without a rule."""

    def held_for(name: str) -> int | None:
        rule = inventory.with_draining.nearest(name)
        return hold(rule, reading) if rule else None

    return held_for


def look(host: Host, inventory: Inventory) -> HeldMail:
    """Return what is held now. Never raises: why nothing is known is in the result."""
    try:
        found = read(host, inventory)
        return HeldMail(summary(found, inventory), silent=found.silent, stopped=kind_of(host).queue.stopped())
    except QueueError as trouble:
        return HeldMail(trouble=trouble)


def read(host: Host, inventory: Inventory, *, past: bool = False) -> Reading:
    """Return the queue as it is now, see `MailQueue.read`. Raises QueueError."""
    if inventory.settings.postfix and not inventory.settings.routes:  # it is not where it would be
        raise QueueElsewhere("The mail of this server is held by Postfix, whose queue is not read here.")
    return kind_of(host).queue.read(past=past)


def chosen(wanted: tuple[str, ...], inventory: Inventory, held: HeldMail) -> set[str]:
    """Return the names that were asked for: each has a rule or held mail. Raises UnknownRule, InvalidName."""
    parsed = {names.parse_host(text): text for text in wanted}
    known = {rule.name for rule in inventory.with_draining} | {other.name for other in held.summary.without_rule}
    for name, text in parsed.items():
        if name not in known:
            raise UnknownRule('There is no rule for "{name}". See: mxbackup list', name=text)
    return set(parsed)


def hold(rule: Rule, reading: Reading) -> int:
    """Return for how many seconds mail of the rule is held: its property, else as long as all mail is."""
    # Nothing is sent back earlier.
    return min(max(rule.hold * DAY, reading.lifetime), reading.longest) if rule.hold else reading.lifetime
