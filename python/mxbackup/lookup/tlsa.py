# SPDX-License-Identifier: GPL-2.0-or-later
"""TLSA records of mail exchangers (DANE; RFC 6698, RFC 7672): which certificates they allow."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dns.rdtypes.ANY.TLSA import TLSA

from mxbackup.lookup.nameservers import Dns

DANE_TA, DANE_EE = 2, 3
_SEQUENCE, _VERSION = 0x30, 0xA0
_PUBLIC_KEY = 5  # behind serial number, signature, issuer, validity and subject (RFC 5280 section 4.1)


@dataclass(frozen=True, slots=True)
class Association:
    """One TLSA record: its usage, selector, matching type, and what it compares with."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def usable(self) -> bool:
        """Whether it means something to a mail server (RFC 7672 section 3.1)."""
        return self.usage in (DANE_TA, DANE_EE) and self.selector in (0, 1) and self.matching in _MATCHING


@dataclass(frozen=True, slots=True)
class Associations:
    """The TLSA records of an exchanger; `signed` is whether the resolver vouches for them (DNSSEC)."""

    all: tuple[Association, ...] = ()
    signed: bool = False

    def fit(self, chain: Sequence[bytes]) -> bool:
        """Whether one of the records allows a chain of certificates in DER, the server's own first.

        A record that names an authority allows whatever comes with it: whether that has signed is not looked at.
        """
        return any(_fits(one, chain) for one in self.all if one.usable)


NONE = Associations()


def find(dns: Dns, host: str, port: int) -> Associations:
    """Return the TLSA records of a mail server (RFC 7672 section 2.2.3). Raises TimeIsUp or TooMany."""
    reply = dns.resolve(f"_{port}._tcp.{host}", "TLSA", own_resolver=True)
    found = (Association(one.usage, one.selector, one.mtype, one.cert) for one in reply.records("answer", TLSA))
    return Associations(tuple(found), reply.validated)


def public_key(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate, both in DER. Raises ValueError for what is no certificate."""
    [(_, _, signed), *_] = _elements(certificate)
    [(_, _, fields), *_] = _elements(signed)
    elements = [element for element in _elements(fields) if element[0] != _VERSION]
    if len(elements) <= _PUBLIC_KEY or elements[_PUBLIC_KEY][0] != _SEQUENCE:
        raise ValueError("no certificate")
    return elements[_PUBLIC_KEY][1]


def _elements(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the tag, the whole and the content of each element in DER (X.690 section 8.1), lengths checked."""
    at = 0
    while at < len(content):
        if len(content) < at + 2:
            raise ValueError("cut off")
        length, start = content[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[at + 2 : start])
        if len(content) < start + length:
            raise ValueError("cut off")
        yield content[at], content[at : start + length], content[start : start + length]
        at = start + length


_MATCHING: Mapping[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda content: hashlib.sha256(content).digest(),
    2: lambda content: hashlib.sha512(content).digest(),
}


def _fits(one: Association, chain: Sequence[bytes]) -> bool:
    for certificate in chain[:1] if one.usage == DANE_EE else chain:
        with suppress(ValueError):
            if _MATCHING[one.matching](public_key(certificate) if one.selector else certificate) == one.data:
                return True
    return False
