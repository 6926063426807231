# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a message for a name. Follows smtp_connect.c, smtp_proto.c and error.c."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from mxbackup.lookup.answers import Lookup
from mxbackup.routing.postfix.hosts import LOOPS_BACK, Finder
from mxbackup.routing.postfix.parameters import DEFAULTS, Postfix
from mxbackup.routing.postfix.transport import Way, resolve, status_code
from mxbackup.routing.postfix.trying import End, Servers, in_tiers
from mxbackup.routing.verdict import Delivery, Target, Verdict

MISCONFIGURED = "4.3.5"
REFUSING = {"error": (Verdict.BOUNCE, "5.0.0"), "retry": (Verdict.DEFER, "4.0.0")}


def outcomes(
    name: str,
    table: Mapping[str, str],
    lookup: Lookup,
    own: Container[str],
    public: Container[str] = (),
    unreachable: Container[Target] = (),
    postfix: Postfix = DEFAULTS,
) -> tuple[Delivery, ...]:
    """Return what Postfix does with a message for `name`: more than one thing where chance decides.

    `table` are the entries of transport_maps. `own` are the addresses by which Postfix knows itself: those of
    inet_interfaces and proxy_interfaces. `public` are further ones that lead to a server that greets with myhostname;
    `unreachable` the targets that accept no connection.
    """
    way = resolve(name, table, postfix)
    if way.service not in postfix.smtp_services:
        return (_softly(_not_by_smtp(way), postfix),)
    attempt = Attempt(way.nexthop, Finder(lookup, own, postfix), Servers(own, public, unreachable))
    to = tuple(target for tier in attempt.tiers() for target in tier)
    found = (_softly(Delivery(end.verdict, end.code, to), postfix) for end in attempt.ends())
    return tuple(dict.fromkeys(found))


def tiers(
    name: str, table: Mapping[str, str], lookup: Lookup, own: Container[str], postfix: Postfix = DEFAULTS
) -> tuple[tuple[Target, ...], ...] | Delivery:
    """Return the targets that Postfix may try, in tiers, or what it does when there are none.

    Within a tier chance decides. Not all are tried where there are more than smtp_mx_address_limit.
    """
    way = resolve(name, table, postfix)
    if way.service in postfix.smtp_services:
        found = Attempt(way.nexthop, Finder(lookup, own, postfix), Servers(own)).tiers()
        if found:
            return found
    return outcomes(name, table, lookup, own, postfix=postfix)[0]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of smtp(8) to send a message (smtp_connect_inet)."""

    nexthop: str
    finder: Finder
    servers: Servers

    def tiers(self) -> tuple[tuple[Target, ...], ...]:
        """Return the targets of all destinations in the groups within which chance decides."""
        tiers: list[tuple[Target, ...]] = []
        for destination in self._destinations:
            site, found = self.finder.found(destination)
            ranked = in_tiers(found.hops, self.finder.postfix.preference)
            tiers += (tuple(Target(hop.address, site.port) for hop in tier) for tier in ranked)
            if found.last:
                break
        return tuple(tiers)

    def ends(self) -> Iterator[End]:
        """Yield every end that the message may come to."""
        destinations = self._destinations
        for place, destination in enumerate(destinations, start=1):
            site, found = self.finder.found(destination)
            if found.hops:
                ends = self.servers.ends(found.hops, site.port, self.finder.postfix)
            else:
                ends = [End(Verdict.BOUNCE if found.code.startswith("5") else Verdict.DEFER, found.code, passes=True)]
            yield from (end for end in ends if not end.passes)
            left = [end for end in ends if end.passes]
            if left and (found.last or place == len(destinations)):
                yield from (self._given_up(end, fallback=place > len(self._usual)) for end in left)
                return
            if not left:
                return

    @property
    def _destinations(self) -> list[str]:
        return [*self._usual, *_split(self.finder.postfix.fallback_relay)]

    @property
    def _usual(self) -> list[str]:
        return _split(self.nexthop) or [""]  # a fatal error, like all that is no destination

    def _given_up(self, end: End, *, fallback: bool) -> End:
        """What is made of the last error: those of relay hosts are a mistake of the server's own, to be mended."""
        postfix = self.finder.postfix
        if end.verdict != Verdict.BOUNCE:
            return end
        if fallback or self._destinations[0] == postfix.relayhost:
            return End(Verdict.DEFER, MISCONFIGURED)
        return End(Verdict.LOCAL) if end.code == LOOPS_BACK and postfix.best_mx_transport else end


def _split(destinations: str) -> list[str]:
    return destinations.replace(",", " ").split()


def _not_by_smtp(way: Way) -> Delivery:
    """error(8), under either name, refuses all; anything else delivers by rules of its own."""
    if way.service not in REFUSING:
        return Delivery(Verdict.LOCAL)
    verdict, code = REFUSING[way.service]
    given = status_code(way.nexthop)
    return Delivery(verdict, given if given.startswith(code[0]) else code)


def _softly(delivery: Delivery, postfix: Postfix) -> Delivery:
    """With soft_bounce all mail that would come back stays in the queue."""
    if delivery.verdict != Verdict.BOUNCE or not postfix.soft_bounce:
        return delivery
    return Delivery(Verdict.DEFER, f"4{delivery.code[1:]}", delivery.to)
