# SPDX-License-Identifier: GPL-2.0-or-later
"""Will it work? The checks of rules, and the states that were found at the last of them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup.check import states
from mxbackup.check.states import Remembered
from mxbackup.errors import DatabaseMissing
from mxbackup.esmith.database import Store
from mxbackup.esmith.inventory import Invalid, Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule, RuleSet, names
from mxbackup.service import inspecting, plugin
from mxbackup.service.context import Context

# The checks bring the DNS library; the list of rules shows states without them.
if TYPE_CHECKING:
    from mxbackup.check.collecting import Report
    from mxbackup.lookup.query import Server

# Given how many names there are, what is entered while they are checked, and called after each.
Progress = Callable[[int], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True)
class Checked:
    """What a check found, in the order of the names, and the records that hold no rule."""

    reports: "list[Report]"
    invalid: list[Invalid]


def check(
    context: Context,
    wanted: Sequence[str] = (),
    *,
    public: Iterable[str] = (),
    nameservers: "Sequence[Server]" = (),
    limit: float,
    remember: bool = False,
    progress: Progress = lambda length: nullcontext(lambda: None),
) -> Checked:
    """Check names, all rules without one, in `limit` seconds. What kept one from being checked is in its report.

    `public` addresses lead to this server beside those of the settings; `nameservers` are asked instead of the
    domain's own. With `remember` the states are recorded, and admin is told of those that turned.
    Raises InvalidInput, DatabaseError, HostError, OSError.
    """
    from mxbackup.check import collecting, remembering

    inventory, outdated = _rules_in_force(context)
    chosen = _chosen(wanted, inventory)
    loaded = not plugin.faults(context, inventory)
    checker = collecting.checker_for(
        context.kind, inventory.settings, public, nameservers, inventory.rules, outdated=outdated, plugin=loaded
    )
    remember = remember and inventory.settings.enabled  # else all rules would turn, and turn back, on purpose
    with remembering.alone(context.host.path(remembering.LOCK)) if remember else nullcontext():
        with progress(len(chosen)) as done:
            reports = collecting.check_all(checker, chosen, done, limit)
        if remember:
            _remember(context, reports, inventory.settings, all_rules=not wanted)
    return Checked(reports, inventory.invalid)


def check_soon(context: Context, rule: Rule, budget: float, *, planned: bool = False) -> "Report | None":
    """Check a rule, one that is only `planned` as if it were in force, in `budget` seconds; None if those are too few.

    Raises DatabaseError, HostError, OSError.
    """
    from mxbackup.check import collecting

    inventory = context.inventory()
    checker = collecting.checker_for(
        context.kind,
        inventory.settings,
        rules=inventory.rules,
        planned=rule if planned else None,
        outdated=() if planned else inspecting.outdated(context, inventory),
        plugin=not plugin.faults(context, inventory),
    )
    return collecting.check_within(checker, rule.name, rule, budget)


def remembered(context: Context) -> dict[str, Remembered]:
    """Return the states that the last checks found, by name. Raises DatabaseError."""
    return states.remembered(_store(context))


def _rules_in_force(context: Context) -> tuple[Inventory, list[Path] | None]:
    """The rules, and the files that do not hold them; no rules and None on a machine that is no server."""
    try:
        inventory = context.inventory()
    except DatabaseMissing:
        return Inventory(RuleSet(), [], Settings()), None
    return inventory, inspecting.outdated(context, inventory)


def _chosen(wanted: Sequence[str], inventory: Inventory) -> list[tuple[str, Rule | None]]:
    """The names to check, each with the rule that decides about it."""
    if not wanted:
        return [(rule.name, rule) for rule in inventory.rules]
    parsed = dict.fromkeys(names.parse_host(text) for text in wanted)
    return [(name, inventory.rules.nearest(name)) for name in parsed]


def _remember(context: Context, reports: "Sequence[Report]", current: Settings, *, all_rules: bool) -> None:
    """Record the states of rules, and tell admin in the server's language."""
    from mxbackup.check import remembering
    from mxbackup.esmith import sendmail
    from mxbackup.words import check_mail, lexicon

    def announce(turned: "Sequence[Report]") -> None:
        message = check_mail.mail(turned, current, lexicon.load(lexicon.language_of(current.language)))
        sendmail.send(context.host.path(sendmail.SENDMAIL), message)

    of_rules = [report for report in reports if (rule := report.facts.rule) and rule.name == report.name]
    remembering.remember(_store(context), of_rules, all_rules=all_rules, announce=announce)


def _store(context: Context) -> Store:
    return Store(context.host.database(states.DATABASE), log=lambda lines: None)
