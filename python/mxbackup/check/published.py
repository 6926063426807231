# SPDX-License-Identifier: GPL-2.0-or-later
"""What the world is told about the mail of a name, whoever asks: plain values, for checks of rules and for audits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mxbackup.errors import Finding
from mxbackup.lookup.answers import ABSENT, Answer, Outcome, literal
from mxbackup.lookup.mtasts import Policy
from mxbackup.lookup.nameservers import ServerFacts
from mxbackup.lookup.query import Status


@dataclass(frozen=True)
class Exchanger:
    """One MX record, and what the look-ups of its host gave. `name` is empty in a null MX.

    `ipv6` is whether the mail system here uses IPv6.
    """

    preference: int
    name: str
    a: Answer = ABSENT
    aaaa: Answer = ABSENT
    alias: bool = False
    ipv6: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that the mail system here uses."""
        if address := literal(self.name):
            return (address,)
        return (*self.a.records, *self.aaaa.records) if self.ipv6 else self.a.records


@dataclass(frozen=True, kw_only=True)
class Published:
    """What DNS and HTTPS say of one name.

    `mx` is how the look-up of its MX ended, `bogus` whether DNSSEC was why it failed. `policy` is the name's MTA-STS
    policy; `policy_trouble` names why there is none to be had, `no-tls` or `unreadable`.
    """

    name: str
    mx: Status = Status.ANSWER
    bogus: bool = False
    exchangers: tuple[Exchanger, ...] = ()
    resolver_exchangers: tuple[tuple[int, str], ...] | None = None
    servers: tuple[ServerFacts, ...] = ()
    policy: Policy | None = None
    policy_trouble: str = ""

    @property
    def takes_no_mail(self) -> bool:
        """Whether there is a null MX (RFC 7505)."""
        return any(exchanger.name == "" for exchanger in self.exchangers)


def unavailable(exchanger: Exchanger) -> bool:
    """Whether the mail system has no address to try for this exchanger."""
    return not exchanger.addresses


def only_ipv6(exchanger: Exchanger) -> bool:
    """Whether the exchanger is there for others, but not for a mail system without IPv6."""
    return unavailable(exchanger) and exchanger.a.outcome != Outcome.FAILED and bool(exchanger.aaaa.records)


PublishedCheck = Callable[[Published], Iterator[Finding]]
