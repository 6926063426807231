# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with a name's records and name servers. Each function takes the facts and yields findings."""

from collections.abc import Callable, Iterator

from mxbackup.check.facts import Facts, Finding, Severity, only_ipv6, unavailable
from mxbackup.lookup.answers import Outcome, literal
from mxbackup.lookup.nameservers import ServerFacts
from mxbackup.lookup.query import UNKNOWN, Status

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_SERIAL_HALF = 1 << 31

Check = Callable[[Facts], Iterator[Finding]]


def name_is_there(facts: Facts) -> Iterator[Finding]:
    """The name exists and can be looked up. RFC 1034 section 4.3.1, RFC 4035 section 5.5."""
    if facts.mx == Status.MISSING:
        yield Finding(
            "no-such-name", ERROR,
            "The name {name} does not exist in the DNS, or its registration has expired.",
            "Check how it is spelt; else its owner must register or renew it.",
            {"name": facts.name},
        )  # fmt: skip
    elif facts.bogus:
        yield Finding(
            "dnssec-bogus", ERROR,
            "The DNS records of {name} fail DNSSEC validation, so half of the world does not see them.",
            "The owner's DNS provider must sign the zone again or take the DS record out.",
            {"name": facts.name},
        )  # fmt: skip
    elif facts.mx in UNKNOWN:
        yield Finding(
            "dns-failed", ERROR,
            "This server could not find out the MX records of {name}: mail waits in the queue.",
            "Check this server's DNS (/etc/resolv.conf) and the name servers of the domain.",
            {"name": facts.name},
        )  # fmt: skip


def servers_are_sound(facts: Facts) -> Iterator[Finding]:
    """Every authoritative server answers for the zone. RFC 8499 (lame delegation), RFC 2182."""
    bad = [server for server in facts.servers if server.lame or server.status == Status.SILENT]
    severity = ERROR if bad and len(bad) == len(facts.servers) else WARNING
    for server in bad:
        params = {"name": facts.name, "server": server.server}
        if server.status == Status.SILENT:
            yield Finding(
                "server-silent", severity,
                "The name server {server} of {name} does not answer.",
                "Its operator must see to it, or the owner take it out of the zone's name servers.", params,
            )  # fmt: skip
        else:
            yield Finding(
                "server-lame", severity,
                "The name server {server} is named for {name}, but does not serve it.",
                "The zone must be set up on that server, or the server taken out of the zone's name servers.", params,
            )  # fmt: skip


def servers_agree(facts: Facts) -> Iterator[Finding]:
    """All authoritative servers give the same, newest answer. RFC 1034 section 4.3.5, RFC 1982."""
    sound = [server for server in facts.servers if not server.lame and server.status != Status.SILENT]
    if not sound:
        return
    newest = sound[0]
    for server in sound[1:]:
        if _newer(server.serial, newest.serial):
            newest = server
    for server in sound:
        if server.exchangers != newest.exchangers or (server.status == Status.MISSING) != (
            newest.status == Status.MISSING
        ):
            yield _disagreement(facts, server, newest)
        if server.serial not in (None, newest.serial):
            yield Finding(
                "stale-serial", WARNING,
                "The name server {server} has an old copy of the zone of {name}: serial {serial}, newest {newest}.",
                "Wait for the transfer; if that lasts, check that the primary name server lets it copy the zone.",
                {"name": facts.name, "server": server.server, "serial": server.serial, "newest": newest.serial},
            )  # fmt: skip


def resolver_agrees(facts: Facts) -> Iterator[Finding]:
    """This server's resolver says what the authoritative servers say, or has it from the cache."""
    current = {server.exchangers for server in facts.servers if server.exchangers and not server.lame}
    if facts.resolver_exchangers is not None and current and facts.resolver_exchangers not in current:
        yield Finding(
            "resolver-differs", NOTE,
            "This server's resolver gives other MX records for {name} than the domain's name servers: {answer}.",
            "After a change that is normal until the old records expire; else see how this server resolves the name.",
            {"name": facts.name, "answer": _records(facts.resolver_exchangers)},
        )  # fmt: skip


