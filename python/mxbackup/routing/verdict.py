# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a message, whichever mail system decides it. Pure."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from mxbackup.lookup.answers import Lookup
from mxbackup.smtp import SMTP_PORT

NOBODY_ANSWERS = "4.4.1"
# "This host, this network" (RFC 1122 section 3.2.1.3) is always ourselves.
ANY_ADDRESS = "0.0.0.0"  # noqa: S104


class Target(NamedTuple):
    """Where a connection goes."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Verdict(StrEnum):
    """What becomes of the message, the best first. UNKNOWN is for who could not find out.

    LOCAL is for what the mail system does not send to others by SMTP. No mail system decides that it is refused, here
    where it arrives or there by the primary: see `check.fate`.
    """

    UNKNOWN = "unknown"
    LOCAL = "local"
    DELIVER = "deliver"
    DEFER = "defer"
    LOOP = "loop"
    BOUNCE = "bounce"
    REFUSED_THERE = "refused-there"
    REFUSED_HERE = "refused-here"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The verdict, its enhanced status code (RFC 3463; empty where mail gets through), the targets as tried.

    Those of equal preference are in the order of the answers; chance decides in which they are tried.
    """

    verdict: Verdict
    code: str = ""
    to: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """What the table of routes says of a name: the entry's key, and the relay, whose host is None to deliver by MX."""

    key: str
    host: str | None = None
    port: int = SMTP_PORT


class MailSystem(Protocol):
    """What may send this server's mail, of one kind."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def program(self) -> str:
        """What it is of: all kinds of qmail are qmail."""

    @property
    def table(self) -> str:
        """What its table of routes is called."""

    @property
    def types(self) -> tuple[str, ...]:
        """The types of records whose addresses it uses."""

    @property
    def reads_networks(self) -> bool:
        """Whether it takes addresses for its own, or not, that are written down beside those of its interfaces."""

    @property
    def knows_greeting(self) -> bool:
        """Whether it knows itself by what it is greeted with, so that mail does not go in circles."""

    def route(self, name: str, routes: Mapping[str, str]) -> Route | None:
        """Return what the table of routes says of a name."""

    def tiers(
        self, name: str, routes: Mapping[str, str], lookup: Lookup, own: Container[str]
    ) -> tuple[tuple[Target, ...], ...] | Delivery:
        """Return the targets that are tried, in tiers within which chance decides, or what is done without any."""

    def outcomes(
        self,
        name: str,
        routes: Mapping[str, str],
        lookup: Lookup,
        own: Container[str],
        public: Container[str],
        unreachable: Container[Target],
    ) -> tuple[Delivery, ...]:
        """Return what becomes of a message: more than one thing where chance decides.

        `own` are the addresses that it takes for its own, `public` further ones that lead to this server, and
        `unreachable` the targets that accept no connection.
        """


def leads_to_us(target: Target, own: Container[str], public: Container[str]) -> bool:
    """Whether a message for this target comes back to us: on port 25 of one of our own addresses."""
    address = target.address
    return target.port == SMTP_PORT and (address in own or address in public or address == ANY_ADDRESS)


def worst(deliveries: Iterable[Delivery]) -> Delivery:
    """Return the worst of some deliveries, which is what counts where it is not known which of them it will be."""
    return max(deliveries, key=lambda delivery: list(Verdict).index(delivery.verdict))
