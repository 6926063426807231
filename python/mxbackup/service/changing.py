# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules one by one: get, add, change, remove; and switching all of them on and off.

Each change is followed by an event, unless `event` is False.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from mxbackup import rules
from mxbackup.errors import ChangedMeanwhile, InvalidInput, InvalidRule, MxBackupError, UnknownRule
from mxbackup.esmith.database import Database, Record
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import SERVICE_KEY, Settings
from mxbackup.rules import RECORD_TYPE, Rule, RuleSet, names
from mxbackup.service.context import Context
from mxbackup.service.draining import waiting
from mxbackup.targets.draining import NOTHING, Waiting


@dataclass(frozen=True)
class Change:
    """What a change did: the rule as it now stands, the domain rule that covers it, if any, and the settings."""

    rule: Rule
    covered_by: Rule | None
    settings: Settings


@dataclass(frozen=True)
class Removal:
    """What a removal did: the key of the record, and the domain rule by which its mail stays accepted, if any.

    `waiting` is the mail that still waits for it, whose way out stays.
    """

    key: str
    covered_by: Rule | None = None
    waiting: Waiting = NOTHING


def get(context: Context, name: str) -> Rule:
    """Return one rule. Raises UnknownRule, or InvalidInput when its record holds none."""
    domains = context.domains.read()
    return _read(domains, _key(domains, name))


def stamp(context: Context, name: str) -> str:
    """Return what tells the record as it stands from any other, to be given back as `expected`.

    Raises UnknownRule.
    """
    domains = context.domains.read()
    return _stamp(domains, _key(domains, name))


def add(context: Context, rule: Rule, *, event: bool = True) -> Change:
    """Record a new rule. Raises InvalidRule, DatabaseError, HostError."""

    def change(domains: Database) -> Change:
        near = _near(domains, rule.name)
        current = context.settings(domains)
        rules.check_new(rule, near, current.local)
        _refuse_other_record(domains, rule)
        domains.set(rule.name, RECORD_TYPE, rules.to_properties(rule))
        return Change(rule, near.covering(rule.name), current)

    context.prepare(event)
    done = context.domains.update(change)
    context.draining.forget([rule.name])
    context.signal(event, "mxbackup-create", rule.name)
    return done


def change(
    context: Context, name: str, properties: Mapping[str, str | None], *, expected: str = "", event: bool = True
) -> Change:
    """Change some properties of a rule; None removes one. Mends an invalid record if that makes it a rule.

    Raises UnknownRule, InvalidInput, DatabaseError, HostError; ChangedMeanwhile when the record is not the
    one whose stamp is `expected`.
    """

    def revise(domains: Database) -> Change:
        key = _key(domains, name)
        _refuse_stale(domains, key, expected)
        rule, recorded = rules.revise(key, _record(domains, key, name).properties, properties)
        current = context.settings(domains)
        rules.check_local(rule, current.local)
        domains.set(key, RECORD_TYPE, recorded)
        return Change(rule, _near(domains, rule.name).covering(rule.name), current)

    context.prepare(event)
    done = context.domains.update(revise)
    context.signal(event, "mxbackup-modify", done.rule.name)
    return done


def remove(context: Context, name: str, *, expected: str = "", event: bool = True) -> Removal:
    """Remove a rule, or a record that holds none. Raises UnknownRule and the like.

    Raises ChangedMeanwhile when the record is not the one whose stamp is `expected`.
    """

    def delete(domains: Database) -> Removal:
        key = _key(domains, name)
        _refuse_stale(domains, key, expected)
        current = context.settings(domains)
        cover = _near(domains, key).covering(key) if current.enabled else None
        if waits := _waiting(context, domains, key, current):
            context.draining.note(_read(domains, key))
        domains.delete(key)
        return Removal(key, cover, waits)

    context.prepare(event)
    done = context.domains.update(delete)
    context.removals.note([done.key])
    context.signal(event, "mxbackup-delete", done.key)
    return done


def draining_rule(inventory: Inventory, name: str) -> Rule | None:
    """Return the rule of that name that was removed and drains, if there is one. Raises InvalidName."""
    return None if inventory.rules.get(key := names.parse_host(name)) else inventory.draining.get(key)


def held(context: Context, name: str) -> Waiting:
    """Return the mail that waits for a rule and would keep its way out if it were removed. Raises UnknownRule."""
    domains = context.domains.read()
    return _waiting(context, domains, _key(domains, name), context.settings(domains))


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


def _waiting(context: Context, domains: Database, key: str, current: Settings) -> Waiting:
    """Return the mail that waits for the rule and that no other rule in force takes care of."""
    try:
        rule = _read(domains, key)
    except InvalidInput:
        return NOTHING
    if not current.routes or (current.enabled and _near(domains, key).covering(key)):
        return NOTHING
    return waiting(context, lambda name: _near(domains, name).nearest(name) == rule)


def _key(domains: Database, name: str) -> str:
    """Return the key of our record that `name` means: exactly as typed, or as a domain name."""
    key = name
    if key not in domains:
        key = names.parse_host(name)
    _record(domains, key, name)
    return key


def _record(domains: Database, key: str, asked: str) -> Record:
    """Return our record of that key. Raises UnknownRule, which names it as it was asked for."""
    record = domains.get(key)
    if record is None or record.type != RECORD_TYPE:
        raise UnknownRule('There is no rule for "{name}". See: mxbackup list', name=asked)
    return record


def _stamp(domains: Database, key: str) -> str:
    return hashlib.sha256(domains.raw[key.encode("utf-8", "surrogateescape")]).hexdigest()


def _refuse_stale(domains: Database, key: str, expected: str) -> None:
    if expected and expected != _stamp(domains, key):
        raise ChangedMeanwhile(
            '"{name}" was changed by someone else meanwhile, and nothing of yours was recorded. '
            "Look at it as it is now, and change it again if need be.",
            name=names.to_unicode(key),
        )


def _read(domains: Database, key: str) -> Rule:
    return rules.from_record(key, _record(domains, key, key).properties)[0]


def _near(domains: Database, name: str) -> RuleSet:
    """The valid rules for the name and for the domains it lies in."""
    found = []
    for key in (name, *names.parents(name)):
        with suppress(MxBackupError):
            found.append(_read(domains, key))
    return RuleSet(found)


def _refuse_other_record(domains: Database, rule: Rule) -> None:
    record = domains.get(rule.name)
    if record is not None:
        raise InvalidRule(
            "name",
            'The domains database has a record "{name}" of type "{type}" already. Remove that one first.',
            name=rule.name,
            type=record.type,
        )
