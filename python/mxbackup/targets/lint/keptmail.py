# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail of rules that `virtualdomains` keeps here or `percenthack` sends on to anywhere: qmail-send(8)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.host import CONTROL
from mxbackup.rules import RuleSet, localmail
from mxbackup.rules.localmail import LocalMail

VIRTUALDOMAINS, PERCENTHACK = CONTROL / "virtualdomains", CONTROL / "percenthack"
_SOURCE = "qmail-send(8)"

RELAYS = FindingKind(
    "percenthack", Severity.ERROR,
    "Mail for user%there@{name} would be sent on to user@there, for anybody and to anywhere: an open relay.",
    "Take {name} out of {path}, then restart qmail.",
    source=_SOURCE,
)  # fmt: skip
ADDRESS_KEPT = FindingKind(
    "address-kept-here", Severity.NOTE,
    "Mail for {address} is delivered here and not passed on, though there is a rule for {name}.",
    source=_SOURCE,
)  # fmt: skip
NAME_KEPT = FindingKind(
    "kept-here", Severity.WARNING,
    'Mail for "{key}" is delivered here and not passed on, though the rule for {name} reaches there.',
    "Take the line out, or give the rule the kind host.",
    source=_SOURCE,
)  # fmt: skip


def lint(texts: Mapping[Path, str], rules: RuleSet, local: LocalMail) -> Iterator[Finding]:
    """Yield what is wrong in the texts of both files, for these rules."""
    yield from _relays(texts.get(PERCENTHACK, ""), rules)
    yield from _kept(texts.get(VIRTUALDOMAINS, ""), rules, local)


def _relays(text: str, rules: RuleSet) -> Iterator[Finding]:
    """`user%else@name` of these names, exactly, is delivered to `user@else`, wherever that is."""
    for number, line in _lines(text):
        if rules.nearest(line.lower()):
            yield RELAYS.found(PERCENTHACK, (number,), name=line)


def _kept(text: str, rules: RuleSet, local: LocalMail) -> Iterator[Finding]:
    """Where it is all that a rule accepts, the rule is left out."""
    for number, line in _lines(text):
        key, colon, user = line.lower().partition(":")
        name = key.rpartition("@")[2]
        # Any name below stands for all that a wildcard takes.
        rule = rules.nearest(f"any{name}" if name.startswith(".") else name) if colon and user else None
        if rule and key != name:
            yield ADDRESS_KEPT.found(VIRTUALDOMAINS, (number,), address=key, name=rule.name)
        elif rule and key not in local.names:
            yield NAME_KEPT.found(VIRTUALDOMAINS, (number,), key=key, name=rule.name)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return localmail.control_lines(text.encode("utf-8", "surrogateescape"))
