# SPDX-License-Identifier: GPL-2.0-or-later
"""What the letter to the owner of a backed-up name says: facts of both servers, and what follows from them for him."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from typing import TypeVar

from mxbackup.check import survey, vantage
from mxbackup.check.facts import Facts, Us
from mxbackup.check.published import Exchanger
from mxbackup.lookup import tlsa
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.lookup.mtasts import Policy
from mxbackup.lookup.nameservers import Dns, TooMany
from mxbackup.lookup.query import UNKNOWN, Status
from mxbackup.routing.entries import Way, actual_way
from mxbackup.routing.verdict import Delivery, Verdict
from mxbackup.rules import Rule
from mxbackup.smtp import SMTP_PORT

QUESTIONS = 100  # to the DNS
STEP = 10  # between preferences, so that another exchanger fits in
HIGHEST = 0xFFFF  # RFC 1035 section 3.3.9
GUESS = 100  # the preference where those of the primaries are not known: hardly any has a greater one
Found = TypeVar("Found")


class Origin(StrEnum):
    """How it is known from which addresses our mail comes; a smart host sends it from its own, which nobody told us."""

    SETTING = "setting"
    INTERFACES = "interfaces"
    DNS = "dns"  # they lead here; behind NAT others may lead away
    SMARTHOST = "smarthost"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Letter:
    """The facts.

    `server` is our name as an exchanger, and `host` what the DNS says of it. `implicit` is whether the name takes its
    mail itself, having an address and no MX (RFC 5321 section 5.1). `admin` is whom to ask, `hold` for how many seconds
    mail is kept, None where that is not known. `dane` are those exchangers, ours among them, that have TLSA records.
    """

    facts: Facts
    rule: Rule
    server: str
    host: Exchanger | None = None
    implicit: bool = False
    admin: str = ""
    hold: int | None = None
    dane: frozenset[str] = frozenset()

    @property
    def answered(self) -> bool:
        """Whether the DNS told which exchangers the name has."""
        return self.facts.mx not in UNKNOWN

    @property
    def primaries(self) -> tuple[Exchanger, ...]:
        """The exchangers that come before us, or are to."""
        return tuple(one for one in self.facts.primaries or self.facts.others if one.name)

    @property
    def listed(self) -> bool:
        """Whether we are an exchanger already, and come after a primary."""
        return bool(self.facts.ours and self.facts.primaries)

    @property
    def preference(self) -> int | None:
        """The preference that we should have; None where the primaries leave no greater one."""
        if not self.answered:
            return GUESS
        if self.listed:
            return self.facts.our_preference
        highest = max((one.preference for one in self.facts.others), default=STEP if self.implicit else 0)
        return None if highest >= HIGHEST else min((highest // STEP + 1) * STEP, HIGHEST)

    @property
    def records(self) -> tuple[tuple[int, str], ...]:
        """The MX records to add: ours, and the name's own where until now it had none."""
        if self.preference is None:
            return ()
        return (*((STEP, self.rule.name) for _ in range(self.implicit)), (self.preference, self.server))

    @property
    def leads_here(self) -> bool:
        """Whether the DNS has one of our addresses for our name."""
        return self.host is not None and self.facts.us.leads_here(self.host)

    @property
    def origin(self) -> Origin:
        """How the addresses are known that our mail comes from: as the least certain of them is."""
        return max((origin for origin, _ in self._sources), key=list(Origin).index, default=Origin.UNKNOWN)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that our mail comes from, as far as they are known, IPv4 first."""
        return tuple(address for _, addresses in self._sources for address in addresses)

    @cached_property
    def _sources(self) -> list[tuple[Origin, list[str]]]:
        """For IPv4 and IPv6 apart, as NAT is, the addresses and how they are known."""
        us = self.facts.us
        if actual_way(self.rule, us.settings) == Way.SMARTHOST:
            return [(Origin.SMARTHOST, [])]
        known = (
            (Origin.SETTING, vantage.outside(us.public)),
            (Origin.INTERFACES, vantage.outside(us.interfaces)),
            (Origin.SETTING, vantage.outside(us.proxies)),
            (Origin.DNS, vantage.outside(self.host.addresses if self.host else ())),
        )
        families: list[Callable[[str], bool]] = [_is_ipv4, *([_is_ipv6] if us.uses_ipv6 else [])]
        found = (((origin, list(filter(of, addresses))) for origin, addresses in known) for of in families)
        return [best for one in found if (best := next(filter(itemgetter(1), one), None))]

    @property
    def primary_has_dane(self) -> bool:
        """Whether senders find TLSA records of a primary (RFC 7672)."""
        return any(primary.name in self.dane for primary in self.primaries)

    @property
    def unlisted(self) -> bool:
        """Whether the name has an MTA-STS policy that keeps careful senders from us."""
        policy = self.facts.policy
        return policy is not None and policy.mode != "none" and not policy.lists(self.server)


def _is_ipv4(address: str) -> bool:
    return ":" not in address


def _is_ipv6(address: str) -> bool:
    return ":" in address


def ask(rule: Rule, us: Us, dns: Dns, names: Sequence[str], clock: Clock) -> Letter:
    """Return what can be found out in the time of the clock. `names` may be ours, the likeliest first; one at least."""
    asked = _Asked(us, dns.within(clock, QUESTIONS), clock)
    found = asked.place(rule, names)
    policy, trouble = asked.policy(rule) if found.answered else (None, "")
    facts = replace(found.facts, policy=policy, policy_trouble=trouble)
    hosts = {one.name for one in facts.others} | {found.server}
    return replace(found, facts=facts, dane=frozenset(filter(asked.has_tlsa, hosts)))


def ask_place(rule: Rule, us: Us, dns: Dns, names: Sequence[str], clock: Clock) -> Letter:
    """Return the same as far as the MX records to add follow from it, which takes few questions."""
    return _Asked(us, dns.within(clock, QUESTIONS), clock).place(rule, names)


@dataclass(frozen=True)
class _Asked:
    """Asks, each step for itself: what the time is not enough for is not known, and the rest is."""

    us: Us
    dns: Dns
    clock: Clock

    def place(self, rule: Rule, names: Sequence[str]) -> Letter:
        """Return our place among the exchangers of the name."""
        facts = self.facts(rule)
        server, host = self.server(facts, names)
        return Letter(facts, rule, server, host, facts.mx == Status.EMPTY and self.has_address(rule.name))

    def facts(self, rule: Rule) -> Facts:
        answer = self._try(lambda: self.dns.resolve(rule.name, "MX"))
        records = answer.answer("MX").exchangers if answer else ()
        return Facts(
            name=rule.name,
            us=self.us,
            delivery=Delivery(Verdict.UNKNOWN),
            rule=rule,
            mx=answer.status if answer else Status.SILENT,
            exchangers=tuple(self._exchanger(*record) for record in records),
        )

    def policy(self, rule: Rule) -> tuple[Policy | None, str]:
        """Return the MTA-STS policy of the name, and why there is none that counts, as `survey.policy` does."""
        return self._try(lambda: survey.policy(self.dns, rule.name, self.clock)) or (None, "")

    def server(self, facts: Facts, names: Sequence[str]) -> tuple[str, Exchanger]:
        """Return our name, and what the DNS says of it: that of an exchanger, else the first that leads here."""
        hosts = list(facts.ours) or [self._exchanger(0, name) for name in names]
        chosen = next(filter(self.us.leads_here, hosts), None) or next((h for h in hosts if h.addresses), hosts[0])
        return chosen.name, chosen

    def has_address(self, name: str) -> bool:
        found = self._exchanger(0, name)
        return bool((*found.a.records, *found.aaaa.records))

    def has_tlsa(self, host: str) -> bool:
        found = self._try(lambda: tlsa.find(self.dns, host, SMTP_PORT)) if host else None
        return found is not None and bool(found.all)

    def _exchanger(self, preference: int, name: str) -> Exchanger:
        found = self._try(lambda: survey.exchanger(self.dns, preference, name, ipv6=self.us.uses_ipv6))
        return found or Exchanger(preference, name)

    def _try(self, step: Callable[[], Found]) -> Found | None:
        try:
            return step()
        except (TimeIsUp, TooMany):
            return None
