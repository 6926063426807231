# SPDX-License-Identifier: GPL-2.0-or-later
"""What this server itself does with mail that it takes in for the name, instead of passing it on to the primary."""

from collections.abc import Iterator

from mxbackup.check.facts import Check, Facts
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.rules import Recipients
from mxbackup.targets.lint import keptmail

PLUGIN = FindingKind(
    "plugin", Severity.WARNING,
    "qpsmtpd does not ask our plugin: mail for hosts below {name} may be refused.",
    "Run: mxbackup action load-plugin. To see more: mxbackup status",
)  # fmt: skip
PLUGIN_WITH_RECIPIENTS = FindingKind(
    "plugin", Severity.ERROR,
    "qpsmtpd does not ask our plugin: which recipients {name} has counts for nothing.",
    "Run: mxbackup action load-plugin. To see more: mxbackup status",
)  # fmt: skip
VIRTUAL_DOMAIN = FindingKind(
    "local-domain", Severity.ERROR,
    'This server keeps the mail of {name} instead of passing it on: virtualdomains says so by "{line}".',
    'Take the line out, or add the exception "{name}:".',
    "qmail-send(8)",
)  # fmt: skip
LOCAL_DOMAIN = FindingKind(
    "local-domain", Severity.ERROR,
    "{name} is a local domain of this server, which keeps its mail instead of passing it on.",
    "Remove the local domain, or the rule.",
    "qmail-send(8)",
)  # fmt: skip


def recipients_are_told_apart(facts: Facts) -> Iterator[Finding]:
    """qpsmtpd asks our plugin, and in time: see `qpsmtpdplugin`."""
    rule = facts.rule
    if rule and not facts.local and facts.us.settings.enabled and not facts.us.plugin:
        yield (PLUGIN if rule.recipients == Recipients.ANY else PLUGIN_WITH_RECIPIENTS).found(name=facts.name)


def not_local(facts: Facts) -> Iterator[Finding]:
    """The name's mail is not kept here."""
    line = facts.us.settings.local.delivers(facts.name)
    if line and line != facts.name:
        yield VIRTUAL_DOMAIN.found(name=facts.name, line=line)
    elif line:
        yield LOCAL_DOMAIN.found(name=facts.name)


def goes_nowhere_else(facts: Facts) -> Iterator[Finding]:
    """No name whose mail is accepted here relays by `percenthack`."""
    for name in sorted(facts.us.settings.local.percenthack):
        if name == facts.name or (facts.rule and facts.rule.covers(name)):
            yield keptmail.RELAYS.found(keptmail.PERCENTHACK, name=name)


CHECKS: tuple[Check, ...] = (recipients_are_told_apart, not_local, goes_nowhere_else)
