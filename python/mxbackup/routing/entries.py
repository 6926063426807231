# SPDX-License-Identifier: GPL-2.0-or-later
"""Which way a rule's mail goes, and the entries of `smtproutes` that make it so (qmail-remote(8))."""

from collections.abc import Iterator
from enum import StrEnum

from mxbackup.esmith.settings import Settings
from mxbackup.rules import Kind, Rule, RuleSet, SmartHostUse, names


class Way(StrEnum):
    """Where a rule's mail goes: to its route, through or around the smart host, or by MX where there is none."""

    ROUTE = "route"
    SMARTHOST = "smarthost"
    BYPASS = "bypass"
    MX = "mx"


def meant_way(rule: Rule, settings: Settings) -> Way:
    """Return the way that the rule asks for."""
    if rule.route:
        return Way.ROUTE
    if not settings.smarthost:
        return Way.MX
    return Way.SMARTHOST if rule.smarthost == SmartHostUse.USE else Way.BYPASS


def actual_way(rule: Rule, settings: Settings) -> Way:
    """Return the way that the mail takes on this server; all the same way where the routes of rules do not count."""
    if settings.routes:
        return meant_way(rule, settings)
    return Way.SMARTHOST if settings.smarthost else Way.MX


def entries(rules: RuleSet, settings: Settings) -> Iterator[tuple[Rule, str]]:
    """Yield each rule that needs entries, in the order of the names, and its relay, empty for delivery by MX.

    One that goes where mail goes without an entry needs none, unless it lies below a domain rule whose entry would take
    its mail elsewhere.
    """
    relays: dict[str, str] = {}  # of domain rules with entries: these reach below their names
    for rule in rules:
        way = meant_way(rule, settings)
        relay = _relay(rule, way, settings)
        if way in (Way.MX, Way.SMARTHOST):
            above = next((relays[up] for up in names.parents(rule.name) if up in relays), None) if relays else None
            if above in (None, relay):
                continue
        if rule.kind == Kind.DOMAIN:
            relays[rule.name] = relay
        yield rule, relay


def table(rules: RuleSet, settings: Settings) -> dict[str, str]:
    """Return the entries as `smtproutes` has them: relay by key, `.name` being what lies below the name.

    There is none where MX backup is disabled.
    """
    in_force = rules if settings.enabled else RuleSet()
    return {key: relay for rule, relay in entries(in_force, settings) for key in keys(rule)}


def keys(rule: Rule) -> tuple[str, ...]:
    """Return the keys of a rule's entries: `.dom` does not cover `dom` (qmail-remote(8))."""
    return (rule.name, f".{rule.name}") if rule.kind == Kind.DOMAIN else (rule.name,)


def _relay(rule: Rule, way: Way, settings: Settings) -> str:
    match way:
        case Way.ROUTE:
            return rule.route
        case Way.SMARTHOST:
            return settings.smarthost
        case _:
            return ""
