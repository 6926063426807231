# SPDX-License-Identifier: GPL-2.0-or-later
"""The records of the domain: there are exchangers, they have addresses, and the backups come behind the primaries."""

from collections.abc import Iterator

from mxbackup.audit.facts import AuditCheck, Audited, Unasked
from mxbackup.check.findings import existence
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.lookup.answers import Outcome
from mxbackup.lookup.query import UNKNOWN, Status

DNS_FAILED = FindingKind(
    "dns-failed", Severity.ERROR,
    "The MX records of {name} cannot be looked up: its name servers, or the resolver of this machine, give no answer.",
    "See whether other names can be looked up here; else whoever runs the name servers of the domain must see to them.",
    "RFC 5321 section 5.1", milder=Severity.WARNING,
)  # fmt: skip
NULL_MX = FindingKind(
    "null-mx", Severity.ERROR,
    "{name} says that it takes no mail at all: it has a null MX record (RFC 7505).",
    "Take that record out if the domain is to take mail.",
    "RFC 7505",
)  # fmt: skip
NO_MX = FindingKind(
    "no-mx", Severity.WARNING,
    "{name} has no MX record: mail goes to the address of that name itself ({addresses}), and has no backup.",
    "Make an MX record for the primary, and one with a higher preference number for each backup.",
    "RFC 5321 section 5.1",
)  # fmt: skip
NO_MAIL = FindingKind(
    "no-mx", Severity.ERROR,
    "{name} has neither an MX record nor an address: nobody can send mail to it.",
    "Make an MX record for the primary, and one with a higher preference number for each backup.",
    "RFC 5321 section 5.1",
)  # fmt: skip
NO_BACKUP = FindingKind(
    "no-backup", Severity.NOTE,
    "{name} has no backup: all of its mail exchangers are primaries ({exchangers}).",
    "If one of them is a backup, say which is not: --primary HOST",
    "RFC 5321 section 5.1",
)  # fmt: skip
NOT_AN_MX = FindingKind(
    "primary-not-mx", Severity.ERROR,
    "The primary {exchanger} is not among the mail exchangers of {name}.",
    "Check how it is spelt; else make an MX record for it, with the lowest preference number.",
    "RFC 5321 section 5.1",
)  # fmt: skip
BEFORE_PRIMARY = FindingKind(
    "backup-first", Severity.ERROR,
    "The backup {exchanger} has the preference {preference}, and no primary a lower one: mail goes to it first.",
    "Give it a higher preference number than {best}, that of the primary.",
    "RFC 5321 section 5.1",
)  # fmt: skip
MISSING = FindingKind(
    "mx-missing", Severity.ERROR,
    "The mail exchanger {exchanger} of {name} has no address: nobody can bring mail to it.",
    "Make its A record, or correct the MX record.",
    "RFC 5321 section 5.1",
)  # fmt: skip
LOOKUP_FAILED = FindingKind(
    "mx-lookup-failed", Severity.ERROR,
    "The address of the mail exchanger {exchanger} of {name} cannot be looked up.",
    "Whoever runs the name servers of that host must see to them.",
    "RFC 5321 section 5.1",
)  # fmt: skip
INSIDE = FindingKind(
    "mx-inside", Severity.ERROR,
    "The address of the mail exchanger {exchanger} ({addresses}) leads nowhere from the Internet.",
    "Give it a public address. If only the name servers of your own network say so, ask from elsewhere.",
    "RFC 6890",
)  # fmt: skip
ONLY_IPV6 = FindingKind(
    "ipv6-only", Severity.NOTE,
    "The mail exchanger {exchanger} has only IPv6 addresses: qmail and many others bring nothing to it.",
    "Give it an A record.",
    "RFC 5321 section 5.2",
)  # fmt: skip
SAME_HOST = FindingKind(
    "same-host", Severity.WARNING,
    "The backup {exchanger} has the address of the primary ({addresses}): when that is away, so is the backup.",
    "Take its MX record out, or name another server.",
    "RFC 5321 section 5.1",
)  # fmt: skip


def records_are_there(facts: Audited) -> Iterator[Finding]:
    """The domain has exchangers."""
    if facts.bogus or facts.mx == Status.MISSING:
        yield from existence.name_is_there(facts)
    elif facts.mx in UNKNOWN:
        yield DNS_FAILED.found(name=facts.name, mild=facts.mx != Status.SERVFAIL)
    elif facts.takes_no_mail:
        yield NULL_MX.found(name=facts.name)
    elif facts.implicit:
        addresses = [address for one in facts.asked for address in one.exchanger.addresses]
        yield (NO_MX if addresses else NO_MAIL).found(name=facts.name, addresses=", ".join(addresses))


def backups_come_second(facts: Audited) -> Iterator[Finding]:
    """Senders go to the lowest number first."""
    known = {one.name for one in facts.asked}
    if not known or facts.implicit:
        return
    for name in sorted(facts.named - known):
        yield NOT_AN_MX.found(name=facts.name, exchanger=name)
    if not facts.backups:
        yield NO_BACKUP.found(name=facts.name, exchangers=", ".join(one.name for one in facts.primaries))
    best = min((one.exchanger.preference for one in facts.primaries), default=-1)
    for one in facts.backups:
        if one.exchanger.preference <= best:
            yield BEFORE_PRIMARY.found(exchanger=one.name, preference=one.exchanger.preference, best=best)


def exchangers_have_addresses(facts: Audited) -> Iterator[Finding]:
    """Public ones, of every kind."""
    for one in facts.asked:
        exchanger, addresses = one.exchanger, ", ".join(one.exchanger.addresses)
        if one.unasked == Unasked.INSIDE:
            yield INSIDE.found(exchanger=one.name, addresses=addresses)
        elif one.unasked == Unasked.NO_ADDRESS and not facts.implicit:
            failed = Outcome.FAILED in (exchanger.a.outcome, exchanger.aaaa.outcome)
            yield (LOOKUP_FAILED if failed else MISSING).found(name=facts.name, exchanger=one.name)
        elif exchanger.aaaa.records and not exchanger.a.records:
            yield ONLY_IPV6.found(exchanger=one.name)


def backups_are_other_hosts(facts: Audited) -> Iterator[Finding]:
    """A backup helps only where it is another machine."""
    ours = {address for one in facts.primaries for address in one.exchanger.addresses}
    for one in facts.backups:
        addresses = set(one.exchanger.addresses)
        if addresses and addresses <= ours:
            yield SAME_HOST.found(exchanger=one.name, addresses=", ".join(sorted(addresses)))


CHECKS: tuple[AuditCheck, ...] = (
    records_are_there,
    backups_come_second,
    exchangers_have_addresses,
    backups_are_other_hosts,
)
