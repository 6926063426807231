# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of mail that arrives here, in one verdict that agrees with what was found."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from mxbackup.check.facts import Facts
from mxbackup.check.findings import acceptance
from mxbackup.errors import Finding, FindingKind
from mxbackup.routing.verdict import Delivery, Verdict
from mxbackup.smtp.replies import Outcome, Reply

# What decides before the mail is sent anywhere. Which of it is refused when some files are not up to date is not known.
_HERE: Mapping[FindingKind, Verdict] = {
    acceptance.NO_RULE: Verdict.REFUSED_HERE,
    acceptance.DISABLED: Verdict.REFUSED_HERE,
    acceptance.NOT_IN_FORCE: Verdict.UNKNOWN,
    acceptance.NOT_RUNNING: Verdict.DEFER,
}
# What a primary that was reached makes of it.
_THERE: Mapping[Outcome, Verdict] = {
    Outcome.REFUSED: Verdict.REFUSED_THERE,
    Outcome.DEFERRED: Verdict.DEFER,
    Outcome.BROKEN: Verdict.DEFER,
}


def of(facts: Facts, findings: Collection[Finding]) -> Delivery:
    """Return what this server, the mail system and the primary together make of a message."""
    kinds = {finding.kind for finding in findings}
    for kind, verdict in _HERE.items():
        if kind in kinds:
            return Delivery(verdict)
    delivery = facts.delivery
    if delivery.verdict != Verdict.DELIVER:
        return delivery
    dead = {target for target, said in facts.contacts.items() if said.outcome == Outcome.UNREACHABLE}
    delivery = replace(delivery, to=tuple(target for target in delivery.to if target not in dead))
    first = next((said for target, said in facts.contacts.items() if target not in dead), None)
    if first and (worse := _THERE.get(first.outcome)):
        return replace(delivery, verdict=worse, code=_code(first.reply))
    return delivery


def _code(reply: Reply) -> str:
    """The enhanced status code of a reply, else its own, empty where there was none."""
    return next(iter(reply.enhanced), str(reply.code) if reply else "")
