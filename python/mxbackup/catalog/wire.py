# SPDX-License-Identifier: GPL-2.0-or-later
"""A catalog zone on the wire: asking for its serial number, transferring it (AXFR, IXFR), updating it (RFC 2136).

Everything is over TCP, signed with TSIG where there is a key, and bounded in time and size. What a server sends counts
when all of it is there and its signature is right: else CatalogError says why, and nothing has come of it.
"""

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.transaction
import dns.tsig
import dns.update
import dns.xfr
from dns.rdatatype import NS, PTR, SOA, TXT
from dns.rdtypes.ANY.SOA import SOA as Apex

from mxbackup.catalog.keys import Key
from mxbackup.catalog.resources import Difference, Resource
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import CatalogError, Message, Sentence
from mxbackup.lookup.query import Server

Result = TypeVar("Result")

ANSWER_LIMIT = 10.0  # seconds for one answer
TRANSFER_LIMIT = 300.0  # seconds for all of a transfer
MOST_RECORDS = 1_000_000  # that a catalog may have
_MESSAGE = 48_000  # octets of changes in an update at most, with names written out; a message has at most 65535
_AHEAD = 32 * 2**20  # octets that are taken before something is made of them
_SIGNATURES = ("RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY")


@dataclass(frozen=True)
class Peer:
    """A zone at a server, and the key that both sides know; without one anybody may have answered."""

    zone: str
    server: Server
    key: Key | None = None

    @property
    def origin(self) -> dns.name.Name:
        """The name of the zone."""
        return dns.name.from_text(self.zone)

    def signing(self) -> dict[str, Any]:
        """Return the arguments of dnspython that say how to sign."""
        if not self.key:
            return {}
        name = dns.name.from_text(self.key.name)
        algorithm = dns.name.from_text(self.key.algorithm)
        return {
            "keyring": {name: dns.tsig.Key(name, self.key.secret, algorithm)},
            "keyname": name,
            "keyalgorithm": algorithm,
        }


@dataclass(frozen=True)
class Transferred:
    """A zone as it came: what it holds of a catalog, and the owner of something that is none of that, if any."""

    catalog: Catalog
    foreign: str = ""


def serial(peer: Peer) -> int:
    """Return the serial number of the zone at the server. Raises CatalogError."""
    return _apex(peer).serial


def transfer(peer: Peer, known: Catalog | None = None) -> Transferred:
    """Return the zone as the server has it; of what is known only the changes are asked for (IXFR, RFC 1995).

    Raises CatalogError, also when the server's serial number is before the known one.
    """
    if known and known.serial:
        try:
            return _telling(peer, lambda: _transferred(peer, known))
        except CatalogError as error:
            # It does not know IXFR, or the changes are not those of what is known: the whole zone will do.
            if not isinstance(error.__cause__, dns.transaction.DeleteNotExact | dns.xfr.TransferError):
                raise
    return _telling(peer, lambda: _transferred(peer, None))


def update(peer: Peer, difference: Difference, serial: int) -> None:
    """Change the zone at the server, whose serial number must still be this one.

    A member changes in one step; what is too much for one message is sent in several, each of them a change of its
    own. Raises CatalogError.
    """
    found: Apex | None = _apex(peer)
    if found and found.serial != serial:
        raise CatalogError("{zone} was changed at {server} meanwhile. Try again.", zone=peer.zone, server=peer.server)
    for batch in _batches(difference, peer.zone):
        message = dns.update.UpdateMessage(peer.origin, **peer.signing())
        if found:
            message.present(peer.origin, found)
            found = None
        for is_new, one in batch:
            owner = dns.name.from_text(one.owner, peer.origin)
            data = dns.rdata.from_text("IN", one.type, one.data)
            if is_new:
                message.add(owner, 0, data)
            else:
                message.delete(owner, data)
        _exchange(peer, message)


def _batches(difference: Difference, zone: str) -> Iterator[list[tuple[bool, Resource]]]:
    """Yield changes that go into one message each: (whether it comes, record), those of a member together."""
    changes = sorted(
        [*((False, one) for one in difference.gone), *((True, one) for one in difference.new)],
        key=lambda change: (_member(change[1]), change),
    )
    batch: list[tuple[bool, Resource]] = []
    size = 0
    for _, group in groupby(changes, lambda change: _member(change[1])):
        member = list(group)
        octets = sum(len(one.owner) + len(zone) + len(one.data) + 16 for _, one in member)
        if batch and size + octets > _MESSAGE:
            yield batch
            batch, size = [], 0
        batch += member
        size += octets
    if batch:
        yield batch


