# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a name: a module for each close family, of the kinds of finding and the checks that look.

A check takes the facts and yields findings. It belongs into the CHECKS of its module, in the order they are told in.
"""

from mxbackup.check.facts import Facts
from mxbackup.check.findings import (
    acceptance,
    exchangers,
    existence,
    keptmail,
    mtasts,
    nameservers,
    ourplace,
    primary,
    way,
)
from mxbackup.errors import Finding, Severity

FAMILIES = (existence, nameservers, exchangers, keptmail, ourplace, way, primary, mtasts)


def judge(facts: Facts) -> tuple[Finding, ...]:
    """Return all findings, errors first. The verdict itself is one where no error on the mail's way explains it."""
    found = [finding for family in FAMILIES for check in family.CHECKS for finding in check(facts)]
    if not any(finding.severity == Severity.ERROR for finding in found):
        found += way.verdict_is_good(facts)
    found = [*acceptance.accepted_here(facts), *found]
    return tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity)))
