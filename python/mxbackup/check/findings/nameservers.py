# SPDX-License-Identifier: GPL-2.0-or-later
"""The name servers of a zone answer, and agree."""

from collections.abc import Iterator

from mxbackup.check.published import Published, PublishedCheck
from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.lookup.nameservers import ServerFacts
from mxbackup.lookup.query import Status

SILENT = FindingKind(
    "server-silent", Severity.ERROR,
    "The name server {server} of {name} does not answer.",
    "Its operator must see to it, or the owner take it out of the zone's name servers.",
    "RFC 2182", milder=Severity.WARNING,
)  # fmt: skip
LAME = FindingKind(
    "server-lame", Severity.ERROR,
    "The name server {server} is named for {name}, but does not serve it.",
    "The zone must be set up on that server, or the server taken out of the zone's name servers.",
    "RFC 8499 (lame delegation)", milder=Severity.WARNING,
)  # fmt: skip
EMPTY = FindingKind(
    "server-empty", Severity.WARNING,
    "The name server {server} knows no MX record of {name}; {other} says: {expected}.",
    "Its operator must bring its copy of the zone up to date.",
    "RFC 1034 section 4.3.5",
)  # fmt: skip
DISAGREE = FindingKind(
    "servers-disagree", Severity.WARNING,
    "The name servers of {name} disagree. {server} says: {answer}; {other} says: {expected}.",
    "Bring all copies of the zone up to date.",
    "RFC 1034 section 4.3.5",
)  # fmt: skip
STALE = FindingKind(
    "stale-serial", Severity.WARNING,
    "The name server {server} has an old copy of the zone of {name}: serial {serial}, newest {newest}.",
    "Wait for the transfer; if that lasts, check that the primary name server lets it copy the zone.",
    "RFC 1034 section 4.3.5, RFC 1982",
)  # fmt: skip
RESOLVER_DIFFERS = FindingKind(
    "resolver-differs", Severity.NOTE,
    "This server's resolver gives other MX records for {name} than the domain's name servers: {answer}.",
    "After a change that is normal until the old records expire; else see how this server resolves the name.",
    "RFC 1034 section 3.6",
)  # fmt: skip
_SERIAL_HALF = 1 << 31


def servers_are_sound(facts: Published) -> Iterator[Finding]:
    """Every authoritative server answers for the zone; it is an error when all do not."""
    bad = [server for server in facts.servers if server.lame or server.status == Status.SILENT]
    for server in bad:
        kind = SILENT if server.status == Status.SILENT else LAME
        yield kind.found(name=facts.name, server=server.server, mild=len(bad) < len(facts.servers))


def servers_agree(facts: Published) -> Iterator[Finding]:
    """All authoritative servers give the same, newest answer."""
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
            yield STALE.found(name=facts.name, server=server.server, serial=server.serial, newest=newest.serial)


def resolver_agrees(facts: Published) -> Iterator[Finding]:
    """This server's resolver says what the authoritative servers say, or has it from the cache."""
    current = {server.exchangers for server in facts.servers if server.exchangers and not server.lame}
    if facts.resolver_exchangers is not None and current and facts.resolver_exchangers not in current:
        yield RESOLVER_DIFFERS.found(name=facts.name, answer=_records(facts.resolver_exchangers))


def _disagreement(facts: Published, server: ServerFacts, newest: ServerFacts) -> Finding:
    return (DISAGREE if server.exchangers else EMPTY).found(
        name=facts.name,
        server=server.server,
        answer=_records(server.exchangers),
        other=newest.server,
        expected=_records(newest.exchangers),
    )


def _newer(serial: int | None, than: int | None) -> bool:
    """Serial arithmetic (RFC 1982): numbers go round at 2^32."""
    if serial is None or than is None:
        return than is None and serial is not None
    return serial != than and (serial - than) % (2 * _SERIAL_HALF) < _SERIAL_HALF


def _records(exchangers: tuple[tuple[int, str], ...]) -> str:
    return ", ".join(f"{preference} {name or '.'}" for preference, name in exchangers)


CHECKS: tuple[PublishedCheck, ...] = (servers_are_sound, servers_agree, resolver_agrees)
