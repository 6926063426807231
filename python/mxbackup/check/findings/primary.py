# SPDX-License-Identifier: GPL-2.0-or-later
"""The primary can be reached, and takes bounces for its postmaster from this server."""

from collections.abc import Iterator, Mapping

from mxbackup.check.facts import Check, Facts
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.routing.verdict import NOBODY_ANSWERS
from mxbackup.smtp.replies import Outcome

NOT_ALL_TRIED = FindingKind(
    "not-all-tried", Severity.NOTE,
    "{name} has so many mail exchangers that only {count} addresses were tried.",
    "Nothing to do, unless all of them are down.",
)  # fmt: skip
UNREACHABLE = FindingKind(
    "primary-unreachable", Severity.WARNING,
    "The primary of {name}, {target}, cannot be reached at present: {reply}",
    "If it is not known to be down, check its address, port and firewall.",
)  # fmt: skip
BROKEN = FindingKind(
    "primary-broken", Severity.WARNING,
    "The primary of {name}, {target}, does not speak SMTP properly: {reply}",
    "Its administrator must see to its mail server.",
    "RFC 5321 section 4.2",
)  # fmt: skip
REFUSES = FindingKind(
    "primary-refuses", Severity.ERROR,
    "The primary of {name}, {target}, refuses mail from this server: {reply}",
    "Its administrator must let this server in and accept mail for postmaster@{name}.",
    "RFC 5321 sections 4.5.1, 6.1",
)  # fmt: skip
DEFERS = FindingKind(
    "primary-defers", Severity.WARNING,
    "The primary of {name}, {target}, puts mail from this server off: {reply}",
    "Its administrator should exempt this server from greylisting and limits.",
    "RFC 5321 section 4.5.4",
)  # fmt: skip
_BY_OUTCOME: Mapping[Outcome, FindingKind] = {
    Outcome.UNREACHABLE: UNREACHABLE,
    Outcome.BROKEN: BROKEN,
    Outcome.REFUSED: REFUSES,
    Outcome.DEFERRED: DEFERS,
}


def all_were_tried(facts: Facts) -> Iterator[Finding]:
    """No more targets than a check may connect to, unless one of them answers."""
    untried = set(facts.delivery.to) - facts.contacts.keys()
    if facts.delivery.code == NOBODY_ANSWERS and untried:
        yield NOT_ALL_TRIED.found(name=facts.name, count=len(facts.contacts))


def primary_answers(facts: Facts) -> Iterator[Finding]:
    """Each target that was asked takes the mail."""
    for target, dialogue in facts.contacts.items():
        if kind := _BY_OUTCOME.get(dialogue.outcome):
            yield kind.found(name=facts.name, target=target, reply=dialogue.reply or dialogue.trouble)


CHECKS: tuple[Check, ...] = (all_were_tried, primary_answers)