def _member(one: Resource) -> str:
    """What a record belongs to: a label below `zones`, or the zone itself, which comes first."""
    labels = one.owner.split(".")
    return labels[-2] if labels[-1] == "zones" and len(labels) > 1 else ""


def _apex(peer: Peer) -> Apex:
    query = dns.message.make_query(peer.origin, SOA)
    query.flags &= ~dns.flags.RD
    if signing := peer.signing():
        query.use_tsig(signing["keyring"], signing["keyname"], algorithm=signing["keyalgorithm"])
    answer = _exchange(peer, query)
    for rrset in answer.answer:
        if rrset.name == peer.origin and rrset.rdtype == SOA and isinstance(rrset[0], Apex):
            return rrset[0]
    raise CatalogError("{server} does not serve the zone {zone}.", server=peer.server, zone=peer.zone)


def _exchange(peer: Peer, message: dns.message.Message) -> dns.message.Message:
    """Return the answer to a question or an update. Raises CatalogError unless it is signed, and no refusal."""

    def ask() -> dns.message.Message:
        answer: dns.message.Message = dns.query.tcp(message, peer.server.address, ANSWER_LIMIT, peer.server.port)
        if answer.rcode() != dns.rcode.NOERROR:
            raise dns.xfr.TransferError(answer.rcode())  # type: ignore[no-untyped-call]
        if peer.key and not answer.had_tsig:
            raise dns.tsig.BadSignature
        return answer

    return _telling(peer, ask)


def _transferred(peer: Peer, known: Catalog | None) -> Transferred:
    copy = _Copy(peer.origin, known)
    query, serial = dns.xfr.make_query(copy, known.serial if known else None, **peer.signing())
    with (
        socket.create_connection((peer.server.address, peer.server.port), ANSWER_LIMIT) as connection,
        dns.xfr.Inbound(copy, query.question[0].rdtype, serial) as inbound,
    ):
        stream = _Stream(connection, time.monotonic() + TRANSFER_LIMIT)
        dns.query.send_tcp(connection, query, time.time() + ANSWER_LIMIT)
        signing, first, done = None, True, False
        while not done:
            message = dns.message.from_wire(
                stream.message(), keyring=query.keyring, request_mac=query.mac, xfr=True, tsig_ctx=signing, multi=True,
                one_rr_per_rrset=True,
            )  # fmt: skip
            if not query.is_response(message, xfr_continuation=not first):
                raise dns.query.BadResponse
            done, signing, first = inbound.process_message(message), message.tsig_ctx, False
    return Transferred(Catalog(peer.zone, copy.serial, copy.contents), copy.foreign)


class _Stream:
    """The messages of a connection. All that has come is taken before each: Knot gives up whoever lets it wait for
    half a second, and to make something of a message may take a slow machine that long.
    """

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection, self._end = connection, end
        self._come = bytearray()

    def message(self) -> bytes:
        """Return the next message. Raises OSError, EOFError, dns.exception.Timeout."""
        self._take(2)
        size = 2 + int.from_bytes(self._come[:2], "big")
        self._take(size)
        found = bytes(self._come[2:size])
        del self._come[:size]
        return found

    def _take(self, size: int) -> None:
        while len(self._come) < size or (len(self._come) < _AHEAD and self._waits(0)):
            left = min(ANSWER_LIMIT, self._end - time.monotonic())
            if left <= 0 or not self._waits(left):
                raise dns.exception.Timeout
            part = self._connection.recv(65536)
            if not part:
                if len(self._come) >= size:
                    return
                raise EOFError("the connection ended too early")
            self._come += part

    def _waits(self, limit: float) -> bool:
        return bool(select.select([self._connection], [], [], limit)[0])


class _Copy(dns.transaction.TransactionManager):
    """What a transfer makes of what is known. dnspython's own zone would take ten times the memory."""

    def __init__(self, origin: dns.name.Name, known: Catalog | None) -> None:
        self.origin = origin
        self.contents = set(known.contents) if known else set()
        self.serial = known.serial if known else 0
        self.foreign = ""

    def writer(self, replacement: bool = False) -> "_Change":
        """Begin to take in what is sent; with `replacement` instead of what is known."""
        return _Change(self, replacement)

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        """Names stay absolute."""
        return self.origin, False, self.origin

    def get_class(self) -> dns.rdataclass.RdataClass:
        """Return that of the Internet."""
        return dns.rdataclass.IN


