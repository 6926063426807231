# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail that waits when its rule goes: how much there is, and letting go of its way out once the queue is without it."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

from mxbackup.errors import QueueError
from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients.policies import Known
from mxbackup.rules import Kind, Rule, RuleSet
from mxbackup.service.context import Context
from mxbackup.targets.draining import Waiting


def waiting(context: Context, decides: Callable[[str], bool]) -> Waiting:
    """Return what waits for the names that `decides` is true of. An unreadable queue is in the result."""
    try:
        return Waiting(sum(any(map(decides, message)) for message in context.kind.queue.waiting()))
    except QueueError as trouble:
        return Waiting(trouble=trouble)


def by_rule(context: Context, nearest: Callable[[str], Rule | None]) -> Counter[str]:
    """Return how many messages wait for each rule; `nearest` tells which decides about a name. Raises QueueError."""
    found: Counter[str] = Counter()
    for message in context.kind.queue.waiting():
        found.update({rule.name for rule in map(nearest, message) if rule})
    return found


def removed(context: Context, inventory: Inventory) -> dict[Rule, Waiting]:
    """Return the rules that are removed and draining, and what waits for each. An unreadable queue is in the result."""
    found = [rule for rule in inventory.draining if not inventory.rules.get(rule.name)]
    if not found:
        return {}
    try:
        counts = by_rule(context, inventory.with_draining.nearest)
    except QueueError as trouble:
        return dict.fromkeys(found, Waiting(trouble=trouble))
    return {rule: Waiting(counts[rule.name]) for rule in found}


def end_draining(
    context: Context, inventory: Inventory | None = None, held: Collection[str] | None = None
) -> list[str]:
    """Let go of the way out of rules that are out of force and have no mail left; return their names.

    `held` are the names of the rules that mail waits for; without it the queue is read, if any rule is draining: one
    that cannot be read lets go of nothing. What goes without a command and has mail is noted. Acceptance must have
    ended before the queue is looked at, so a rule that the mail files still accept stays.
    Raises DatabaseError, RenderError, HostError.
    """
    inventory = inventory or context.inventory()
    if not inventory.draining:
        return []
    done = ended(context, inventory, held)
    noted = context.draining.noted()
    for rule in inventory.draining:
        if rule.name not in done | noted and not inventory.rules.get(rule.name):
            context.draining.note(rule)
    done -= _accepted(context, inventory)
    context.draining.forget(done)
    if done & context.draining.written().keys():
        _write_routes(context, done)
    return sorted(done)


def _accepted(context: Context, inventory: Inventory) -> set[str]:
    """Return the names whose draining rules are still as they were in the files that accept mail."""
    on, accepting = inventory.settings.enabled, context.removals.in_force()
    return {name for name, kind in accepting.items() if kind == Kind.DOMAIN or not (on and inventory.rules.get(name))}


def leave(context: Context) -> tuple[str, dict[Rule, Waiting]]:
    """Return the lines that are to stay once we are erased, and for which rules: those that mail waits for.

    A queue that cannot be read counts as holding mail for all. Raises DatabaseError, RenderError.
    """
    inventory = context.inventory()
    if not inventory.settings.routes:
        return "", {}
    try:
        counts = by_rule(context, inventory.with_draining.nearest)
        found = {rule: Waiting(counts[rule.name]) for rule in inventory.with_draining if counts[rule.name]}
    except QueueError as trouble:
        found = dict.fromkeys(inventory.with_draining, Waiting(trouble=trouble))
    text = context.kind.leave(replace(inventory, rules=RuleSet(), draining=RuleSet(found)))
    return (text, found) if text else ("", {})


def ended(context: Context, inventory: Inventory, held: Collection[str] | None = None) -> set[str]:
    """Return the draining rules that no mail waits for; none when the queue cannot be read."""
    try:
        waits = by_rule(context, inventory.with_draining.nearest) if held is None else held
    except QueueError:
        return set()
    return {str(rule.name) for rule in inventory.draining if rule.name not in waits}


def without(inventory: Inventory, done: Collection[str]) -> Inventory:
    """Return the inventory without these draining rules."""
    return replace(inventory, draining=RuleSet(rule for rule in inventory.draining if rule.name not in done))


def _write_routes(context: Context, done: Collection[str]) -> None:
    """Write smtproutes without these rules, unless one was removed anew meanwhile."""
    from mxbackup.service import applying

    def read() -> tuple[Inventory, Known]:
        inventory, known = applying.read_whole(context)
        return without(inventory, set(done) - context.draining.noted()), known

    context.kind.expand(context.kind.way_out, read)
