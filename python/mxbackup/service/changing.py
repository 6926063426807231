# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules one by one: get, add, change, remove; and switching all of them on and off.

Each change is followed by an event, unless `event` is False.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mxbackup import rules
from mxbackup.errors import DatabaseMissing, HostError, InvalidInput
from mxbackup.esmith import printable
from mxbackup.esmith.database import Database, log_to_syslog
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import SERVICE_KEY, Settings
from mxbackup.rules import ORIGIN, RECORD_TYPE, Rule, names
from mxbackup.service import records, removing
from mxbackup.service.context import Context
from mxbackup.service.draining import waiting
from mxbackup.service.removing import Removal as Removal
from mxbackup.targets.draining import NOTHING, Waiting


@dataclass(frozen=True)
class Change:
    """What a change did: the rule as it now stands, the domain rule that covers it, if any, and the settings.

    `left` is the catalog that the rule was followed from, and is not any more.
    """

    rule: Rule
    covered_by: Rule | None
    settings: Settings
    left: str = ""


def get(context: Context, name: str) -> Rule:
    """Return one rule. Raises UnknownRule, or InvalidInput when its record holds none."""
    domains = context.domains.read()
    return records.rule_of(domains, records.key_of(domains, name))


def stamp(context: Context, name: str) -> str:
    """Return what tells the record as it stands from any other, to be given back as `expected`.

    Raises UnknownRule.
    """
    domains = context.domains.read()
    return records.stamp_of(domains, records.key_of(domains, name))


def add(context: Context, rule: Rule, *, event: bool = True) -> Change:
    """Record a new rule. One that was removed and still drains keeps its past, as the mail of it that waits does.

    Raises InvalidRule, DatabaseError, HostError.
    """

    def change(domains: Database) -> Change:
        near = records.near(domains, rule.name)
        current = context.settings(domains)
        rules.check_new(rule, near, current.local)
        records.refuse_taken(domains, rule.name)
        domains.set(rule.name, RECORD_TYPE, rules.to_properties(rule))
        return Change(rule, near.covering(rule.name), current)

    context.prepare(event)
    drains = _drains(context, rule)
    done = context.domains.update(change)
    context.draining.forget([rule.name])
    if not drains:
        _forget_past(context, rule)
    context.signal(event, "mxbackup-create", rule.name)
    return done


def change(
    context: Context, name: str, properties: Mapping[str, str | None], *, expected: str = "", event: bool = True
) -> Change:
    """Change some properties of a rule; None removes one. Mends an invalid record if that makes it a rule.

    A rule that was followed from a catalog is one that was made here, once it says something else than that.

    Raises UnknownRule, InvalidInput, DatabaseError, HostError; ChangedMeanwhile when the record is not the
    one whose stamp is `expected`.
    """

    def revise(domains: Database) -> Change:
        key = records.key_of(domains, name)
        records.refuse_stale(domains, key, expected)
        rule, recorded = rules.revise(key, records.record_of(domains, key, name).properties, properties)
        current = context.settings(domains)
        rules.check_local(rule, current.local)
        left = records.origin_of(domains, key) if _made_here(domains, key, rule) else ""
        domains.set(key, RECORD_TYPE, {**recorded, ORIGIN: None} if left else recorded)
        return Change(rule, records.near(domains, rule.name).covering(rule.name), current, left)

    context.prepare(event)
    done = context.domains.update(revise)
    context.signal(event, "mxbackup-modify", done.rule.name)
    return done


def remove(context: Context, name: str, *, expected: str = "", event: bool = True) -> Removal:
    """Remove a rule, or a record that holds none. Raises UnknownRule and the like.

    Raises ChangedMeanwhile when the record is not the one whose stamp is `expected`.
    """
    return removing.remove(context, {name: expected}, event=event)[0]


def draining_rule(inventory: Inventory, name: str) -> Rule | None:
    """Return the rule of that name that was removed and drains, if there is one. Raises InvalidName."""
    return None if inventory.rules.get(key := names.parse_host(name)) else inventory.draining.get(key)


def held_in_all(context: Context) -> Waiting:
    """Return the mail that waits for all rules and would keep its way out if they were disabled."""
    inventory = context.inventory()
    if not inventory.settings.routes:
        return NOTHING
    return waiting(context, lambda name: inventory.rules.nearest(name) is not None)


def enable(context: Context, on: bool, *, event: bool = True) -> Waiting:
    """Switch MX backup on or off for all rules, which stay recorded; return the mail whose way out stays all the same.

    Raises DatabaseError, HostError.
    """
    status = "enabled" if on else "disabled"
    waits = NOTHING if on else held_in_all(context)
    context.prepare(event)
    context.configuration.update(lambda database: database.set(SERVICE_KEY, "service", {"status": status}))
    context.signal(event, "mxbackup-update")
    return waits


def _made_here(domains: Database, key: str, rule: Rule) -> bool:
    """Whether the rule is other than a catalog would have it: other than in what each server has to itself."""
    try:
        before = records.rule_of(domains, key)
    except InvalidInput:
        return True
    return any(prop.text(rule) != prop.text(before) for prop in rules.PROPERTIES if prop.carried)


def _drains(context: Context, rule: Rule) -> bool:
    """Whether a rule of the name was removed and mail of it still waits."""
    try:
        return context.inventory().draining.get(rule.name) is not None
    except DatabaseMissing:  # there was none
        return False


def _forget_past(context: Context, rule: Rule) -> None:
    """What happened to an older rule of the name is not shown for a new one."""
    from mxbackup.service.outages import Outages

    try:
        Outages(context.host).forget([rule.name])
    except HostError as error:  # the rule stands all the same
        log_to_syslog([printable.line(str(error))])
