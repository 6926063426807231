# SPDX-License-Identifier: GPL-2.0-or-later
"""What the exchangers say to a stranger: they take mail for who exists, and for nobody else."""

from collections.abc import Iterator, Mapping

from mxbackup.audit.facts import Asked, AuditCheck, Audited
from mxbackup.check.vantage import Vantage
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.smtp.replies import Outcome

OUT_OF_REACH = FindingKind(
    "out-of-reach", Severity.WARNING,
    "No mail exchanger of {name} can be reached from here: {reply}",
    "Most providers let no customer connect to port 25: try it from a server. If others cannot reach them either, "
    "mail waits at its senders.",
    "RFC 5321 section 4.5.4",
)  # fmt: skip
UNREACHABLE = FindingKind(
    "mx-unreachable", Severity.ERROR,
    "The mail exchanger {exchanger} cannot be reached: {reply}",
    "Its administrator must see to its address, its port 25 and its firewall.",
    "RFC 5321 section 4.5.4",
)  # fmt: skip
BROKEN = FindingKind(
    "mx-broken", Severity.ERROR,
    "The mail exchanger {exchanger} does not speak SMTP properly: {reply}",
    "Its administrator must see to its mail server.",
    "RFC 5321 section 4.2",
)  # fmt: skip
TURNS_AWAY = FindingKind(
    "mx-turns-away", Severity.WARNING,
    "The mail exchanger {exchanger} does not let this machine name a recipient: {reply}",
    "Ask from a machine with a fixed address that is on no block list; if that is told the same, its administrator "
    "must see to it.",
    "RFC 5321 section 3.1",
)  # fmt: skip
NO_SUCH_RECIPIENT = FindingKind(
    "recipient-refused", Severity.ERROR,
    "The primary {exchanger} refuses {recipient}: {reply}",
    "Give an address that exists: --recipient ADDRESS. postmaster must exist in every domain. "
    "If the reply is about this machine (a block list), ask from a server.",
    "RFC 5321 section 4.5.1",
)  # fmt: skip
FORGOTTEN = FindingKind(
    "backup-refuses", Severity.ERROR,
    "The backup {exchanger} refuses {recipient}: {reply}",
    "Its administrator must make a rule for {name} (mxbackup add {name}), and see that it is in force; "
    "or take its MX record out: as it is, it sends mail back to the senders. "
    "If the reply is about this machine (a block list), ask from a server.",
    "RFC 5321 section 3.6.2",
)  # fmt: skip
DEFERS = FindingKind(
    "mx-defers", Severity.WARNING,
    "The mail exchanger {exchanger} puts mail for {recipient} off: {reply}",
    "If that lasts for more than some minutes (greylisting), its administrator must see to it. A backup that does so "
    "only while the primary is up is as it should be.",
    "RFC 5321 section 4.2.1", milder=Severity.NOTE,
)  # fmt: skip
ACCEPTS_NOBODY = FindingKind(
    "accepts-nobody", Severity.WARNING,
    "{exchanger} accepts mail for somebody who does not exist ({recipient}), and can only send it back later, "
    "mostly to people who have sent nothing.",
    "Have it accept only the recipients that exist; with this program: mxbackup set {name} --recipients learn",
    "RFC 5321 section 3.3", milder=Severity.NOTE,
)  # fmt: skip
OPEN_RELAY = FindingKind(
    "open-relay", Severity.ERROR,
    "{exchanger} accepts mail for {recipient}, which is none of its affair, so it may be an open relay: "
    "such servers are soon on block lists, and deliver nothing any more.",
    "Its administrator must let it accept mail for its own domains, and those of its rules, only.",
    "RFC 5321 section 7.9",
)  # fmt: skip
_TROUBLES: Mapping[Outcome, FindingKind] = {Outcome.UNREACHABLE: UNREACHABLE, Outcome.BROKEN: BROKEN}


def exchangers_answer(facts: Audited) -> Iterator[Finding]:
    """Each exchanger can be reached, speaks SMTP, and lets a stranger come to his recipient."""
    if facts.out_of_reach:
        yield OUT_OF_REACH.found(name=facts.name, reply=next(one.said for one in facts.asked if one.dialogue))
        return
    for one in facts.asked:
        if one.dialogue and (kind := _TROUBLES.get(one.dialogue.outcome)):
            yield kind.found(exchanger=one.name, reply=one.said)
        elif one.outcome == Outcome.REFUSED and not one.refuses:
            yield TURNS_AWAY.found(exchanger=one.name, reply=one.said)


def who_exists_is_accepted(facts: Audited) -> Iterator[Finding]:
    """What a primary refuses a backup may refuse, too."""
    for one in facts.primaries:
        if one.refuses:
            yield NO_SUCH_RECIPIENT.found(exchanger=one.name, recipient=facts.recipient, reply=one.said)
    if not any(one.refuses for one in facts.primaries):
        for one in facts.backups:
            if one.refuses:
                yield FORGOTTEN.found(name=facts.name, exchanger=one.name, recipient=facts.recipient, reply=one.said)
    for one in facts.asked:
        if one.outcome == Outcome.DEFERRED:
            backup = one in facts.backups
            yield DEFERS.found(exchanger=one.name, recipient=facts.recipient, reply=one.said, mild=backup)


def who_does_not_exist_is_refused(facts: Audited) -> Iterator[Finding]:
    """A primary may take all that comes, and its backups then with it."""
    catch_all = any(one.accepts_nobody for one in facts.primaries)
    for one in _seen_from_outside(facts):
        if one.accepts_nobody:
            yield ACCEPTS_NOBODY.found(name=facts.name, exchanger=one.name, recipient=facts.nobody, mild=catch_all)


def strangers_are_refused(facts: Audited) -> Iterator[Finding]:
    """Nobody relays for everybody."""
    for one in _seen_from_outside(facts):
        if one.relays:
            yield OPEN_RELAY.found(exchanger=one.name, recipient=facts.refuse)


def _seen_from_outside(facts: Audited) -> Iterator[Asked]:
    return (one for one in facts.asked if one.vantage == Vantage.OUTSIDE)


CHECKS: tuple[AuditCheck, ...] = (
    exchangers_answer,
    who_exists_is_accepted,
    who_does_not_exist_is_refused,
    strangers_are_refused,
)
