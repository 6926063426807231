# SPDX-License-Identifier: GPL-2.0-or-later
"""This server is a mail exchanger of the name, comes behind the primary, and knows itself."""

from collections.abc import Iterator

from mxbackup.check.facts import Check, Facts
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.lookup.query import Status
from mxbackup.targets.lint import publicaddress

NOT_MX = FindingKind(
    "not-mx", Severity.ERROR,
    "This server is not a mail exchanger of {name}, so nobody brings it that mail.",
    "Have an MX record with this server's name and a higher preference number than the primary's added. "
    "Behind NAT, state the public address: mxbackup address ADDRESS "
    "(for one check: --public-address ADDRESS)",
    "RFC 5321 section 5.1",
)  # fmt: skip
ONLY_MX = FindingKind(
    "only-mx", Severity.ERROR,
    "This server is the only mail exchanger of {name}: there is no primary to pass the mail on to.",
    "Have an MX record for the primary added, with a lower preference number than {preference}.",
    "RFC 5321 section 5.1", milder=Severity.WARNING,
)  # fmt: skip
BEST_MX = FindingKind(
    "best-mx", Severity.ERROR,
    "This server has the best preference for {name} ({preference}, the next {best}), as if it were primary.",
    "Have the preferences changed: the primary's number must be lower than this server's.",
    "RFC 5321 section 5.1", milder=Severity.WARNING,
)  # fmt: skip
EQUAL_MX = FindingKind(
    "equal-mx", Severity.ERROR,
    "This server has the same preference for {name} as the primary ({preference}).",
    "Have this server's preference number raised above the primary's.",
    "RFC 5321 section 5.1", milder=Severity.WARNING,
)  # fmt: skip
SHARED_BACKUP = FindingKind(
    "shared-backup", Severity.NOTE,
    "{others} has the same preference for {name} as this server: they share the load.",
    "Nothing to do.",
    "RFC 5321 section 5.1",
)  # fmt: skip
NAT = FindingKind(
    "nat", Severity.ERROR,
    "The address {address} leads to this server, but is not one of its interfaces (NAT): when the primary is "
    "down, the mail goes in circles.",
    "Set the route: mxbackup set {name} --route {primary}",
    "qmail ipme.c",
)  # fmt: skip
PROXY = FindingKind(
    "proxy-interfaces", Severity.WARNING,
    "The address {address} leads to this server, but Postfix does not know that (NAT): when the primary has no "
    "address, the mail goes back to its senders at once.",
    "Add {address} to proxy_interfaces in main.cf, and have Postfix read it: postfix reload",
    "postconf(5)",
)  # fmt: skip


def we_are_an_mx(facts: Facts) -> Iterator[Finding]:
    """Senders are told of this server."""
    known = facts.mx in (Status.ANSWER, Status.EMPTY) and not facts.takes_no_mail
    if known and not facts.ours:
        yield NOT_MX.found(name=facts.name)


def public_address_is_one(facts: Facts) -> Iterator[Finding]:
    """What PublicAddress holds can be the address of an exchanger."""
    return publicaddress.lint(facts.us.settings)


def we_come_second(facts: Facts) -> Iterator[Finding]:
    """Another exchanger has a better preference, else qmail bounces with 5.4.6; a route cures that."""
    ours = facts.our_preference
    if ours is None:
        return
    best = min((other.preference for other in facts.others), default=None)
    if best is None or ours <= best:
        kind = ONLY_MX if best is None else BEST_MX if ours < best else EQUAL_MX
        yield kind.found(name=facts.name, preference=ours, best=best, mild=facts.relayed)
    elif beside := [other.name for other in facts.others if other.preference == ours]:
        yield SHARED_BACKUP.found(name=facts.name, others=", ".join(beside))


def we_know_ourselves(facts: Facts) -> Iterator[Finding]:
    """qmail knows itself by its interfaces alone, and behind NAT connects to itself in circles; Postfix, until then."""
    strange = [e for e in facts.ours if e.addresses and not any(map(facts.us.knows, e.addresses))]
    if strange and not facts.relayed:
        primary = next((other.name for other in facts.primaries if other.addresses), "HOST")
        kind = PROXY if all(kind.knows_greeting for kind in facts.us.kinds) else NAT
        yield kind.found(name=facts.name, address=strange[0].addresses[0], primary=primary)


CHECKS: tuple[Check, ...] = (we_are_an_mx, public_address_is_one, we_come_second, we_know_ourselves)