def no_null_mx(facts: Facts) -> Iterator[Finding]:
    """The name takes mail. RFC 7505; qmail defers what others refuse."""
    if facts.takes_no_mail:
        yield Finding(
            "null-mx", ERROR,
            "{name} has a null MX record (RFC 7505): it says that it takes no mail.",
            "Take the record out if the name is to take mail, or remove the rule.",
            {"name": facts.name},
        )  # fmt: skip


def exchangers_are_hosts(facts: Facts) -> Iterator[Finding]:
    """An exchanger is a host name with addresses of its own. RFC 5321 section 5.1, RFC 2181 section 10.3."""
    for exchanger in facts.exchangers:
        params = {"name": facts.name, "exchanger": exchanger.name}
        if literal(exchanger.name):
            yield Finding(
                "mx-is-address", WARNING,
                "The MX record of {name} holds the IP address {exchanger} where a host name belongs.",
                "Make an A record for that address, and name that host in the MX record.", params,
            )  # fmt: skip
        elif exchanger.alias:
            yield Finding(
                "mx-is-cname", WARNING,
                "The mail exchanger {exchanger} of {name} is an alias (CNAME), which some senders refuse.",
                "Name the host behind the alias in the MX record.", params,
            )  # fmt: skip


def exchangers_have_addresses(facts: Facts) -> Iterator[Finding]:
    """Some exchanger other than this server has an IPv4 address; else qmail bounces, since it has no IPv6."""
    candidates = [exchanger for exchanger in facts.primaries if exchanger.name]
    nowhere = bool(candidates) and all(unavailable(exchanger) for exchanger in candidates)
    severity = ERROR if nowhere and not facts.relayed else WARNING
    for exchanger in candidates:
        params = {"name": facts.name, "exchanger": exchanger.name}
        if not unavailable(exchanger):
            continue
        if exchanger.a.outcome == Outcome.FAILED:
            yield Finding(
                "mx-lookup-failed", severity,
                "The address of the mail exchanger {exchanger} of {name} cannot be looked up at present.",
                "Check the name servers of that host; a route with an IP address makes this server independent.",
                params,
            )  # fmt: skip
        elif only_ipv6(exchanger):
            yield Finding(
                "ipv6-only", severity,
                "The mail exchanger {exchanger} of {name} has only IPv6 addresses, and qmail has no IPv6.",
                "Give it an A record, or set a route to a host with an IPv4 address.", params,
            )  # fmt: skip
        else:
            yield Finding(
                "mx-missing", severity,
                "The mail exchanger {exchanger} of {name} has no address.",
                "Make its A record, or correct the MX record.", params,
            )  # fmt: skip
    if nowhere and len(candidates) > 1:
        yield Finding(
            "no-address", severity,
            "No mail exchanger of {name} before this server has an address that qmail can use.",
            "Give the primary an A record, or set its address as route: mxbackup set {name} --route ADDRESS",
            {"name": facts.name},
        )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    name_is_there,
    servers_are_sound,
    servers_agree,
    resolver_agrees,
    no_null_mx,
    exchangers_are_hosts,
    exchangers_have_addresses,
)


def _disagreement(facts: Facts, server: ServerFacts, newest: ServerFacts) -> Finding:
    params = {
        "name": facts.name,
        "server": server.server,
        "answer": _records(server.exchangers),
        "other": newest.server,
        "expected": _records(newest.exchangers),
    }
    if not server.exchangers:
        return Finding(
            "server-empty", WARNING,
            "The name server {server} knows no MX record of {name}; {other} says: {expected}.",
            "Its operator must bring its copy of the zone up to date.", params,
        )  # fmt: skip
    return Finding(
        "servers-disagree", WARNING,
        "The name servers of {name} disagree. {server} says: {answer}; {other} says: {expected}.",
        "Bring all copies of the zone up to date.", params,
    )  # fmt: skip


def _newer(serial: int | None, than: int | None) -> bool:
    """Serial arithmetic (RFC 1982): numbers go round at 2^32."""
    if serial is None or than is None:
        return than is None and serial is not None
    return serial != than and (serial - than) % (2 * _SERIAL_HALF) < _SERIAL_HALF


def _records(exchangers: tuple[tuple[int, str], ...]) -> str:
    return ", ".join(f"{preference} {name or '.'}" for preference, name in exchangers)