class _Change(dns.transaction.Transaction):
    """The steps of a transfer that `dns.xfr.Inbound` takes."""

    manager: _Copy

    def __init__(self, manager: _Copy, replacement: bool) -> None:
        super().__init__(manager, replacement)
        self.contents = set() if replacement else manager.contents
        self.foreign = ""
        self.serial = 0

    def add(self, *arguments: Any) -> None:
        """Take records in. Raises CatalogError for too many."""
        self.contents.update(self._resources(*arguments))
        if len(self.contents) > MOST_RECORDS:
            raise CatalogError("{zone} has more than {limit} records: that is no list of rules.",
                               zone=self.manager.origin.to_text(omit_final_dot=True), limit=MOST_RECORDS)  # fmt: skip

    def delete_exact(self, *arguments: Any) -> None:
        """Take records out, which must be there."""
        gone = self._resources(*arguments)
        if not self.contents.issuperset(gone):
            raise dns.transaction.DeleteNotExact
        self.contents.difference_update(gone)

    def replace(self, *arguments: Any) -> None:
        """Take the serial number of the apex."""
        self.serial = arguments[1][0].serial

    def _end_transaction(self, commit: bool) -> None:
        if commit:
            self.manager.contents, self.manager.serial = self.contents, self.serial
            self.manager.foreign = self.foreign

    def _resources(self, name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> list[Resource]:
        """Return what catalogs are made of; of the apex nothing."""
        kind = dns.rdatatype.to_text(rdataset.rdtype)
        if kind in _SIGNATURES or (name == self.manager.origin and rdataset.rdtype in (NS, SOA)):
            return []
        owner = name.relativize(self.manager.origin).to_text().lower()
        if rdataset.rdtype not in (PTR, TXT):
            self.foreign = owner
            return []
        return [Resource(owner, kind, data.to_text()) for data in rdataset]


# What may come of asking, the first that fits.
_REASONS: tuple[tuple[type[Exception], Sentence], ...] = (
    (dns.tsig.PeerBadKey, "{server} does not know the key {key}, or not for this."),
    (dns.tsig.BadTime, "The clocks of {server} and of this server differ by more than five minutes."),
    (dns.tsig.PeerBadTime, "The clocks of {server} and of this server differ by more than five minutes."),
    (dns.tsig.PeerError, "{server} has another secret for the key {key}."),
    (dns.tsig.BadSignature, "What {server} sent for {zone} is not signed with the key {key}: it does not count."),
    (dns.message.UnknownTSIGKey, "What {server} sent for {zone} is not signed with the key {key}: it does not count."),
    (dns.tsig.BadKey, "What {server} sent for {zone} is not signed with the key {key}: it does not count."),
    (dns.tsig.BadAlgorithm, "What {server} sent for {zone} is not signed with the key {key}: it does not count."),
    (dns.xfr.SerialWentBackwards, "{server} has an older version of {zone} than was known already."),
    (dns.message.BadTSIG, "What {server} sent for {zone} is not signed with the key {key}: it does not count."),
    (dns.exception.Timeout, "{server} does not answer in time."),
)


def _telling(peer: Peer, act: Callable[[], Result]) -> Result:
    """Do it; raises CatalogError, whose cause is what went wrong."""
    try:
        return act()
    except dns.xfr.TransferError as error:
        reason = Message("{server} refuses: {rcode}.", server=peer.server, rcode=dns.rcode.to_text(error.rcode))
        cause: Exception = error
    except (dns.exception.DNSException, ValueError, KeyError, struct.error, AssertionError, EOFError) as error:
        said: Sentence = "What {server} sent for {zone} makes no sense, and does not count ({error})."
        if "TSIG" in str(error) and type(error) is dns.exception.FormError:
            error = dns.message.BadTSIG()  # type: ignore[no-untyped-call]
        said = next((sentence for kind, sentence in _REASONS if isinstance(error, kind)), said)
        key = peer.key.name if peer.key else ""
        what = type(error).__name__
        reason, cause = Message(said, server=peer.server, zone=peer.zone, key=key, error=what), error
    except OSError as error:
        why = error.strerror or str(error)
        reason = Message("{server} cannot be reached: {reason}.", server=peer.server, reason=why)
        cause = error
    raise CatalogError(reason.sentence, **reason.parameters) from cause
