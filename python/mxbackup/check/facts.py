# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found out about a name, and what it can be judged to mean: plain values for the checks."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path

from mxbackup.check.published import Exchanger, Published
from mxbackup.errors import Finding, HostError
from mxbackup.esmith.host import UPDATE
from mxbackup.esmith.settings import Settings
from mxbackup.lookup.interfaces import Network, Own
from mxbackup.queue.qmail.lifetime import DEFAULT
from mxbackup.routing.qmail_remote import KINDS
from mxbackup.routing.verdict import Delivery, MailSystem, Route, Target, leads_to_us
from mxbackup.rules import Rule
from mxbackup.smtp.client import Dialogue


@dataclass(frozen=True)
class Us:
    """This server: the addresses of its interfaces, those that lead to it from outside, and its settings.

    `outdated` are the mail files that do not hold the rules, which the command `update` puts into them; None on a
    machine that is no server, where a name needs no rule to be checked. `plugin` is whether qpsmtpd, where it is used,
    asks our plugin about recipients. `kinds` are the mail systems that may be here, `more` and `less` the networks that
    some of them read: see `interfaces.Own`. `lifetime` is for how many seconds held mail is tried.
    `mistakes` are in what the mail system is told beside our files; `stopped` is why it sends nothing.
    """

    interfaces: frozenset[str]
    public: frozenset[str]
    settings: Settings
    outdated: tuple[Path, ...] | None = None
    update: str = UPDATE
    plugin: bool = True
    kinds: tuple[MailSystem, ...] = KINDS
    more: tuple[Network, ...] = ()
    less: tuple[Network, ...] = ()
    lifetime: int = DEFAULT
    mistakes: tuple[Finding, ...] = ()
    stopped: HostError | None = None

    def known_to(self, kind: MailSystem) -> Container[str]:
        """Return the addresses that this mail system takes for its own."""
        return Own(self.interfaces, self.more, self.less) if kind.reads_networks else self.interfaces

    def here(self, kind: MailSystem) -> Container[str]:
        """Return the addresses that lead to this server, whether this mail system knows it or not."""
        return Own(self.interfaces | self.public, self.more, self.less if kind.reads_networks else ())

    def gets(self, target: Target, kind: MailSystem) -> bool:
        """Whether what this mail system sends to a target comes back to it."""
        return leads_to_us(target, self.known_to(kind), self.here(kind))

    @property
    def proxies(self) -> tuple[str, ...]:
        """The single addresses that a mail system here is told to be its own: those of NAT."""
        return tuple(str(network[0]) for network in self.more if network.num_addresses == 1)

    @property
    def program(self) -> str:
        """The mail system here."""
        return self.kinds[0].program

    @property
    def uses_ipv6(self) -> bool:
        """Whether every mail system that may be here does."""
        return all("AAAA" in kind.types for kind in self.kinds)

    def knows(self, address: str) -> bool:
        """Whether every mail system that may be here takes the address for its own."""
        return all(address in self.known_to(kind) for kind in self.kinds)

    def owns(self, exchanger: Exchanger) -> bool:
        """Whether the exchanger is this server, by address or by one of the names e-smith gives it."""
        return self.leads_here(exchanger) or exchanger.name in self.names

    def leads_here(self, exchanger: Exchanger) -> bool:
        """Whether the exchanger has an address of this server."""
        here = Own(self.interfaces | self.public, self.more)
        return any(address in here for address in exchanger.addresses)

    @property
    def helo(self) -> str:
        """The name that this server greets with, empty where that is not known."""
        settings = self.settings
        return f"{settings.system_name}.{settings.domain_name}" if settings.domain_name else ""

    @cached_property
    def names(self) -> frozenset[str]:
        """The server's own host names; e-smith makes `mail` in each local domain."""
        domain = self.settings.domain_name
        if not domain:
            return frozenset()
        own = {f"{self.settings.system_name}.{domain}", f"mail.{domain}"}
        return frozenset(own | {f"mail.{name}" for name in self.settings.local_domains})


class Known(IntEnum):
    """How far the questions about a name have come: each is asked when all before it is known for good."""

    HERE = 0  # what this server says
    RECORDS = 1  # MX records, and the addresses of the exchangers
    SERVERS = 2  # what each name server says
    WAY = 3  # where mail goes, and who answers there
    ALL = 4


@dataclass(frozen=True, kw_only=True)
class Facts(Published):
    """What is known of one name, which is all of it, or what `known` says, and part of what comes next.

    `delivery` is the worst of `outcomes`, which each mail system may come to. `rule` is the one that decides about
    its mail: its own, or that of a domain it lies in. `route` is what smtproutes on disk says, `expected_route`
    what it should say, where that is known. `contacts` are the dialogues with the targets of the delivery.
    """

    us: Us
    delivery: Delivery
    outcomes: Mapping[MailSystem, tuple[Delivery, ...]] = field(default_factory=dict)
    rule: Rule | None = None
    route: Route | None = None
    expected_route: Route | None = None
    contacts: Mapping[Target, Dialogue] = field(default_factory=dict)
    known: Known = Known.ALL

    @property
    def local(self) -> bool:
        """Whether this server delivers the name's mail itself: see `localmail`."""
        return self.us.settings.local.delivers(self.name) is not None

    @property
    def relayed(self) -> bool:
        """Whether an explicit route, which no MX record can spoil, takes the mail away."""
        return self.route is not None and bool(self.route.host)

    @cached_property
    def ours(self) -> tuple[Exchanger, ...]:
        """The exchangers that are this server."""
        return tuple(exchanger for exchanger in self.exchangers if self.us.owns(exchanger))

    @cached_property
    def others(self) -> tuple[Exchanger, ...]:
        """The exchangers that are not."""
        return tuple(exchanger for exchanger in self.exchangers if exchanger not in self.ours)

    @property
    def our_preference(self) -> int | None:
        """Our best preference; None when we are no MX."""
        return min((exchanger.preference for exchanger in self.ours), default=None)

    @property
    def primaries(self) -> tuple[Exchanger, ...]:
        """The exchangers that come before us; all others when we are no MX."""
        ours = self.our_preference
        return tuple(other for other in self.others if ours is None or other.preference < ours)


Check = Callable[[Facts], Iterator[Finding]]
