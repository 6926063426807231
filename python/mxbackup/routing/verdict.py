# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a message, whichever mail system decides it. Pure."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

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

    LOCAL is for what the mail system does not send to others by SMTP.
    """

    UNKNOWN = "unknown"
    LOCAL = "local"
    DELIVER = "deliver"
    DEFER = "defer"
    LOOP = "loop"
    BOUNCE = "bounce"


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


def leads_to_us(target: Target, own: Container[str], public: Container[str]) -> bool:
    """Whether a message for this target comes back to us: on port 25 of one of our own addresses."""
    address = target.address
    return target.port == SMTP_PORT and (address in own or address in public or address == ANY_ADDRESS)


def worst(deliveries: Iterable[Delivery]) -> Delivery:
    """Return the worst of some deliveries, which is what counts where it is not known which of them it will be."""
    return max(deliveries, key=lambda delivery: list(Verdict).index(delivery.verdict))
