# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds out all about one name, in bounded time and with a bounded number of questions and connections."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace

from mxbackup.check import survey
from mxbackup.check.contacts import Contacts
from mxbackup.check.facts import Facts, Known, Us
from mxbackup.lookup.clock import Clock
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import UNKNOWN, Status
from mxbackup.routing.verdict import Delivery, MailSystem, Target, Verdict, worst
from mxbackup.rules import Rule
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome

QUESTIONS = 400  # to the DNS; thirteen exchangers and thirteen name servers take about a hundred
CONNECTIONS = 8  # to mail servers

Told = Callable[[Facts], object]  # is given what is known so far


@dataclass(frozen=True)
class Inquiry:
    """What is asked about one name, of whom, and for how long.

    `rule` is the one that decides about its mail, `routes` the entries on disk that say where mail goes, None without
    such a file, `ours` those that the rules ask for.
    """

    name: str
    rule: Rule | None
    us: Us
    routes: Mapping[str, str] | None
    ours: Mapping[str, str]
    dns: Dns
    contacts: Contacts
    clock: Clock

    def facts(self, told: Told = lambda facts: None) -> Facts:
        """Return all that can be found out, and tell each time what is known so far. Raises TimeIsUp or TooMany."""
        found = self._here()
        for ask in (self._records, self._servers, self._way, self._policy):
            told(found)
            found = ask(found, told)
        return found

    def _here(self) -> Facts:
        kind = self.us.kinds[0]
        return Facts(
            name=self.name,
            us=self.us,
            delivery=Delivery(Verdict.UNKNOWN),
            rule=self.rule,
            route=kind.route(self.name, self.routes or {}),
            expected_route=None if self.routes is None else kind.route(self.name, self.ours),
            known=Known.HERE,
        )

    def _records(self, found: Facts, _: Told) -> Facts:
        answer = self.dns.resolve(self.name, "MX")
        own = self.dns.resolve(self.name, "MX", own_resolver=True) if self.dns.nameservers else answer
        return replace(
            found,
            mx=answer.status,
            bogus=answer.status in UNKNOWN and self.dns.bogus(self.name, "MX"),
            exchangers=tuple(
                survey.exchanger(self.dns, *mx, ipv6=self.us.uses_ipv6) for mx in answer.answer("MX").exchangers
            ),
            resolver_exchangers=own.answer("MX").exchangers if own.status == Status.ANSWER else None,
            known=Known.RECORDS,
        )

    def _servers(self, found: Facts, told: Told) -> Facts:
        for server in self.dns.each(self.name):
            found = replace(found, servers=(*found.servers, server))
            told(found)
        return replace(found, known=Known.SERVERS)

    def _way(self, found: Facts, told: Told) -> Facts:
        contacts = self._contacts(lambda contacts: told(replace(found, contacts=dict(contacts))))
        reached = {target for target, said in contacts.items() if said.outcome != Outcome.UNREACHABLE}
        outcomes = {kind: self._outcomes(kind, reached) for kind in self.us.kinds}
        delivery = worst(outcome for outcomes_of_kind in outcomes.values() for outcome in outcomes_of_kind)
        return replace(found, delivery=delivery, outcomes=outcomes, contacts=contacts, known=Known.WAY)

    def _policy(self, found: Facts, _: Told) -> Facts:
        failed = found.mx in UNKNOWN
        policy, trouble = (None, "") if failed else survey.policy(self.dns, self.name, self.clock)
        return replace(found, policy=policy, policy_trouble=trouble, known=Known.ALL)

    def _contacts(self, told: Callable[[Mapping[Target, Dialogue]], object]) -> dict[Target, Dialogue]:
        """Connect to the targets of each mail system in turn, up to the first that can be reached, as it does."""
        found: dict[Target, Dialogue] = {}
        for kind in self.us.kinds:
            for tier in self._tiers(kind):
                elsewhere = [target for target in tier if not self.us.gets(target, kind)]
                if self._reached(elsewhere, found, told) or len(elsewhere) < len(tier):
                    break
        return found

    def _reached(
        self,
        targets: Iterable[Target],
        found: dict[Target, Dialogue],
        told: Callable[[Mapping[Target, Dialogue]], object],
    ) -> bool:
        """Whether one of the targets can be reached; the dialogues go to `found`."""
        question = Question(f"postmaster@{self.name}", helo=self.us.helo)
        for target in targets:
            if target not in found and len(found) < CONNECTIONS:
                found[target] = self.contacts.hold(target, question, self.clock)
                told(found)
            if target in found and found[target].outcome != Outcome.UNREACHABLE:
                return True
        return False

    def _tiers(self, kind: MailSystem) -> tuple[tuple[Target, ...], ...]:
        if self._local:
            return ()
        found = kind.tiers(self.name, self.routes or {}, self.dns.lookup, self.us.known_to(kind))
        return () if isinstance(found, Delivery) else found

    def _outcomes(self, kind: MailSystem, reached: Container[Target]) -> tuple[Delivery, ...]:
        if self._local:
            return (Delivery(Verdict.LOCAL),)
        us = self.us
        targets = (target for tier in self._tiers(kind) for target in tier)
        # What was not tried any more counts as what does not answer, of two mistakes the smaller.
        dead = {target for target in targets if target not in reached and not us.gets(target, kind)}
        known, here = us.known_to(kind), us.here(kind)
        return kind.outcomes(self.name, self.routes or {}, self.dns.lookup, known, here, dead)

    @property
    def _local(self) -> bool:
        return self.us.settings.local.delivers(self.name) is not None
