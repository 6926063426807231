# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-remote will do with a message for a name. Pure: whoever calls it brings the answers of the DNS.

Follows qmail-remote.c, dns.c, ip.c and ipme.c of notqmail 1.08, and qmail-control(5) for smtproutes.
"""

import re
import string
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SMTP_PORT = 25
CNAME_LIMIT = 10
# ipme.c: "this host, this network" (RFC 1122 section 3.2.1.3) is always ourselves.
ANY_ADDRESS = "0.0.0.0"  # noqa: S104
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Outcome(StrEnum):
    """How a DNS look-up ended: with records, with the certainty that there are none, or without an answer."""

    FOUND = "found"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question. `records` are addresses, or (preference, exchanger), or a CNAME's target.

    An answer that consists of aliases alone is FOUND, without records.
    """

    outcome: Outcome
    records: tuple[str, ...] = ()
    exchangers: tuple[tuple[int, str], ...] = ()


ABSENT = Answer(Outcome.ABSENT)
FAILED = Answer(Outcome.FAILED)

Lookup = Callable[[str, str], Answer]
"""Takes a name without trailing dot and one of the types A, CNAME, MX."""


class Target(NamedTuple):
    """Where a connection goes."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Verdict(StrEnum):
    """What becomes of the message. LOCAL is for qmail-send, which does not hand it to qmail-remote."""

    LOCAL = "local"
    DELIVER = "deliver"
    BOUNCE = "bounce"
    DEFER = "defer"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The verdict, its enhanced status code (RFC 3463; empty where mail gets through), the targets as tried.

    Exchangers of equal preference are in the order of the answer; qmail-remote shuffles them.
    """

    verdict: Verdict
    code: str = ""
    to: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """What smtproutes says of a name: the entry's key, and the relay, whose host is None to deliver by MX."""

    key: str
    host: str | None = None
    port: int = SMTP_PORT


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


def route(name: str, routes: dict[str, str]) -> Route | None:
    """Return the entry of smtproutes for `name`, if any: the name, then `.suffix`, then the default."""
    lower = _lower(name)
    starts = [0, *(at for at, char in enumerate(lower) if char == "." and at), len(lower)]
    key = next((lower[at:] for at in starts if lower[at:] in routes), None)
    if key is None:
        return None
    if not routes[key]:
        return Route(key)
    host, colon, port = routes[key].partition(":")
    return Route(key, host, _scan(port, 1 << 16) if colon else SMTP_PORT)


def decide(
    name: str,
    routes: dict[str, str],
    lookup: Lookup,
    own: Collection[str],
    public: Collection[str] = (),
    unreachable: Collection[Target] = (),
) -> Delivery:
    """Return what qmail-remote does with a message for `name`.

    `own` are the IPv4 addresses of the interfaces, by which qmail knows itself; `public` further ones that lead to
    us without qmail knowing; `unreachable` the targets that accept no connection.
    """
    relay = route(name, routes)
    if relay and relay.host is not None:
        hops, failure = _addresses(lookup, relay.host, 0)
        return failure or _connect(hops, relay.port, {*own, *public}, unreachable)
    alias, failure = _follow_aliases(lookup, name)
    if failure:
        return failure
    hops, failure = _exchangers(lookup, name)
    if failure:
        return failure
    usable = hops if alias else _better_than_ours(hops, own)
    if not usable:
        return Delivery(Verdict.BOUNCE, "5.4.6")
    return _connect(usable, SMTP_PORT, {*own, *public}, unreachable)


def literal(host: str) -> str | None:
    """Return the address of an IPv4 literal, bare or in brackets (ip_scan), or None when `host` is none.

    As in qmail each number counts modulo 256.
    """
    found = re.fullmatch(r"(\[?)([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)(\]?)", host, re.ASCII)
    if not found or len(found[1]) != len(found[6]):
        return None
    return ".".join(str(_scan(number, 1 << 8)) for number in found.groups()[1:5])


