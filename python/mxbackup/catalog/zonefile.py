# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of a catalog zone, a master file (RFC 1035 section 5) that BIND, Knot, NSD and PowerDNS read.

One record a line, in one order: two files of the same rules differ in the serial number alone. What is read back is
only what was written here.
"""

import re
from dataclasses import dataclass
from functools import partial

from mxbackup.catalog.resources import Contents, Resource, in_order
from mxbackup.errors import InvalidInput

_MADE = "; Made by mxbackup: what is written here by hand is lost.\n"
# The numbers behind the serial number, in seconds: RFC 9432 has no wish; secondaries ask each hour, and never forget.
_SOA = "@ 0 IN SOA invalid. invalid. {serial} 3600 600 2147483647 0\n"
_APEX = re.compile(
    re.escape(_MADE)
    + r"\$ORIGIN (?P<zone>[a-z0-9.-]+)\.\n"
    + re.escape(_SOA).replace(r"\{serial\}", r"(?P<serial>[0-9]{1,10})")
    + r"@ 0 IN NS invalid\.\n"
)
_LINE = re.compile(r"(\S+) 0 IN ([A-Z0-9]+) (.+)\n")
_SERIALS = 2**32


@dataclass(frozen=True)
class Catalog:
    """A catalog zone with its serial number."""

    zone: str
    serial: int
    contents: Contents


def write(catalog: Catalog) -> bytes:
    """Return the text of a catalog."""
    apex = f"{_MADE}$ORIGIN {catalog.zone}.\n{_SOA.format(serial=catalog.serial)}@ 0 IN NS invalid.\n"
    return (apex + "".join(f"{o} 0 IN {t} {data}\n" for o, t, data in in_order(catalog.contents))).encode("ascii")


def read(content: bytes) -> Catalog:
    """Return the catalog that `write` made the text of. Raises InvalidInput."""
    text = content.decode("ascii", "replace")
    apex = _APEX.match(text)
    found = set()
    at = apex.end() if apex else 0
    for line in map(partial(_LINE.fullmatch), text[at:].splitlines(keepends=True)):
        if line:
            found.add(Resource(*line.groups()))
        else:
            apex = None
    if not apex:
        raise InvalidInput("It is no catalog that was written here.")
    return Catalog(apex["zone"], int(apex["serial"]), found)


def serial_after(serial: int, now: int) -> int:
    """Return the next serial number: the time, as long as that is greater (RFC 1982; zero is left out)."""
    return now % _SERIALS if serial < now < serial + _SERIALS // 2 else (serial + 1) % _SERIALS or 1
