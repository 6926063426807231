# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of the how-to that a rule has come through, and the word of who has tested from outside."""

import time

from mxbackup.errors import HostError, InvalidInput
from mxbackup.esmith import printable
from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import Event, Happening, State
from mxbackup.outage.steps import Force, Steps, steps
from mxbackup.rules import Rule
from mxbackup.service import changing, inspecting
from mxbackup.service.context import Context
from mxbackup.service.outages import Known, Outages, known_now

LONGEST = 100  # characters of who has tested


def look(context: Context, inventory: Inventory, rule: Rule, known: Known | None = None) -> Steps:
    """Return the steps of a rule; nothing is asked, only remembered. Raises DatabaseError."""
    force = _force(context, inventory)
    known = known or known_now(context.host)
    try:
        events = Outages(context.host).past(rule.name).events
    except HostError:
        return Steps(force, known=False)
    return Steps(force, known=False) if known.damage else steps(force, known.states.get(rule.name, State()), events)


def server(context: Context, inventory: Inventory) -> str:
    """Return the name that the world has for this server; empty where its mail system does not tell."""
    try:
        return next(iter(context.kind.names(inventory.settings)), "")
    except (HostError, OSError):
        return ""


def record_test(context: Context, name: str, by: str) -> Rule:
    """Remember that somebody has tested a rule from outside, now. Raises UnknownRule, InvalidInput, HostError."""
    rule = changing.get(context, name)
    by = by.strip()
    if not by or len(by) > LONGEST or printable.line(by) != by:
        raise InvalidInput("Say who has tested in one line of at most {count} characters.", count=LONGEST)
    Outages(context.host).note(Event(int(time.time()), Happening.TESTED, rule.name, reason=by))
    return rule


def _force(context: Context, inventory: Inventory) -> Force:
    if not inventory.settings.enabled:
        return Force.OFF
    return Force.OUTDATED if inspecting.outdated(context, inventory) else Force.ACTIVE
