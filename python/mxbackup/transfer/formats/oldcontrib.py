# SPDX-License-Identifier: GPL-2.0-or-later
"""The contrib of 2004 to 2019: its record in `configuration`, and the files of it that must not stay beside ours.

Its record is `mxbackup=service|name|dom1,1,dom2,0|status|enabled`: names, each followed by 1 for a domain or
0 for a host.
"""

from collections.abc import Collection
from pathlib import Path

from mxbackup.errors import Message
from mxbackup.esmith.database import Database
from mxbackup.esmith.settings import SERVICE_KEY
from mxbackup.rules import Kind
from mxbackup.transfer.entries import Entry, Reading, Remark

PROPERTY = "name"
RECORD = f"{SERVICE_KEY}=service|"
KINDS = {"1": Kind.DOMAIN, "0": Kind.HOST}

# Its other files have the names of ours. The images were put there by its %post, so rpm does not know them.
LEFTOVERS = (
    Path("/etc/e-smith/templates/var/service/qpsmtpd/config/goodrcptto/50MXBackup"),
    Path("/usr/lib/perl5/site_perl/esmith/FormMagick/Panel/mxbackup.pm"),
    Path("/etc/e-smith/web/common/GreenLight.jpg"),
    Path("/etc/e-smith/web/common/RedLight.jpg"),
)


def old_rules(configuration: Database) -> str | None:
    """Return what the old contrib recorded, None when there is nothing of it."""
    record = configuration.get(SERVICE_KEY)
    return None if record is None else record.properties.get(PROPERTY)


def read(text: str) -> Reading:
    """Read a copy of an old server's `configuration`."""
    return decode(old_rules(Database.parse(text.encode())) or "")


def decode(value: str) -> Reading:
    """Read the old property. A line is the place of the pair in it; of equal names the domain counts."""
    reading = Reading()
    found: dict[str, Entry] = {}
    for place, pair in enumerate(_pairs(value), 1):
        bare, _, flag = pair.partition(",")
        kind = KINDS.get(flag.strip())
        if kind is None:
            reading.problems.append(Remark(place, pair, _no_kind(pair)))
        elif (name := reading.name(place, bare.strip(), pair)) and (name not in found or kind == Kind.DOMAIN):
            found[name] = Entry(place, name, {"Kind": kind.value})
    reading.entries = list(found.values())
    return reading


def without(value: str, left: Collection[int]) -> str | None:
    """Return the old property with only the pairs at the places that are left; None when there are none."""
    pairs = [pair for place, pair in enumerate(_pairs(value), 1) if place in left]
    return ",".join(pairs) or None


def _pairs(value: str) -> list[str]:
    fields = value.split(",")
    pairs = [",".join(fields[at : at + 2]) for at in range(0, len(fields), 2)]
    return [pair for pair in pairs if pair.strip(", \t")]


def _no_kind(pair: str) -> Message:
    return Message('In "{pair}" the name is followed by neither 1 (domain) nor 0 (host).', pair=pair)
