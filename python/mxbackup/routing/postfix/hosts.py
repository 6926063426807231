# SPDX-License-Identifier: GPL-2.0-or-later
"""Which addresses smtp(8) of Postfix finds for a destination. Follows smtp_addr.c and dns_lookup.c."""

import socket
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NamedTuple

from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Lookup, Outcome
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.postfix.transport import Site, is_address, is_hostname, site_of
from mxbackup.smtp import SMTP_PORT

CNAME_LIMIT = 10
LOOPS_BACK = "5.4.6"
FATAL = "4.3.0"


class Hop(NamedTuple):
    """One address that smtp(8) collects, with its preference."""

    preference: int
    address: str


class Found(NamedTuple):
    """What the look-up of one destination came to: addresses, the best first, or the code for why there are none.

    `last` is whether no further destination is tried, because we are an exchanger of this one.
    """

    hops: tuple[Hop, ...] = ()
    code: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks addresses up. `own` are those by which Postfix knows itself."""

    lookup: Lookup
    own: Container[str]
    postfix: Postfix

    def found(self, destination: str) -> tuple[Site, Found]:
        """Return what the look-up of a destination comes to."""
        site = site_of(destination)
        if site is None:
            return Site(destination, SMTP_PORT, True), Found(code=FATAL, last=True)
        own = self.own if site.port == SMTP_PORT else ()
        look_up = self._of_host if site.bracketed or not self.postfix.mx else self._of_domain
        found = look_up(site.host, own)
        return site, found._replace(last=found.last or (not found.hops and found.code == LOOPS_BACK))

    def _of_domain(self, name: str, own: Container[str]) -> Found:
        """smtp_domain_addr: the addresses of the exchangers that are better than we are."""
        exchangers = self._exchangers(name)
        if exchangers is None:
            return self._of_host(name, own)
        if isinstance(exchangers, str):
            ignored = self.postfix.ignore_mx_failure and exchangers != "5.1.0"
            return self._of_host(name, own) if ignored else Found(code=exchangers)
        hops: list[Hop] = []
        code = ""
        for preference, host in exchangers:
            addresses, code = self._addresses(host, code)
            hops += [Hop(preference, address) for address in addresses]
        if not hops:
            return Found(code=f"4{code[1:]}" if self.postfix.defer_without_address else code)
        ours = next((hop.preference for hop in hops if hop.address in own), None)
        if ours is None:
            return Found(tuple(hops))
        better = tuple(hop for hop in hops if hop.preference < ours)
        nobody = LOOPS_BACK if exchangers[0][0] == hops[0].preference else "4.4.4"
        return Found(better, "" if better else nobody, last=True)

    def _of_host(self, host: str, own: Container[str]) -> Found:
        """smtp_host_addr: the addresses of one host; one of our own spoils all of them."""
        addresses, code = self._addresses(host, "")
        if any(address in own for address in addresses):
            return Found(code=LOOPS_BACK)
        return Found(tuple(Hop(0, address) for address in addresses), code)

    def _exchangers(self, name: str) -> list[tuple[int, str]] | str | None:
        """The exchangers sorted by preference, the code for why there are none, None where there is no MX record."""
        answer = self._ask(name, "MX")
        if answer.outcome == Outcome.FAILED:
            return "4.4.3"
        if not answer.exchangers:
            return None
        if any(not host for _, host in answer.exchangers):
            return "5.1.0"  # a null MX (RFC 7505), whatever stands beside it
        usable = (mx for mx in answer.exchangers if _is_host(mx[1]))
        return sorted(usable, key=lambda mx: mx[0]) or "5.4.4"

    def _addresses(self, host: str, code: str) -> tuple[tuple[str, ...], str]:
        """smtp_addr_one: the addresses of a host, and the code that is left behind; `code` is that of hosts before.

        A failed look-up among them keeps the mail in the queue.
        """
        address = literal(host)
        if address and type_of(address) in self.postfix.types:
            return (address,), code
        soft = code.startswith("4")
        if self.postfix.dns:
            answer = self._of_types(host, self._ask)
            if answer.records:
                return answer.records, code
            if answer.outcome == Outcome.FAILED:
                return (), "4.4.3"
            code = "4.4.4" if soft else "5.4.4"
        if not self.postfix.native:
            return (), code
        answer = ABSENT if address else self._natively(host)
        if answer.records:
            return answer.records, code
        return (), "4.4.4" if soft or answer.outcome == Outcome.FAILED else "5.4.4"

    def _natively(self, host: str) -> Answer:
        """getaddrinfo(3): /etc/hosts, then the DNS."""
        listed = self.postfix.hosts.get(host.lower(), ())
        if usable := tuple(address for address in listed if type_of(address) in self.postfix.types):
            return Answer(Outcome.FOUND, usable)
        return self._of_types(host, self.lookup)

    def _of_types(self, host: str, ask: Callable[[str, str], Answer]) -> Answer:
        answers = [ask(host, kind) for kind in self.postfix.types]
        if records := tuple(record for answer in answers for record in answer.records):
            return Answer(Outcome.FOUND, records)
        return FAILED if any(answer.outcome == Outcome.FAILED for answer in answers) else ABSENT

    def _ask(self, name: str, kind: str) -> Answer:
        """dns_lookup: asks again where a name server did not follow an alias to its end; none is to be malformed."""
        if not is_hostname(name):
            return ABSENT
        for _ in range(CNAME_LIMIT):
            answer = self.lookup(name, kind)
            if answer.outcome != Outcome.FOUND:
                return answer
            alias = self.lookup(name, "CNAME")
            if not alias.records:
                empty = not (answer.records or answer.exchangers)
                return FAILED if empty and alias.outcome == Outcome.FAILED else answer
            name = alias.records[0]
            if not _is_host(name):
                return ABSENT
        return ABSENT


def literal(host: str) -> str | None:
    """Return the address that getaddrinfo(3) takes a text for with AI_NUMERICHOST, None for a name."""
    for family, parse in ((socket.AF_INET, socket.inet_aton), (socket.AF_INET6, _ipv6)):
        try:
            return socket.inet_ntop(family, parse(host))
        except (OSError, ValueError):
            continue
    return None


def _is_host(text: str) -> bool:
    """Whether a record may name it (valid_rr_name)."""
    return is_hostname(text) or is_address(text)


def _ipv6(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, text)


def type_of(address: str) -> str:
    """Return the type of the record that holds an address."""
    return "AAAA" if ":" in address else "A"
