# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in `smtproutes`, and routes that have no effect: qmail-remote(8)."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.expansion import END
from mxbackup.esmith.settings import Settings
from mxbackup.routing.entries import Way, meant_way
from mxbackup.rules import Rule
from mxbackup.targets.lint import controllines
from mxbackup.targets.render import BEGIN

BAD_ROUTE = FindingKind(
    "bad-route", Severity.WARNING,
    "qmail does not take the line as a route.",
    'Write "name:relay", "name:relay:port" or "name:".',
    source="qmail-remote(8)",
)  # fmt: skip
OVERRIDDEN = FindingKind(
    "route-overridden", Severity.ERROR,
    'This line gives "{key}" the route "{route}" instead of the one of the rule, because the last of two counts.',
    "Take it out, or give the rule this route.",
    source="qmail constmap.c",
)  # fmt: skip
POSTFIX = FindingKind(
    "no-routes", Severity.WARNING,
    "Postfix delivers the mail of this server: the routes of rules and the way around the smart host have no "
    "effect here (rules concerned: {count}).",
    "Set them in Postfix.",
    "transport(5) of Postfix",
)  # fmt: skip
POSTFIX_LATER = FindingKind(
    "no-routes", Severity.NOTE,
    "Postfix delivers the mail of this server: routes of rules would have no effect here.",
    source="transport(5) of Postfix",
)  # fmt: skip
NOT_EXPANDED = FindingKind(
    "no-routes", Severity.WARNING,
    "This server has no template for the file, and we leave it alone: the routes of rules and the way around the "
    "smart host have no effect here (rules concerned: {count}).",
    "Write them by hand.",
)  # fmt: skip

_ENTRY = re.compile(rf"(?:\.?{controllines.HOST})?:(?:(?:{controllines.HOST}\.?|\[[0-9.]+\])(?::[0-9]{{1,5}})?)?\Z")


def lint(path: Path, text: str) -> Iterator[Finding]:
    """Yield what is wrong in the text of the file."""
    yield from controllines.dead(path, text, _ENTRY, BAD_ROUTE)
    yield from _overridden(path, text)


def without_effect(path: Path, rules: Iterable[Rule], settings: Settings) -> Iterator[Finding]:
    """Yield why the routes of these rules, and their way around the smart host, do not count here, if that is so."""
    concerned = sum(meant_way(rule, settings) in (Way.ROUTE, Way.BYPASS) for rule in rules)
    if settings.postfix:
        yield POSTFIX.found(path, count=concerned) if concerned else POSTFIX_LATER.found(path)
    elif concerned and not settings.routes:
        yield NOT_EXPANDED.found(path, count=concerned)


def _overridden(path: Path, text: str) -> Iterator[Finding]:
    """Of two equal keys the last counts."""
    ours: dict[str, str] = {}
    inside = seen = False
    for number, line in enumerate(text.split("\n"), 1):
        content = line.rstrip()
        if content in (BEGIN, END):
            inside, seen = content == BEGIN, True
            continue
        key, colon, route = content.partition(":")
        if colon and inside:
            ours[key.lower()] = route
        elif colon and seen and ours.get(key.lower(), route) != route:
            yield OVERRIDDEN.found(path, (number,), key=key, route=route)
