# SPDX-License-Identifier: GPL-2.0-or-later
"""What the DNS says of a name: through this server's resolver, and from each authoritative server itself."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import dns.name
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from mxbackup.errors import MxBackupError
from mxbackup.lookup.answers import Answer
from mxbackup.lookup.clock import Clock
from mxbackup.lookup.query import DNS_PORT, Reply, Server, Status, ask, dns_name, host, system_resolvers

TIMEOUT = 3.0
REFERRAL_LIMIT = 10
SERVERS_ASKED = 16  # addresses of authoritative servers; the root has 26, and nobody needs more


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What one authoritative server says of a name. `serial` is that of the zone, where it gave one."""

    server: Server
    status: Status
    authoritative: bool
    exchangers: tuple[tuple[int, str], ...] = ()
    serial: int | None = None

    @property
    def lame(self) -> bool:
        """Whether the server answers, but does not serve the zone that it was named for (RFC 8499)."""
        return self.status != Status.SILENT and not (
            self.authoritative and self.status in (Status.ANSWER, Status.EMPTY, Status.MISSING)
        )


class Delegation(NamedTuple):
    """A zone, the hosts that serve it, and the reply that said so, perhaps with addresses."""

    zone: dns.name.Name
    hosts: frozenset[dns.name.Name]
    reply: Reply


class TooMany(MxBackupError):
    """What a name has in the DNS would take more questions than are allowed."""


