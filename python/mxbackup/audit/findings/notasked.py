# SPDX-License-Identifier: GPL-2.0-or-later
"""Who was not asked, or not as a stranger: what is not known."""

from collections.abc import Iterator, Mapping

from mxbackup.audit.facts import AuditCheck, Audited, Unasked
from mxbackup.check.vantage import Vantage
from mxbackup.errors import Finding, FindingKind, Severity

FROM_SERVER = FindingKind(
    "not-a-stranger", Severity.WARNING,
    "This machine is {exchanger} itself: what that says here is not what it says to strangers.",
    "Run the audit on a machine elsewhere.",
)  # fmt: skip
FROM_NETWORK = FindingKind(
    "not-a-stranger", Severity.WARNING,
    "This machine is in the network of {exchanger}, where other rules hold than for strangers.",
    "Run the audit on a machine elsewhere.",
)  # fmt: skip
LATE = FindingKind(
    "not-asked", Severity.WARNING,
    "{exchanger} was not asked to the end: the time was up.",
    "More time for all: --limit SECONDS",
)  # fmt: skip
TOO_MANY = FindingKind(
    "not-asked", Severity.WARNING,
    "{exchanger} was not asked: there are more mail exchangers, or records of them, than an audit looks at.",
    "Have fewer: no sender tries so many.",
    "RFC 5321 section 5.1",
)  # fmt: skip
FAILED = FindingKind(
    "check-failed", Severity.WARNING,
    "{exchanger} could not be asked because of a fault in this program: {error}",
    "Please report it.",
)  # fmt: skip
SERVERS_LATE = FindingKind(
    "servers-not-asked", Severity.WARNING,
    "The name servers of {name} were not asked to the end: the time was up.",
    "More time for all: --limit SECONDS",
)  # fmt: skip
_FROM: Mapping[Vantage, FindingKind] = {
    Vantage.SERVER: FROM_SERVER,
    Vantage.NETWORK: FROM_NETWORK,
    Vantage.INSIDE: FROM_NETWORK,
}
_UNASKED: Mapping[Unasked, FindingKind] = {
    Unasked.LATE: LATE,
    Unasked.TOO_MANY: TOO_MANY,
    Unasked.FAILED: FAILED,
}


def as_a_stranger(facts: Audited) -> Iterator[Finding]:
    """What a server says to its neighbours is no answer."""
    for one in facts.asked:
        if kind := _FROM.get(one.vantage):
            yield kind.found(exchanger=one.name)


def all_were_asked(facts: Audited) -> Iterator[Finding]:
    """What is not known is not fine."""
    for one in facts.asked:
        if one.unasked and (kind := _UNASKED.get(one.unasked)):
            yield kind.found(exchanger=one.name, error=one.fault)
    if facts.servers_late:
        yield SERVERS_LATE.found(name=facts.name)


CHECKS: tuple[AuditCheck, ...] = (as_a_stranger, all_were_asked)
