# SPDX-License-Identifier: GPL-2.0-or-later
"""What the mail exchangers of a domain said to a stranger: plain values, to be judged and shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from mxbackup.check.published import Exchanger, Published
from mxbackup.check.vantage import Vantage
from mxbackup.errors import Finding
from mxbackup.lookup.query import UNKNOWN, Status
from mxbackup.lookup.tlsa import NONE, Associations
from mxbackup.smtp.client import Dialogue
from mxbackup.smtp.replies import Outcome
from mxbackup.smtp.starttls import Security


class Unasked(StrEnum):
    """Why an exchanger was not asked."""

    NO_ADDRESS = "no-address"
    INSIDE = "inside"  # its addresses lead nowhere from the Internet
    LATE = "late"  # the time was up
    TOO_MANY = "too-many"  # there are more exchangers, or questions to the DNS about it, than are asked
    FAILED = "failed"  # a fault in this program


@dataclass(frozen=True)
class Asked:
    """One exchanger, and what it said; `unasked` says why there is no dialogue, `fault` what failed in this program.

    `security` is what STARTTLS came to, None where it was not tried, or this Python has no TLS.
    """

    exchanger: Exchanger
    dialogue: Dialogue | None = None
    security: Security | None = None
    tlsa: Associations = NONE
    vantage: Vantage = Vantage.OUTSIDE
    unasked: Unasked | None = None
    fault: str = ""

    @property
    def name(self) -> str:
        """The name of the exchanger."""
        return self.exchanger.name

    @property
    def reached(self) -> bool:
        """Whether something took the connection."""
        return self.dialogue is not None and self.dialogue.outcome != Outcome.UNREACHABLE

    @property
    def outcome(self) -> Outcome | None:
        """What became of the recipient; None where nobody was asked."""
        return self.dialogue.outcome if self.dialogue else None

    @property
    def said(self) -> object:
        """What it said to the recipient, or why it said nothing."""
        return (self.dialogue.trouble or self.dialogue.reply) if self.dialogue else ""

    @property
    def refuses(self) -> bool:
        """Whether the recipient itself is refused, not the stranger before he could name it."""
        return self.dialogue is not None and self.dialogue.asked and self.outcome == Outcome.REFUSED

    @property
    def accepts_nobody(self) -> bool:
        """Whether somebody is accepted who does not exist."""
        return self.dialogue is not None and _accepted(self.dialogue.nobody.outcome)

    @property
    def relays(self) -> bool:
        """Whether a stranger's mail for another stranger is accepted."""
        return self.dialogue is not None and _accepted(self.dialogue.refuse.outcome)


@dataclass(frozen=True, kw_only=True)
class Audited(Published):
    """All that was found out about a domain.

    `recipient` should exist, `nobody` should not, `refuse` is a stranger's. `named` are the primaries that we were told
    of. `implicit` is whether there is no MX record, so that the domain's own address counts (RFC 5321 section 5.1).
    `servers_late` is whether the time was up before all name servers were asked. `tls` is whether this Python has TLS,
    `now` the time of the audit in seconds since 1970.
    """

    recipient: str
    nobody: str = ""
    refuse: str = ""
    asked: tuple[Asked, ...] = ()
    named: frozenset[str] = frozenset()
    implicit: bool = False
    servers_late: bool = False
    tls: bool = True
    now: int = 0

    @cached_property
    def primaries(self) -> tuple[Asked, ...]:
        """Those that are named, else those of the best preference."""
        if self.named:
            return tuple(one for one in self.asked if one.name in self.named)
        best = min((one.exchanger.preference for one in self.asked), default=0)
        return tuple(one for one in self.asked if one.exchanger.preference == best)

    @cached_property
    def backups(self) -> tuple[Asked, ...]:
        """All others."""
        return tuple(one for one in self.asked if one not in self.primaries)

    @property
    def enforced(self) -> bool:
        """Whether the MTA-STS policy has senders keep mail back rather than bring it without good TLS."""
        return self.policy is not None and self.policy.mode == "enforce"

    @property
    def complete(self) -> bool:
        """Whether all could be asked that there is to ask, and as a stranger."""
        asked = all(one.vantage == Vantage.OUTSIDE and one.unasked not in _UNKNOWN for one in self.asked)
        known = self.mx == Status.SERVFAIL or self.mx not in UNKNOWN
        return known and asked and not self.out_of_reach and not self.servers_late

    @property
    def out_of_reach(self) -> bool:
        """Whether no exchanger could be connected to, of those that have been tried."""
        tried = [one for one in self.asked if one.dialogue]
        return bool(tried) and not any(one.reached for one in tried)


AuditCheck = Callable[[Audited], Iterator[Finding]]


_UNKNOWN = (Unasked.LATE, Unasked.TOO_MANY, Unasked.FAILED)


def _accepted(outcome: Outcome) -> bool:
    return outcome == Outcome.ACCEPTED
