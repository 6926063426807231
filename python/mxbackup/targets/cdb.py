# SPDX-License-Identifier: GPL-2.0-or-later
"""djb's constant database: which keys a program that looks them up would find (https://cr.yp.to/cdb/cdb.txt).

A file begins with 256 pairs of 32 bits, little-endian: where a hash table lies, and its number of slots. A slot is a
hash and where the record lies, nothing when it is free; a record is the lengths of key and data, and these.
"""

from collections.abc import Iterator
from struct import Struct, error, iter_unpack

_PAIR = Struct("<II")
_TABLES = 256
_HEADER = _TABLES * _PAIR.size


class Damaged(ValueError):
    """The content is no constant database, or not all of one."""


def keys(content: bytes) -> frozenset[bytes]:
    """Return every key that is found in the content of a file. Raises Damaged."""
    if len(content) < _HEADER:
        raise Damaged
    tables = list(iter_unpack("<II", content[:_HEADER]))
    if sum(slots for _, slots in tables) * _PAIR.size > len(content):
        raise Damaged
    found = [key for number, (at, slots) in enumerate(tables) for key in _table(content, number, at, slots)]
    return frozenset(found)


def _table(content: bytes, number: int, at: int, slots: int) -> Iterator[bytes]:
    """Yield the keys of one hash table; each is where a look-up that begins at its own slot comes by."""
    end = at + slots * _PAIR.size
    if end > len(content):
        raise Damaged
    table = list(iter_unpack("<II", content[at:end]))
    for slot, (hashed, record) in enumerate(table):
        if record:
            if hashed % _TABLES != number or not _comes_by(table, (hashed >> 8) % slots, slot):
                raise Damaged
            yield _key(content, record, hashed)


def _comes_by(table: list[tuple[int, int]], first: int, slot: int) -> bool:
    """Whether no slot is free from the first one up to this, in which a look-up would end."""
    way = range(first, slot) if first <= slot else (*range(first, len(table)), *range(slot))
    return all(table[passed][1] for passed in way)


def _key(content: bytes, record: int, hashed: int) -> bytes:
    try:
        length, data = _PAIR.unpack_from(content, record)
    except error:
        raise Damaged from None
    begin = record + _PAIR.size
    key = content[begin : begin + length]
    if begin + length + data > len(content) or hash_of(key) != hashed:
        raise Damaged
    return key


def hash_of(key: bytes) -> int:
    """Return cdb_hash of a key."""
    hashed = 5381
    for byte in key:
        hashed = ((hashed << 5) + hashed ^ byte) & 0xFFFFFFFF
    return hashed
