# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a name: a module for each close family, of the kinds of finding and the checks that look.

A check takes the facts and yields findings. It belongs into the CHECKS of its module, in the order they are told in,
and the module into FAMILIES.
"""

from mxbackup.check.facts import Facts, Known
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

# What each family looks at is known for good from then on: what it finds does not turn out wrong later.
FAMILIES = (
    (existence, Known.RECORDS),
    (nameservers, Known.SERVERS),
    (exchangers, Known.RECORDS),
    (keptmail, Known.HERE),
    (ourplace, Known.RECORDS),
    (way, Known.WAY),
    (primary, Known.WAY),
    (mtasts, Known.ALL),
)


def judge(facts: Facts) -> tuple[Finding, ...]:
    """Return all findings that what is known allows, errors first.

    The verdict itself is one where, in the end, no error on the mail's way explains it.
    """
    families = [family for family, after in FAMILIES if after <= facts.known]
    found = [finding for family in families for check in family.CHECKS for finding in check(facts)]
    if facts.known == Known.ALL and not any(finding.severity == Severity.ERROR for finding in found):
        found += way.verdict_is_good(facts)
    found = [*acceptance.accepted_here(facts), *found]
    return tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity)))
