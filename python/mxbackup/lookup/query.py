# SPDX-License-Identifier: GPL-2.0-or-later
"""One question to one name server: over UDP, and over TCP when the answer is cut off or does not come."""

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.SOA import SOA
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Outcome

DNS_PORT = 53
RESOLV_CONF = Path("/etc/resolv.conf")
UDP_SHARE = 0.6

Record = TypeVar("Record", bound=dns.rdata.Rdata)


class Server(NamedTuple):
    """A name server: its address, its port, and its name where it is known."""

    address: str
    port: int = DNS_PORT
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.name else self.address


class Status(StrEnum):
    """How a server answered."""

    ANSWER = "answer"
    EMPTY = "empty"  # the name is there, records of this type are not
    MISSING = "missing"  # there is no such name
    REFUSED = "refused"
    FORMERR = "formerr"  # the server says that it does not understand the question, which qmail takes for a no
    SERVFAIL = "servfail"
    SILENT = "silent"  # neither over UDP nor over TCP
    UNROUTED = "unrouted"  # this machine has no way there, as to IPv6 addresses without IPv6


UNKNOWN = (Status.SERVFAIL, Status.REFUSED, Status.FORMERR, Status.SILENT, Status.UNROUTED)
"""How a look-up ends that tells neither what there is nor that there is nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply. `message` is there unless nothing came back."""

    server: Server
    status: Status
    message: dns.message.Message | None = None

    @property
    def authoritative(self) -> bool:
        """Whether the server says that the zone is its own."""
        return self._has(dns.flags.AA)

    @property
    def recursive(self) -> bool:
        """Whether the server looks names up for others."""
        return self._has(dns.flags.RA)

    @property
    def validated(self) -> bool:
        """Whether the server vouches for the answer by DNSSEC (RFC 4035 section 3.2.3)."""
        return self._has(dns.flags.AD)

    @property
    def size(self) -> int:
        """The length of the message in bytes, as it came."""
        return len(self.message.wire or b"") if self.message else 0

    def rrsets(self, section: str, *kinds: str) -> list[dns.rrset.RRset]:
        """Return the records of some types, of class IN, in `answer`, `authority` or `additional`."""
        if self.message is None:
            return []
        types = [dns.rdatatype.from_text(kind) for kind in kinds]
        found: list[dns.rrset.RRset] = getattr(self.message, section)
        return [rrset for rrset in found if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in types]

    def records(self, section: str, class_: type[Record]) -> list[Record]:
        """Return the records of the type that `class_` stands for; what dnspython could not make into one is none."""
        found = self.rrsets(section, class_.__name__)
        return [record for rrset in found for record in rrset if isinstance(record, class_)]

    def answer(self, kind: str) -> Answer:
        """Return what the reply says to qmail; exchangers sorted by preference."""
        if self.status in (Status.EMPTY, Status.MISSING, Status.FORMERR):
            return ABSENT
        if self.status != Status.ANSWER:
            return FAILED
        if kind == "MX":
            exchangers = sorted((mx.preference, host(mx.exchange).lower()) for mx in self.records("answer", MX))
            return Answer(Outcome.FOUND, exchangers=tuple(exchangers), size=self.size)
        class_, text = _TEXT_OF[kind]
        return Answer(Outcome.FOUND, tuple(map(text, self.records("answer", class_))), size=self.size)

    def serial(self) -> int | None:
        """Return the serial number of the zone, which is in the answer or, for a name inside, beside it."""
        return next((soa.serial for section in ("answer", "authority") for soa in self.records(section, SOA)), None)

    def _has(self, flag: dns.flags.Flag) -> bool:
        return self.message is not None and bool(self.message.flags & flag)


