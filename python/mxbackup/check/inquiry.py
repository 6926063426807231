# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds out all about one name, in bounded time and with a bounded number of questions and connections."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from mxbackup.check import survey
from mxbackup.check.contacts import Contacts
from mxbackup.check.facts import Facts, Us
from mxbackup.lookup.clock import Clock
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import UNKNOWN, Status
from mxbackup.routing.verdict import Delivery, MailSystem, Target, Verdict, worst
from mxbackup.rules import Rule
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome

QUESTIONS = 400  # to the DNS; thirteen exchangers and thirteen name servers take about a hundred
CONNECTIONS = 8  # to mail servers


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

    def facts(self) -> Facts:
        """Return all that can be found out. Raises TimeIsUp or TooMany."""
        answer = self.dns.resolve(self.name, "MX")
        own = self.dns.resolve(self.name, "MX", own_resolver=True) if self.dns.nameservers else answer
        contacts = self._contacts()
        reached = {target for target, said in contacts.items() if said.outcome != Outcome.UNREACHABLE}
        outcomes = {kind: self._outcomes(kind, reached) for kind in self.us.kinds}
        failed = answer.status in UNKNOWN
        policy, trouble = (None, "") if failed else survey.policy(self.dns, self.name, self.clock)
        return Facts(
            name=self.name,
            us=self.us,
            delivery=worst(found for kind in outcomes.values() for found in kind),
            outcomes=outcomes,
            rule=self.rule,
            mx=answer.status,
            bogus=failed and self.dns.bogus(self.name, "MX"),
            exchangers=tuple(
                survey.exchanger(self.dns, *mx, ipv6=self.us.uses_ipv6) for mx in answer.answer("MX").exchangers
            ),
            resolver_exchangers=own.answer("MX").exchangers if own.status == Status.ANSWER else None,
            servers=self.dns.facts(self.name),
            route=self.us.kinds[0].route(self.name, self.routes or {}),
            expected_route=None if self.routes is None else self.us.kinds[0].route(self.name, self.ours),
            contacts=contacts,
            policy=policy,
            policy_trouble=trouble,
        )

    def _contacts(self) -> dict[Target, Dialogue]:
        """Connect to the targets of each mail system in turn, up to the first that can be reached, as it does."""
        found: dict[Target, Dialogue] = {}
        for kind in self.us.kinds:
            for tier in self._tiers(kind):
                elsewhere = [target for target in tier if not self.us.gets(target, kind)]
                if self._reached(elsewhere, found) or len(elsewhere) < len(tier):
                    break
        return found

    def _reached(self, targets: Iterable[Target], found: dict[Target, Dialogue]) -> bool:
        """Whether one of the targets can be reached; the dialogues go to `found`."""
        question = Question(f"postmaster@{self.name}", helo=self.us.helo)
        for target in targets:
            if target not in found and len(found) < CONNECTIONS:
                found[target] = self.contacts.hold(target, question, self.clock)
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
