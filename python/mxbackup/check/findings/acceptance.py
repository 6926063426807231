# SPDX-License-Identifier: GPL-2.0-or-later
"""This server takes in what is brought to it for the name."""

from collections.abc import Iterator

from mxbackup.check.facts import Facts
from mxbackup.errors import Finding, FindingKind, Severity

NO_RULE = FindingKind(
    "no-rule", Severity.ERROR,
    "There is no rule for {name}: this server refuses its mail.",
    "To make one: mxbackup add {name}",
)  # fmt: skip
DISABLED = FindingKind(
    "disabled", Severity.ERROR,
    "MX backup is disabled: nothing is accepted for {name}.",
    "Run: mxbackup enable",
)  # fmt: skip
NOT_IN_FORCE = FindingKind(
    "not-in-force", Severity.ERROR,
    "The rules as they are now are not in force. These files do not hold them: {paths}",
    "Run: {command}",
)  # fmt: skip
NOT_RUNNING = FindingKind(
    "not-running", Severity.ERROR,
    "{reason} Mail for {name} is not sent on until it does.",
    "Start it, or see its log.",
)  # fmt: skip


def accepted_here(facts: Facts) -> Iterator[Finding]:
    """There is a rule, and it is in force, unless the name is delivered here or this machine has no rules at all."""
    us = facts.us
    if us.outdated is None or facts.local:
        return
    if facts.rule is None:
        yield NO_RULE.found(name=facts.name)
    elif not us.settings.enabled:
        yield DISABLED.found(name=facts.name)
    elif us.outdated:
        yield NOT_IN_FORCE.found(name=facts.name, paths=", ".join(map(str, us.outdated)), command=us.update)
    if facts.rule is not None and us.settings.enabled:
        yield from us.mistakes
        if us.stopped:
            yield NOT_RUNNING.found(name=facts.name, reason=us.stopped)