class Dns:
    """Asks, and remembers every answer for as long as it lives. May be used by several threads at once.

    `resolvers` are this server's own; `nameservers`, when given, are asked first for what qmail would ask, and
    instead of the servers that the parent zone names. `port` is that of servers found in the DNS, `timeout` the
    seconds given to one question.
    """

    def __init__(
        self,
        resolvers: Sequence[Server],
        nameservers: Sequence[Server] = (),
        port: int = DNS_PORT,
        timeout: float = TIMEOUT,
    ) -> None:
        self.resolvers = tuple(resolvers)
        self.nameservers = tuple(nameservers)
        self._port = port
        self._timeout = timeout
        self._replies: dict[tuple[str, str, bool], Reply] = {}
        self._clock = Clock(float("inf"))
        self._allowed = self._questions = 1 << 62

    @classmethod
    def of_system(cls, resolv_conf: Path, nameservers: Sequence[Server] = ()) -> "Dns":
        """Return one that asks the resolvers of resolv.conf(5), and those `nameservers`."""
        return cls(system_resolvers(resolv_conf), nameservers)

    def within(self, clock: Clock, questions: int) -> "Dns":
        """Return one that shares what is remembered, and stops when the time or the number of questions is used up.

        Its methods raise TimeIsUp or TooMany then.
        """
        part = copy(self)
        part._clock, part._allowed, part._questions = clock, questions, questions  # it is one of us
        return part

    def lookup(self, name: str, kind: str) -> Answer:
        """Return what qmail is told, see `delivery.Lookup`. `kind` is A, AAAA, CNAME, MX or TXT."""
        return self.resolve(name, kind).answer(kind)

    def resolve(self, name: str, kind: str, *, own_resolver: bool = False) -> Reply:
        """Return the reply of the given name servers, or of this server's resolver where they know nothing.

        `own_resolver` leaves the given name servers out.
        """
        own_resolver = own_resolver or not self.nameservers
        key = (name.lower(), kind, own_resolver)
        if key not in self._replies:
            given = None if own_resolver else self._of_given(name, kind)
            self._replies[key] = given or self._of_resolvers(name, kind)
        return self._replies[key]

    def bogus(self, name: str, kind: str) -> bool:
        """Whether the resolver withholds an answer because DNSSEC disproves it (RFC 4035 section 5.5)."""
        return any(
            self._ask(server, name, kind).status == Status.SERVFAIL
            and self._ask(server, name, kind, checking=False).status in (Status.ANSWER, Status.EMPTY)
            for server in self.resolvers
        )

    def facts(self, name: str) -> tuple[ServerFacts, ...]:
        """Ask every authoritative server that can be reached for the name's MX and the zone's serial."""
        return tuple(self.each(name))

    def each(self, name: str) -> Iterator[ServerFacts]:
        """Yield the same, each server when it has answered."""
        found = (self._facts_of(server, name) for server in self.authoritative(name))
        return (facts for facts in found if facts.status != Status.UNROUTED)

    def authoritative(self, name: str) -> tuple[Server, ...]:
        """Return the servers of the zone that `name` is in, as its parent zone names them; empty if unknown."""
        if self.nameservers:
            return self.nameservers
        wanted = dns_name(name)
        delegation = self._nearest_known(wanted)
        for _ in range(REFERRAL_LIMIT):
            if delegation is None:
                return ()
            deeper = None if delegation.zone == wanted else self._referral(delegation, wanted)
            if deeper is None:
                break
            delegation = deeper
        return tuple(islice(self._servers(delegation), SERVERS_ASKED)) if delegation else ()

    def _ask(self, server: Server, name: str, kind: str, *, recurse: bool = True, checking: bool = True) -> Reply:
        if self._questions <= 0:
            raise TooMany("it takes more than {count} questions to the DNS", count=self._allowed)
        self._questions -= 1
        left = self._clock.left()
        reply = ask(server, name, kind, min(self._timeout, left), recurse=recurse, checking=checking)
        # In less time than that it was not waited for: its machine said that no server is there.
        if reply.status == Status.SILENT and left < self._timeout and self._clock.left() < left / 2:
            self._clock.over()  # with all of its time the server might have answered
        return reply

    def _facts_of(self, server: Server, name: str) -> ServerFacts:
        reply = self._ask(server, name, "MX", recurse=False)
        if reply.status in (Status.SILENT, Status.UNROUTED):
            return ServerFacts(server, reply.status, False)
        serial = self._ask(server, name, "SOA", recurse=False).serial()
        return ServerFacts(server, reply.status, reply.authoritative, reply.answer("MX").exchangers, serial)

    def _of_given(self, name: str, kind: str) -> Reply | None:
        """Return what the given name servers know; None when the name is none of theirs."""
        for server in self.nameservers:
            reply = self._ask(server, name, kind)
            if reply.authoritative or reply.recursive or reply.status in (Status.SERVFAIL, Status.SILENT):
                return reply
        return None

    def _of_resolvers(self, name: str, kind: str) -> Reply:
        """Return the first useful reply, going on to the next resolver after a failure as resolv.conf(5) says."""
        reply = Reply(Server(""), Status.SILENT)
        for server in self.resolvers:
            reply = self._ask(server, name, kind)
            if reply.status in (Status.ANSWER, Status.EMPTY, Status.MISSING, Status.FORMERR):
                break
        return reply

    def _nearest_known(self, wanted: dns.name.Name) -> Delegation | None:
        """Return the nearest zone above `wanted` whose servers the resolver knows."""
        above = wanted
        while above != dns.name.root:
            above = above.parent()
            reply = self.resolve(host(above), "NS", own_resolver=True)
            if hosts := frozenset(ns.target for ns in reply.records("answer", NS)):
                return Delegation(above, hosts, reply)
        return None

    def _referral(self, above: Delegation, wanted: dns.name.Name) -> Delegation | None:
        """Ask for the next zone on the way from `above` to `wanted`; None when there is none."""
        for server in self._servers(above):
            reply = self._ask(server, host(wanted), "NS", recurse=False)
            if reply.status not in (Status.ANSWER, Status.EMPTY):
                continue
            for rrset in (*reply.rrsets("answer", "NS"), *reply.rrsets("authority", "NS")):
                zone = rrset.name
                if zone != above.zone and zone.is_subdomain(above.zone) and wanted.is_subdomain(zone):
                    return Delegation(zone, frozenset(ns.target for ns in rrset if isinstance(ns, NS)), reply)
            return None
        return None

    def _servers(self, delegation: Delegation) -> Iterator[Server]:
        """Yield the servers with each of their addresses, those that came along before asking for others."""
        for target in sorted(delegation.hosts):
            for address in self._along(delegation, target) or self._resolved(target):
                yield Server(address, self._port, host(target))

    def _along(self, delegation: Delegation, target: dns.name.Name) -> list[str]:
        glue = delegation.reply.rrsets("additional", "A", "AAAA")
        return sorted(
            record.address for rrset in glue if rrset.name == target for record in rrset if isinstance(record, A | AAAA)
        )

    def _resolved(self, target: dns.name.Name) -> Iterable[str]:
        for kind in ("A", "AAAA"):
            yield from self.resolve(host(target), kind, own_resolver=True).answer(kind).records