def ask(server: Server, name: str, kind: str, timeout: float, *, recurse: bool = True, checking: bool = True) -> Reply:
    """Ask for the records of one type. `timeout` is in seconds, for UDP and TCP together. Never raises.

    Without `recurse` only for what the server itself has, without `checking` even for what DNSSEC disproves.
    """
    try:
        query = dns.message.make_query(dns_name(name), kind)
    except dns.exception.DNSException:  # nothing that can be asked for, such as two dots in a row
        return Reply(server, Status.MISSING)
    query.flags |= dns.flags.AD  # else it may not say whether DNSSEC vouches for the answer (RFC 6840 section 5.7)
    if not recurse:
        query.flags &= ~(dns.flags.RD | dns.flags.AD)
    if not checking:
        query.flags |= dns.flags.CD
    if not _routed(server):
        return Reply(server, Status.UNROUTED)
    message = _exchange(server, query, timeout)
    if message is None:
        return Reply(server, Status.SILENT)
    return Reply(server, _status(message), message)


def system_resolvers(resolv_conf: Path, port: int = DNS_PORT) -> tuple[Server, ...]:
    """Return the resolvers of resolv.conf(5), or what the system says where there is no such file (Windows)."""
    try:
        found = dns.resolver.Resolver(str(resolv_conf)) if resolv_conf.exists() else dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return (Server("127.0.0.1", port),)
    return tuple(Server(str(address), port) for address in found.nameservers)


def dns_name(name: str) -> dns.name.Name:
    """The name as qmail gives it to res_query(3), in presentation form: dots separate, one may stand at the end.

    A backslash takes the meaning from the character behind it, or stands with three digits for an octet (RFC 1035
    section 5.1). Octets that are not ASCII are those of ISO 8859-1. Raises dns.exception.DNSException for what cannot
    be a name.
    """
    text = re.sub(r"[^\0-\x7f]", lambda found: f"\\{min(ord(found[0]), 255):03}", name)
    return dns.name.from_text(re.sub(r"^@$", r"\\@", text))  # alone it would stand for the root


def host(name: dns.name.Name) -> str:
    """The name in presentation form without the final dot, as dn_expand(3) makes it; the root is the empty text."""
    return "" if name == dns.name.root else name.to_text(omit_final_dot=True)


_TEXT_OF: dict[str, tuple[type[dns.rdata.Rdata], Callable[..., str]]] = {
    "A": (A, lambda record: record.address),
    "AAAA": (AAAA, lambda record: record.address),
    "CNAME": (CNAME, lambda record: host(record.target)),
    "TXT": (TXT, lambda record: b"".join(record.strings).decode("latin-1")),
}


def _exchange(server: Server, query: dns.message.QueryMessage, timeout: float) -> dns.message.Message | None:
    """Ask over UDP, then over TCP when that failed or was cut off. None when nothing proper came back."""
    end = time.monotonic() + timeout
    with suppress(dns.exception.DNSException, OSError, ValueError):
        message = _over_udp(server, query, timeout * UDP_SHARE)
        if not message.flags & dns.flags.TC:
            return message
    with suppress(dns.exception.DNSException, OSError, ValueError, EOFError):
        return dns.query.tcp(query, server.address, max(0.1, end - time.monotonic()), server.port)
    return None


def _over_udp(server: Server, query: dns.message.QueryMessage, timeout: float) -> dns.message.Message:
    """Ask through a connected socket, which tells at once when nothing listens there (udp(7))."""
    expiration = time.time() + timeout
    with _connected(server) as connection:
        connection.setblocking(False)
        dns.query.send_udp(connection, query, None, expiration)
        message: dns.message.Message = dns.query.receive_udp(
            connection, None, expiration, ignore_errors=True, query=query
        )[0]
        return message


def _routed(server: Server) -> bool:
    """Whether this machine has a route there; connecting a datagram socket sends nothing."""
    if ":" not in server.address:
        return True
    try:
        _connected(server).close()
    except OSError:
        return False
    return True


def _connected(server: Server) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_DGRAM)
    try:
        connection.connect((server.address, server.port))
    except OSError:
        connection.close()
        raise
    return connection


def _status(message: dns.message.Message) -> Status:
    match message.rcode():
        case dns.rcode.NOERROR:
            return Status.ANSWER if message.answer else Status.EMPTY
        case dns.rcode.NXDOMAIN:
            return Status.MISSING
        case dns.rcode.SERVFAIL:
            return Status.SERVFAIL
        case dns.rcode.FORMERR:
            return Status.FORMERR
        case _:
            return Status.REFUSED
