# SPDX-License-Identifier: GPL-2.0-or-later
"""What a look-up in the DNS came to, as plain values: to be judged, and to be handed in by tests."""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a DNS look-up ended: with records, with the certainty that there are none, or without an answer."""

    FOUND = "found"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question. `records` are addresses, or a CNAME's target; `exchangers` come with preferences.

    An answer that consists of aliases alone is FOUND, without records. `size` is that of the whole message in bytes,
    0 where it is not known.
    """

    outcome: Outcome
    records: tuple[str, ...] = ()
    exchangers: tuple[tuple[int, str], ...] = ()
    size: int = field(default=0, compare=False)


ABSENT = Answer(Outcome.ABSENT)
FAILED = Answer(Outcome.FAILED)

Lookup = Callable[[str, str], Answer]
"""Takes a name without trailing dot and one of the types A, AAAA, CNAME, MX."""


def literal(host: str) -> str | None:
    """Return the address of an IPv4 literal, bare or in brackets (ip_scan), or None when `host` is none.

    As in qmail each number counts modulo 256.
    """
    found = re.fullmatch(r"(\[?)([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)(\]?)", host, re.ASCII)
    if not found or len(found[1]) != len(found[6]):
        return None
    return ".".join(str(scan_number(number, 1 << 8)) for number in found.groups()[1:5])


def scan_number(text: str, modulus: int) -> int:
    """Return the number at the beginning as qmail's scan_ulong does: 0 where there is none, of limited size."""
    number = 0
    for digit in text:
        if digit not in string.digits:
            break
        number = (number * 10 + int(digit)) % modulus
    return number