def _follow_aliases(lookup: Lookup, name: str) -> tuple[bool, Delivery | None]:
    """Whether the name is an alias (then qmail-remote leaves out the check for itself), or the failure."""
    current = name
    for count in range(CNAME_LIMIT):
        answer = lookup(current, "CNAME") if current else ABSENT
        if answer.outcome == Outcome.FAILED:
            return False, Delivery(Verdict.DEFER, "4.4.3")
        if not answer.records:
            return count > 0, None
        current = answer.records[0]
    return True, None


def _exchangers(lookup: Lookup, name: str) -> tuple[list[Hop], Delivery | None]:
    """dns_mxip: the addresses of all exchangers by preference, or of the name itself where it has no MX."""
    answer = lookup(name, "MX")
    if answer.outcome == Outcome.FAILED:
        return [], Delivery(Verdict.DEFER, "4.1.2")
    if not answer.exchangers:
        return _addresses(lookup, name, 0)
    hops: list[Hop] = []
    failed = False
    for preference, exchanger in sorted(answer.exchangers, key=lambda mx: mx[0]):
        found = _resolve(lookup, exchanger)
        failed = failed or found.outcome == Outcome.FAILED
        # A literal is kept with preference 0 whatever the MX record says.
        hops += [Hop(0 if literal(exchanger) else preference, address) for address in found.records]
    if hops:
        return hops, None
    return [], Delivery(Verdict.DEFER, "4.1.2") if failed else Delivery(Verdict.BOUNCE, "5.4.4")


def _addresses(lookup: Lookup, host: str, preference: int) -> tuple[list[Hop], Delivery | None]:
    """dns_ip: the addresses of one host, or why there is none."""
    found = _resolve(lookup, host)
    if found.outcome == Outcome.FAILED:
        return [], Delivery(Verdict.DEFER, "4.1.2")
    if found.outcome == Outcome.ABSENT:
        return [], Delivery(Verdict.BOUNCE, "5.1.2")
    if not found.records:
        return [], Delivery(Verdict.BOUNCE, "5.4.4")
    return [Hop(preference, address) for address in found.records], None


def _resolve(lookup: Lookup, host: str) -> Answer:
    if address := literal(host):
        return Answer(Outcome.FOUND, (address,))
    # The root, which a null MX (RFC 7505) names, gives qmail no answer.
    return lookup(host, "A") if host else FAILED


def _better_than_ours(hops: Iterable[Hop], own: Collection[str]) -> list[Hop]:
    """Drop every address whose preference is equal to or worse than the best of our own."""
    hops = list(hops)
    ours = min((hop.preference for hop in hops if hop.address in own or hop.address == ANY_ADDRESS), default=None)
    return hops if ours is None else [hop for hop in hops if hop.preference < ours]


def _connect(hops: Iterable[Hop], port: int, ours: Collection[str], unreachable: Collection[Target]) -> Delivery:
    """Try each in turn; on port 25 of one of our own addresses the message comes back to us."""
    to = tuple(Target(hop.address, port) for hop in hops)
    first = next((target for target in to if target.port and target not in unreachable), None)
    if first is None:
        return Delivery(Verdict.DEFER, "4.4.1", to)
    if first.port == SMTP_PORT and (first.address in ours or first.address == ANY_ADDRESS):
        return Delivery(Verdict.LOOP, "", to)
    return Delivery(Verdict.DELIVER, "", to)


def _scan(text: str, modulus: int) -> int:
    """scan_ulong: the number at the beginning, 0 where there is none, in an integer of limited size."""
    number = 0
    for digit in text:
        if digit not in string.digits:
            break
        number = (number * 10 + int(digit)) % modulus
    return number


def _lower(text: str) -> str:
    """Lower case of ASCII alone, as case_diffb compares."""
    return text.translate(_ASCII_LOWER)
