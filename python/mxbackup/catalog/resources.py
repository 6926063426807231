# SPDX-License-Identifier: GPL-2.0-or-later
"""The resource records of a catalog zone, in presentation form (RFC 1035 section 5.1), without class and time to live.

Those of the apex, SOA and NS, say nothing about rules and are not among them.
"""

from collections.abc import Collection, Set
from typing import NamedTuple

from mxbackup.rules import names


class Resource(NamedTuple):
    """One record. The owner is relative to the zone and in lower case; names in `data` are absolute."""

    owner: str
    type: str
    data: str


Contents = Set[Resource]


class Difference(NamedTuple):
    """What must go and come so that one zone holds what another does."""

    gone: Collection[Resource]
    new: Collection[Resource]


def difference(before: Contents, after: Contents) -> Difference:
    """Return the difference, each side in the order of the zone."""
    return Difference(in_order(before - after), in_order(after - before))


def in_order(found: Contents) -> list[Resource]:
    """Return the records of each member together: by the labels of their owners from the right."""
    return sorted(found, key=lambda one: (names.sort_key(one.owner), one))
