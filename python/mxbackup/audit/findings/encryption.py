# SPDX-License-Identifier: GPL-2.0-or-later
"""Encryption on the way: what the exchangers offer, against what the domain promises (MTA-STS) and its DNS (TLSA)."""

import time
from collections.abc import Iterator

from mxbackup.audit.facts import Asked, AuditCheck, Audited
from mxbackup.check.findings import mtasts
from mxbackup.errors import Finding, FindingKind, Severity

WARN_BEFORE = 14 * 86400  # seconds

NO_TLS_HERE = FindingKind(
    "no-tls-here", Severity.NOTE,
    "This Python has no TLS: what encryption is worth was not looked at.",
    "Run the audit with another Python, on any other machine.",
)  # fmt: skip
NO_STARTTLS = FindingKind(
    "no-starttls", Severity.ERROR,
    "{exchanger} offers no STARTTLS: mail comes to it for everybody to read, and careful senders bring it none.",
    "Its administrator must switch TLS on.",
    "RFC 3207, RFC 8461 section 5, RFC 7672 section 2.2", milder=Severity.WARNING,
)  # fmt: skip
TLS_FAILS = FindingKind(
    "tls-fails", Severity.ERROR,
    "{exchanger} offers STARTTLS, and it does not work: {reason}",
    "Its administrator must see to its certificate and its TLS.",
    "RFC 3207", milder=Severity.WARNING,
)  # fmt: skip
OLD_TLS = FindingKind(
    "old-tls", Severity.WARNING,
    "{exchanger} has no newer TLS than {version}, which many senders refuse.",
    "Its administrator must bring its mail server up to date.",
    "RFC 8996",
)  # fmt: skip
UNTRUSTED = FindingKind(
    "certificate-untrusted", Severity.ERROR,
    "The MTA-STS policy of {name} promises a certificate for {exchanger} that can be trusted, but {reason}.",
    "Its administrator must get a certificate for that name from an authority that all trust.",
    "RFC 8461 section 4.2", milder=Severity.WARNING,
)  # fmt: skip
ENDS_SOON = FindingKind(
    "certificate-ends", Severity.WARNING,
    "The certificate of {exchanger} ends on {day}.",
    "Its administrator must renew it before.",
    "RFC 5280 section 4.1.2.5",
)  # fmt: skip
TLSA_DIFFERS = FindingKind(
    "tlsa-differs", Severity.ERROR,
    "The certificate of {exchanger} is none of those that its TLSA records allow: careful senders bring it no mail.",
    "Publish the new certificate's TLSA record before it is used, and take the old one out afterwards.",
    "RFC 7672 section 3", milder=Severity.WARNING,
)  # fmt: skip
TLSA_UNUSABLE = FindingKind(
    "tlsa-unusable", Severity.WARNING,
    "The TLSA records of {exchanger} mean nothing to mail servers, which read those of usage 2 and 3 only.",
    "Publish them with usage 3, selector 1 and matching type 1.",
    "RFC 7672 section 3.1",
)  # fmt: skip
TLSA_UNSIGNED = FindingKind(
    "tlsa-unsigned", Severity.NOTE,
    "{exchanger} has TLSA records, but the resolver of this machine does not vouch for them (DNSSEC).",
    "Sign the zone, without which nobody looks at them; or ask from where the resolver checks DNSSEC.",
    "RFC 7672 section 2.1",
)  # fmt: skip
NOT_LISTED = FindingKind(
    "mta-sts", Severity.ERROR,
    "The MTA-STS policy of {name} does not list its mail exchanger {exchanger}: careful senders bring it no mail.",
    "Add the line mx: {exchanger} to https://mta-sts.{name}/.well-known/mta-sts.txt",
    "RFC 8461 section 5", milder=Severity.WARNING,
)  # fmt: skip


def this_python_can_tell(facts: Audited) -> Iterator[Finding]:
    """Where it has no TLS, nothing is said about that of others."""
    if not facts.tls:
        yield NO_TLS_HERE.found()


def policy_fits(facts: Audited) -> Iterator[Finding]:
    """The policy can be read, and lists every exchanger."""
    if facts.policy_trouble == "unreadable":
        yield mtasts.UNREADABLE.found(name=facts.name)
    policy = facts.policy
    if policy and policy.mode != "none":
        for one in facts.asked:
            if not policy.lists(one.name):
                yield NOT_LISTED.found(name=facts.name, exchanger=one.name, mild=policy.mode != "enforce")


def starttls_works(facts: Audited) -> Iterator[Finding]:
    """It is an error where the domain promises it."""
    for one in facts.asked:
        mild, found = not _needed(facts, one), one.security
        if one.dialogue and one.dialogue.greeting and not one.dialogue.starttls:
            yield NO_STARTTLS.found(exchanger=one.name, mild=mild)
        elif found and not found.version:
            yield TLS_FAILS.found(exchanger=one.name, reason=found.trouble, mild=mild)
        elif found and found.version in ("SSLv3", "TLSv1", "TLSv1.1"):
            yield OLD_TLS.found(exchanger=one.name, version=found.version)


def certificates_can_be_trusted(facts: Audited) -> Iterator[Finding]:
    """As a policy promises; and not for the last time."""
    promised = facts.policy is not None and facts.policy.mode != "none"
    for one in facts.asked:
        found = one.security
        if promised and found and found.version and not found.trusted:
            yield UNTRUSTED.found(name=facts.name, exchanger=one.name, reason=found.trouble, mild=not facts.enforced)
        elif found and found.until and found.until < facts.now + WARN_BEFORE:
            yield ENDS_SOON.found(exchanger=one.name, day=_day(found.until))


def certificates_are_those_of_the_dns(facts: Audited) -> Iterator[Finding]:
    """TLSA records count where DNSSEC vouches for them."""
    for one in facts.asked:
        records, found = one.tlsa, one.security
        if not records.all:
            continue
        if not records.signed:
            yield TLSA_UNSIGNED.found(exchanger=one.name)
        if not any(record.usable for record in records.all):
            yield TLSA_UNUSABLE.found(exchanger=one.name)
        elif found and found.chain and not records.fit(found.chain):
            yield TLSA_DIFFERS.found(exchanger=one.name, mild=not records.signed)


def _needed(facts: Audited, one: Asked) -> bool:
    return facts.enforced or (one.tlsa.signed and any(record.usable for record in one.tlsa.all))


def _day(when: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(when))


CHECKS: tuple[AuditCheck, ...] = (
    this_python_can_tell,
    policy_fits,
    starttls_works,
    certificates_can_be_trusted,
    certificates_are_those_of_the_dns,
)
