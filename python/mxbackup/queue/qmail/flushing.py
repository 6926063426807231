# SPDX-License-Identifier: GPL-2.0-or-later
"""Have the mail for a primary tried now: forget its time-outs, then make qmail-send try all that it holds."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from pathlib import Path

from mxbackup.queue.qmail import tcpto


def make_due(queue: Path, addresses: Iterable[IPv4Address], alarm: Callable[[], str]) -> str:
    """Clear the addresses of the primary in tcpto, then call `alarm`, which sends ALRM to qmail-send.

    ALRM makes every message due; those for primaries that still have their time-outs are put off at once, without
    a connection. Returns what `alarm` does: what was used. Raises QueueError before anything is signalled, and
    what `alarm` raises.
    """
    for address in addresses:
        tcpto.clear(queue, address)
    return alarm()
