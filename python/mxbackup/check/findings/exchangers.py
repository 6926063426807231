# SPDX-License-Identifier: GPL-2.0-or-later
"""The mail exchangers of a name are hosts that the mail system can reach."""

from collections.abc import Iterator

from mxbackup.check.facts import Check, Facts
from mxbackup.check.published import Exchanger, Published, only_ipv6, unavailable
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.lookup.answers import Outcome, literal

NULL_MX = FindingKind(
    "null-mx", Severity.ERROR,
    "{name} has a null MX record (RFC 7505): it says that it takes no mail.",
    "Take the record out if the name is to take mail, or remove the rule.",
    "RFC 7505",
)  # fmt: skip
IS_ADDRESS = FindingKind(
    "mx-is-address", Severity.WARNING,
    "The MX record of {name} holds the IP address {exchanger} where a host name belongs.",
    "Make an A record for that address, and name that host in the MX record.",
    "RFC 5321 section 5.1",
)  # fmt: skip
IS_ALIAS = FindingKind(
    "mx-is-cname", Severity.WARNING,
    "The mail exchanger {exchanger} of {name} is an alias (CNAME), which some senders refuse.",
    "Name the host behind the alias in the MX record.",
    "RFC 2181 section 10.3, RFC 5321 section 5.1",
)  # fmt: skip
LOOKUP_FAILED = FindingKind(
    "mx-lookup-failed", Severity.ERROR,
    "The address of the mail exchanger {exchanger} of {name} cannot be looked up at present.",
    "Check the name servers of that host; a route with an IP address makes this server independent.",
    "RFC 5321 section 5.1", milder=Severity.WARNING,
)  # fmt: skip
ONLY_IPV6 = FindingKind(
    "ipv6-only", Severity.ERROR,
    "The mail exchanger {exchanger} of {name} has only IPv6 addresses, and {program} has no IPv6.",
    "Give it an A record, or set a route to a host with an IPv4 address.",
    "qmail dns.c", milder=Severity.WARNING,
)  # fmt: skip
MISSING = FindingKind(
    "mx-missing", Severity.ERROR,
    "The mail exchanger {exchanger} of {name} has no address.",
    "Make its A record, or correct the MX record.",
    "RFC 5321 section 5.1", milder=Severity.WARNING,
)  # fmt: skip
NO_ADDRESS = FindingKind(
    "no-address", Severity.ERROR,
    "No mail exchanger of {name} before this server has an address that {program} can use.",
    "Give the primary an A record, or set its address as route: mxbackup set {name} --route ADDRESS",
    "qmail qmail-remote.c", milder=Severity.WARNING,
)  # fmt: skip


def no_null_mx(facts: Published) -> Iterator[Finding]:
    """The name takes mail; qmail defers what others refuse."""
    if facts.takes_no_mail:
        yield NULL_MX.found(name=facts.name)


def exchangers_are_hosts(facts: Published) -> Iterator[Finding]:
    """An exchanger is a host name with addresses of its own."""
    for exchanger in facts.exchangers:
        if literal(exchanger.name):
            yield IS_ADDRESS.found(name=facts.name, exchanger=exchanger.name)
        elif exchanger.alias:
            yield IS_ALIAS.found(name=facts.name, exchanger=exchanger.name)


def exchangers_have_addresses(facts: Facts) -> Iterator[Finding]:
    """Some exchanger other than this server has an address that the mail system uses; else qmail bounces."""
    candidates = [exchanger for exchanger in facts.primaries if exchanger.name]
    without = [exchanger for exchanger in candidates if unavailable(exchanger)]
    nowhere = len(without) == len(candidates)
    mild = facts.relayed or not nowhere
    for exchanger in without:
        yield _why(exchanger).found(name=facts.name, exchanger=exchanger.name, program=facts.us.program, mild=mild)
    if nowhere and len(candidates) > 1:
        yield NO_ADDRESS.found(name=facts.name, program=facts.us.program, mild=mild)


def _why(exchanger: Exchanger) -> FindingKind:
    if exchanger.a.outcome == Outcome.FAILED:
        return LOOKUP_FAILED
    return ONLY_IPV6 if only_ipv6(exchanger) else MISSING


CHECKS: tuple[Check, ...] = (no_null_mx, exchangers_are_hosts, exchangers_have_addresses)
