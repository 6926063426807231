# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-remote will do with a message for a name. Pure: whoever calls it brings the answers of the DNS.

Follows qmail-remote.c, dns.c, ip.c and ipme.c of notqmail 1.08, and qmail-control(5) for smtproutes; what other kinds
of qmail do otherwise is in `Qmail`.
"""

import string
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Lookup, Outcome, literal, scan_number
from mxbackup.routing.verdict import ANY_ADDRESS, NOBODY_ANSWERS, Delivery, Route, Target, Verdict, leads_to_us
from mxbackup.smtp import SMTP_PORT

# dns.c: the room for an answer, PACKETSZ of <arpa/nameser.h>, in bytes.
ROOM_FOR_ANSWER = 512
CNAME_LIMIT = 10
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Qmail:
    """A kind of qmail, by what kinds do differently.

    `follows_cname`: it looks up whether the name is an alias, and then does not check whether it is itself an
    exchanger. `big_answers`: it uses answers of the DNS that are larger than ROOM_FOR_ANSWER, which others take for
    no answer. `reads_moreipme`: `control/moreipme` and `notipme` change which addresses it takes for its own.
    """

    name: str
    follows_cname: bool
    big_answers: bool
    reads_moreipme: bool

    @property
    def program(self) -> str:
        """The same for all kinds."""
        return "qmail"

    @property
    def table(self) -> str:
        """The control file."""
        return "smtproutes"

    @property
    def types(self) -> tuple[str, ...]:
        """It has no IPv6."""
        return ("A",)

    @property
    def reads_networks(self) -> bool:
        """In `moreipme` and `notipme`."""
        return self.reads_moreipme

    @property
    def knows_greeting(self) -> bool:
        """It does not look at the greeting."""
        return False

    def route(self, name: str, routes: Mapping[str, str]) -> Route | None:
        """See `route`."""
        return route(name, routes)

    def tiers(
        self, name: str, routes: Mapping[str, str], lookup: Lookup, own: Container[str]
    ) -> tuple[tuple[Target, ...], ...] | Delivery:
        """See `tiers`."""
        return tiers(name, routes, lookup, own, self)

    def outcomes(
        self,
        name: str,
        routes: Mapping[str, str],
        lookup: Lookup,
        own: Container[str],
        public: Container[str],
        unreachable: Container[Target],
    ) -> tuple[Delivery, ...]:
        """See `outcomes`."""
        return outcomes(name, routes, lookup, own, public, unreachable, self)


UNPATCHED = Qmail("qmail 1.03, netqmail 1.06, notqmail 1.08", True, False, False)
LATER = Qmail("notqmail 1.09", False, True, False)
PATCHED = Qmail("SME Server", True, True, True)
KINDS = (UNPATCHED, LATER, PATCHED)


class Hop(NamedTuple):
    """One address that qmail-remote collects, with its preference."""

    preference: int
    address: str


def parse_routes(content: bytes) -> dict[str, str]:
    """Return the entries of smtproutes by key in lower case, as control.c and constmap.c read them.

    Trailing blanks go, lines without a colon and lines with `#` in column 0 are skipped, of equal keys the last
    counts. Nothing else is stripped: a leading blank, a CR or a remark behind the relay spoil the entry.
    """
    entries = {}
    for line in content.decode("latin-1").split("\n"):
        stripped = line.rstrip(" \t\n")
        if stripped[:1] not in ("", "#", "\0"):
            for part in stripped.split("\0"):
                key, colon, relay = part.partition(":")
                if colon:
                    entries[_lower(key)] = relay
    return entries


def route(name: str, routes: Mapping[str, str]) -> Route | None:
    """Return the entry of smtproutes for `name`, if any: the name, then `.suffix`, then the default."""
    lower = _lower(name)
    starts = [0, *(at for at, char in enumerate(lower) if char == "." and at), len(lower)]
    key = next((lower[at:] for at in starts if lower[at:] in routes), None)
    if key is None:
        return None
    if not routes[key]:
        return Route(key)
    host, colon, port = routes[key].partition(":")
    return Route(key, host, scan_number(port, 1 << 16) if colon else SMTP_PORT)


def outcomes(
    name: str,
    routes: Mapping[str, str],
    lookup: Lookup,
    own: Container[str],
    public: Container[str] = (),
    unreachable: Container[Target] = (),
    qmail: Qmail = PATCHED,
) -> tuple[Delivery, ...]:
    """Return what qmail-remote does with a message for `name`: more than one thing where chance decides.

    `own` are the IPv4 addresses by which that kind of qmail knows itself; `public` further ones that lead to us
    without qmail knowing; `unreachable` the targets that accept no connection.
    """
    found = tiers(name, routes, lookup, own, qmail)
    if isinstance(found, Delivery):
        return (found,)
    to = tuple(target for tier in found for target in tier)
    for tier in found:
        if reached := [target for target in tier if target.port and target not in unreachable]:
            verdicts = (Verdict.LOOP if leads_to_us(target, own, public) else Verdict.DELIVER for target in reached)
            return tuple(Delivery(verdict, "", to) for verdict in dict.fromkeys(verdicts))
    return (Delivery(Verdict.DEFER, NOBODY_ANSWERS, to),)


def tiers(
    name: str, routes: Mapping[str, str], lookup: Lookup, own: Container[str], qmail: Qmail = PATCHED
) -> tuple[tuple[Target, ...], ...] | Delivery:
    """Return the targets that qmail-remote tries, in tiers, or what it does when there are none.

    Within a tier chance decides: exchangers of equal preference are shuffled, and name servers turn round the
    addresses of each.
    """
    relay = route(name, routes)
    if relay and relay.host is not None:
        found = _addresses(lookup, relay.host, qmail)
        return found if isinstance(found, Delivery) else _targets([found], relay.port)
    alias = _follows_alias(lookup, name, qmail)
    if isinstance(alias, Delivery):
        return alias
    hops = _exchangers(lookup, name, qmail)
    if isinstance(hops, Delivery):
        return hops
    usable = hops if alias else _better_than_ours(hops, own)
    return _targets(usable, SMTP_PORT) if usable else Delivery(Verdict.BOUNCE, "5.4.6")


def _follows_alias(lookup: Lookup, name: str, qmail: Qmail) -> bool | Delivery:
    """Whether the name is known to be an alias (then qmail-remote leaves out the check for itself), or the failure."""
    current = name
    for count in range(CNAME_LIMIT if qmail.follows_cname else 0):
        answer = _ask(lookup, current, "CNAME", qmail) if current else ABSENT
        if answer.outcome == Outcome.FAILED:
            return Delivery(Verdict.DEFER, "4.4.3")
        if not answer.records:
            return count > 0
        current = answer.records[0]
    return qmail.follows_cname


def _exchangers(lookup: Lookup, name: str, qmail: Qmail) -> list[list[Hop]] | Delivery:
    """dns_mxip: the addresses of all exchangers by preference, or of the name itself where it has no MX."""
    answer = _ask(lookup, name, "MX", qmail)
    if answer.outcome == Outcome.FAILED:
        return Delivery(Verdict.DEFER, "4.1.2")
    if not answer.exchangers:
        found = _addresses(lookup, name, qmail)
        return found if isinstance(found, Delivery) else [found]
    by_preference: list[list[Hop]] = []
    failed = False
    for preference, group in groupby(sorted(answer.exchangers, key=lambda mx: mx[0]), key=lambda mx: mx[0]):
        hops: list[Hop] = []
        for _, exchanger in group:
            resolved = _resolve(lookup, exchanger, qmail)
            failed = failed or resolved.outcome == Outcome.FAILED
            # A literal is kept with preference 0 whatever the MX record says.
            hops += [Hop(0 if literal(exchanger) else preference, address) for address in resolved.records]
        by_preference += [hops] if hops else []
    if by_preference:
        return by_preference
    return Delivery(Verdict.DEFER, "4.1.2") if failed else Delivery(Verdict.BOUNCE, "5.4.4")


def _addresses(lookup: Lookup, host: str, qmail: Qmail) -> list[Hop] | Delivery:
    """dns_ip: the addresses of one host, or why there is none."""
    found = _resolve(lookup, host, qmail)
    if found.outcome == Outcome.FAILED:
        return Delivery(Verdict.DEFER, "4.1.2")
    if found.outcome == Outcome.ABSENT:
        return Delivery(Verdict.BOUNCE, "5.1.2")
    if not found.records:
        return Delivery(Verdict.BOUNCE, "5.4.4")
    return [Hop(0, address) for address in found.records]


def _resolve(lookup: Lookup, host: str, qmail: Qmail) -> Answer:
    if address := literal(host):
        return Answer(Outcome.FOUND, (address,))
    # The root, which a null MX (RFC 7505) names, gives qmail no answer.
    return _ask(lookup, host, "A", qmail) if host else FAILED


def _ask(lookup: Lookup, name: str, kind: str, qmail: Qmail) -> Answer:
    """What that kind of qmail makes of an answer: one that is cut off is a failure, but the addresses before count."""
    answer = lookup(name, kind)
    if answer.size <= ROOM_FOR_ANSWER or qmail.big_answers:
        return answer
    return replace(answer, outcome=Outcome.FAILED, exchangers=())


def _better_than_ours(by_preference: Iterable[list[Hop]], own: Container[str]) -> list[list[Hop]]:
    """Drop every address whose preference is equal to or worse than the best of our own."""
    hops = [hop for tier in by_preference for hop in tier]
    ours = min((hop.preference for hop in hops if hop.address in own or hop.address == ANY_ADDRESS), default=1 << 16)
    better = ([hop for hop in tier if hop.preference < ours] for tier in by_preference)
    return [tier for tier in better if tier]


def _targets(by_preference: Iterable[list[Hop]], port: int) -> tuple[tuple[Target, ...], ...]:
    return tuple(tuple(Target(hop.address, port) for hop in tier) for tier in by_preference)


def _lower(text: str) -> str:
    """Lower case of ASCII alone, as case_diffb compares."""
    return text.translate(_ASCII_LOWER)
