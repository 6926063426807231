# SPDX-License-Identifier: GPL-2.0-or-later
"""The way that the mail is sent: as meant, the same by every mail system that may be here, and to a good end."""

from collections.abc import Iterable, Iterator

from mxbackup.check.facts import Check, Facts
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.routing.entries import Way, meant_way
from mxbackup.routing.verdict import MailSystem, Verdict, worst

DIFFERS = FindingKind(
    "qmail-differs", Severity.WARNING,
    "Kinds of qmail differ: mail for {name} is {verdict} by {kinds}, and {other} by {others}.",
    "Set the primary's address as route, which makes all do the same: mxbackup set {name} --route ADDRESS",
    "qmail qmail-remote.c",
)  # fmt: skip
BY_CHANCE = FindingKind(
    "by-chance", Severity.WARNING,
    "Exchangers of {name} have equal preference, so chance decides: its mail is {verdict}, or {other}.",
    "Give this server a higher preference number than the primary's, or set the primary's address as route: "
    "mxbackup set {name} --route ADDRESS",
    "RFC 5321 section 5.1",
)  # fmt: skip
STALE = FindingKind(
    "routes-stale", Severity.ERROR,
    "The file {file} does not say what the rule for {name} says.",
    "To see why: mxbackup status",
    "qmail-remote(8)",
)  # fmt: skip
SMARTHOST = FindingKind(
    "smarthost", Severity.WARNING,
    "Mail for {name} goes to the smart host {host}, which follows the MX records and may bring it back.",
    "Let the rule go around it: mxbackup set {name} --smarthost bypass",
    "qmail-remote(8)",
)  # fmt: skip
LOOP = FindingKind(
    "loop", Severity.ERROR,
    "Mail for {name} would go in circles: its way ({to}) leads back to this server.",
    "Set the primary's own name or address as route, or correct the records.",
    "RFC 5321 section 6.3",
)  # fmt: skip
BOUNCE = FindingKind(
    "bounce", Severity.ERROR,
    "This server would send mail for {name} back to its senders at once ({code}).",
    "See to the other findings, or set the primary's address as route: mxbackup set {name} --route ADDRESS",
    "qmail qmail-remote.c",
)  # fmt: skip
DEFER = FindingKind(
    "defer", Severity.WARNING,
    "Mail for {name} stays in this server's queue at present ({code}).",
    "See to the other findings; the mail is tried again, for {days} days in all.",
    "qmail qmail-remote.c",
)  # fmt: skip


def kinds_agree(facts: Facts) -> Iterator[Finding]:
    """Every mail system that may be here does the same with the mail: kinds of qmail, see `qmail_remote.Qmail`."""
    by_result: dict[tuple[Verdict, str], list[MailSystem]] = {}
    worsts = {kind: worst(found) for kind, found in facts.outcomes.items()}
    for kind, delivery in worsts.items():
        by_result.setdefault((delivery.verdict, delivery.code), []).append(kind)
    groups = sorted(by_result.values(), key=lambda kinds: worsts[kinds[0]] != facts.delivery)
    for kinds in groups[1:]:
        yield DIFFERS.found(
            name=facts.name,
            verdict=worsts[groups[0][0]],
            kinds=_named(groups[0]),
            other=worsts[kinds[0]],
            others=_named(kinds),
        )


def nothing_is_left_to_chance(facts: Facts) -> Iterator[Finding]:
    """Exchangers of equal preference, which are tried in any order, come to the same."""
    if found := next((found for found in facts.outcomes.values() if len(found) > 1), None):
        bad = worst(found)
        yield BY_CHANCE.found(name=facts.name, verdict=bad, other=next(other for other in found if other != bad))


def routed_as_meant(facts: Facts) -> Iterator[Finding]:
    """smtproutes on disk says what the rule says; and nothing goes through the smart host unseen."""
    route = facts.route
    if facts.expected_route is not None and route != facts.expected_route and not facts.us.outdated:
        yield STALE.found(name=facts.name, file=facts.us.kinds[0].table)
    elif route is not None and route.host and (route.key == "" or _meant_for_smarthost(facts)):
        yield SMARTHOST.found(name=facts.name, host=route.host)


def verdict_is_good(facts: Facts) -> Iterator[Finding]:
    """What will be done with the mail is right. To be asked where no other check has said why not."""
    verdict, code = facts.delivery.verdict, facts.delivery.code
    if verdict == Verdict.LOOP:
        yield LOOP.found(name=facts.name, to=", ".join(map(str, facts.delivery.to)))
    elif verdict == Verdict.BOUNCE:
        yield BOUNCE.found(name=facts.name, code=code)
    elif verdict == Verdict.DEFER and not facts.contacts:
        yield DEFER.found(name=facts.name, code=code, days=f"{facts.us.lifetime / 86_400:.3g}")


def _named(kinds: Iterable[MailSystem]) -> str:
    return ", ".join(kind.name for kind in kinds)


def _meant_for_smarthost(facts: Facts) -> bool:
    """Whether the rule asks for it: below a domain rule that goes another way it has an entry of its own for that."""
    return facts.rule is not None and meant_way(facts.rule, facts.us.settings) == Way.SMARTHOST


CHECKS: tuple[Check, ...] = (kinds_agree, nothing_is_left_to_chance, routed_as_meant)
