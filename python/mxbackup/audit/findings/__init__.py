# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with the mail exchangers of a domain: a module for each close family, as in `check.findings`.

What is the same for whoever has a rule is judged by the families of `check`.
"""

from mxbackup.audit.facts import Audited
from mxbackup.audit.findings import encryption, notasked, places, replies
from mxbackup.check.findings import exchangers, nameservers
from mxbackup.errors import Finding, Severity

FAMILIES = (places, replies, encryption, notasked)


def judge(facts: Audited) -> tuple[Finding, ...]:
    """Return all findings, errors first."""
    found = [finding for family in FAMILIES for check in family.CHECKS for finding in check(facts)]
    for check in (*nameservers.CHECKS, exchangers.exchangers_are_hosts):
        found += check(facts)
    return tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity)))
