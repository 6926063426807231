# SPDX-License-Identifier: GPL-2.0-or-later
"""How what came of following a catalog is said."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mxbackup import rules
from mxbackup.catalog.codec import LeftOut
from mxbackup.catalog.following import Plan
from mxbackup.catalog.state import Report
from mxbackup.esmith import printable
from mxbackup.rules import Rule
from mxbackup.words.lexicon import Lexicon

SHOWN = 20


def lines(report: Report, words: Lexicon, *, dry_run: bool) -> Iterator[str]:
    """Yield what was done, or with `dry_run` would be, what waits and why, and what is left out."""
    zone, state = report.zone, report.state
    if report.trouble:
        yield words.text("{zone}: {reason} Its rules stay as they were.", zone=zone, reason=report.trouble)
        return
    yield from _plan(report.done, words)
    counts = _counts(report.done)
    if state.refused:
        yield words.text("{zone}: {reason}", zone=zone, reason=state.refused)
    elif dry_run:
        yield words.text(
            "{zone}: would be added: {added}, changed: {changed}, removed: {removed}.", zone=zone, **counts
        )
    else:
        yield words.text("{zone}: added: {added}, changed: {changed}, removed: {removed}.", zone=zone, **counts)
    if report.waits:
        yield words.text("Waiting to be confirmed (mxbackup follow {zone} --confirm):", zone=zone)
        yield from _plan(report.waits, words)
    elif state.waits:
        counts = {"added": state.added, "changed": state.changed, "removed": state.removed}
        yield words.text(
            "Still waiting to be confirmed: {added} added, {changed} changed, {removed} removed. "
            "To see them: mxbackup follow {zone} --dry-run",
            zone=zone, **counts,
        )  # fmt: skip
    if report.done.left_out:
        yield words.text("Left out:")
        yield from _some([_left_out(one, words) for one in report.done.left_out], words)
    if report.done.unwanted:
        yield words.text("Not wanted here by the patterns given: {count}.", count=report.done.unwanted)


def to_json(report: Report, words: Lexicon) -> dict[str, Any]:
    """Return the same as JSON has it."""
    state = report.state
    return {
        "zone": report.zone,
        "serial": state.serial or None,
        "asked": state.asked or None,
        "trouble": words.message(report.trouble) if report.trouble else None,
        "refused": words.message(state.refused) if state.refused else None,
        "done": _names(report.done),
        "waits": _names(report.waits),
        "left_out": [{"member": one.member, "reason": words.message(one.reason)} for one in report.done.left_out],
        "unwanted": report.done.unwanted,
    }


def _plan(plan: Plan, words: Lexicon) -> Iterator[str]:
    for mark, found in (("+", plan.added), ("~", plan.changed), ("-", plan.removed)):
        yield from _some([f"{mark} {_rule(rule)}" for rule in found], words)


def _rule(rule: Rule) -> str:
    return " ".join(filter(None, (rules.shown(rule), f"({rule.kind.value})", rule.route)))


def _left_out(one: LeftOut, words: Lexicon) -> str:
    return "  " + printable.line(f"{one.member}: {words.message(one.reason)}")


def _some(found: Sequence[str], words: Lexicon) -> Iterable[str]:
    more = [words.text("... and {count} more", count=len(found) - SHOWN)] if len(found) > SHOWN else []
    return (*found[:SHOWN], *more)


def _counts(plan: Plan) -> dict[str, int]:
    return {name: len(found) for name, found in _names(plan).items()}


def _names(plan: Plan) -> dict[str, list[str]]:
    return {
        "added": [rule.name for rule in plan.added],
        "changed": [rule.name for rule in plan.changed],
        "removed": [rule.name for rule in plan.removed],
    }
