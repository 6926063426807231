# SPDX-License-Identifier: GPL-2.0-or-later
"""The name is there, and can be looked up."""

from collections.abc import Iterator

from mxbackup.check.published import Published, PublishedCheck
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.lookup.query import UNKNOWN, Status

MISSING = FindingKind(
    "no-such-name", Severity.ERROR,
    "The name {name} does not exist in the DNS, or its registration has expired.",
    "Check how it is spelt; else its owner must register or renew it.",
    "RFC 1034 section 4.3.1",
)  # fmt: skip
BOGUS = FindingKind(
    "dnssec-bogus", Severity.ERROR,
    "The DNS records of {name} fail DNSSEC validation, so half of the world does not see them.",
    "The owner's DNS provider must sign the zone again or take the DS record out.",
    "RFC 4035 section 5.5",
)  # fmt: skip
FAILED = FindingKind(
    "dns-failed", Severity.ERROR,
    "This server could not find out the MX records of {name}: mail waits in the queue.",
    "Check this server's DNS (/etc/resolv.conf) and the name servers of the domain.",
    "RFC 5321 section 5.1",
)  # fmt: skip


def name_is_there(facts: Published) -> Iterator[Finding]:
    """The MX records of the name were looked up."""
    if facts.mx == Status.MISSING:
        yield MISSING.found(name=facts.name)
    elif facts.bogus:
        yield BOGUS.found(name=facts.name)
    elif facts.mx in UNKNOWN:
        yield FAILED.found(name=facts.name)


CHECKS: tuple[PublishedCheck, ...] = (name_is_there,)
