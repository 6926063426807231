# SPDX-License-Identifier: GPL-2.0-or-later
"""The name's MTA-STS policy names this server."""

from collections.abc import Iterator

from mxbackup.check.facts import Check, Facts
from mxbackup.errors import Finding, FindingKind, Severity

SKIPPED = FindingKind(
    "mta-sts-skipped", Severity.NOTE,
    "{name} has an MTA-STS policy, which was not checked: this Python has no TLS.",
    "Run mxbackup check for that name from another machine.",
)  # fmt: skip
UNREADABLE = FindingKind(
    "mta-sts-unreadable", Severity.WARNING,
    "{name} announces an MTA-STS policy that cannot be read.",
    "Its owner must mend https://mta-sts.{name}/.well-known/mta-sts.txt or take the TXT record out.",
    "RFC 8461 section 3.3",
)  # fmt: skip
NOT_LISTED = FindingKind(
    "mta-sts", Severity.ERROR,
    "The MTA-STS policy of {name} does not list this server ({exchanger}): careful senders bring nothing here.",
    "Have the line mx: {exchanger} added to https://mta-sts.{name}/.well-known/mta-sts.txt",
    "RFC 8461 section 5", milder=Severity.WARNING,
)  # fmt: skip


def policy_lists_us(facts: Facts) -> Iterator[Finding]:
    """Else careful senders do not come here."""
    policy, ours = facts.policy, [exchanger.name for exchanger in facts.ours]
    if facts.policy_trouble:
        yield (SKIPPED if facts.policy_trouble == "no-tls" else UNREADABLE).found(name=facts.name)
    elif policy and policy.mode != "none" and ours and not any(map(policy.lists, ours)):
        yield NOT_LISTED.found(name=facts.name, exchanger=", ".join(ours), mild=policy.mode != "enforce")


CHECKS: tuple[Check, ...] = (policy_lists_us,)
