# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks all mail exchangers of a domain what they say to a stranger, in bounded time, whatever they do.

Each is asked once for a recipient of a stranger's domain, and no message is ever sent.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from mxbackup.audit.facts import Asked, Audited, Unasked
from mxbackup.check import survey, vantage
from mxbackup.check.contacts import Turns
from mxbackup.check.published import Exchanger
from mxbackup.check.threads import run_all
from mxbackup.lookup import tlsa
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.lookup.interfaces import Interface
from mxbackup.lookup.mtasts import Policy
from mxbackup.lookup.nameservers import Dns, ServerFacts, TooMany
from mxbackup.lookup.query import UNKNOWN, Status
from mxbackup.smtp import SMTP_PORT, client, starttls
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.starttls import Security

LIMIT = 120.0  # seconds for all of it
AT_ONCE = 32
EXCHANGERS_ASKED = 50
ADDRESSES_TRIED = 4  # of one exchanger
DIALOGUE_LIMIT = 30.0  # seconds; some servers let strangers wait for ten before they greet them
TLS_LIMIT = 15.0
LOOKUP_LIMIT = 20.0
QUESTIONS = 100  # to the DNS, for each part of the audit

Probe = Callable[[str, Question, int, float, Sequence[str]], Dialogue]
Negotiate = Callable[[str, int, float, Sequence[str], str], Security]


@dataclass(frozen=True)
class Request:
    """What is to be audited: a domain; somebody there who exists, and somebody who does not; a stranger's address.

    `primaries` are the exchangers that are no backups; by default those of the best preference. `helo` is the name to
    greet with, by default this machine's.
    """

    domain: str
    recipient: str
    nobody: str
    refuse: str
    primaries: frozenset[str] = frozenset()
    helo: str = ""


@dataclass(frozen=True)
class Auditor:
    """Finds out all about a domain. `interfaces` are this machine's; the rest is what does the asking."""

    dns: Dns
    interfaces: Collection[Interface] = ()
    probe: Probe = client.probe
    negotiate: Negotiate | None = starttls.negotiate
    turns: Turns = field(default_factory=Turns)

    def audit(self, request: Request, limit: float = LIMIT) -> Audited:
        """Ask everybody, and return what they said. What the `limit` of seconds is not enough for is said to be so."""
        clock = Clock(limit)
        facts = self._begin(request, clock)
        if facts.mx in UNKNOWN or facts.takes_no_mail:
            return facts
        known = list(facts.exchangers)
        jobs: list[Callable[[], Asked | _Servers | _Policy]] = [
            partial(self._servers, request.domain, clock),
            partial(self._policy, request.domain, clock),
            *(partial(self._ask, mx, request, clock) for mx in known[:EXCHANGERS_ASKED]),
        ]
        asked: list[Asked] = []
        for found in run_all(jobs, AT_ONCE):
            match found:
                case Asked():
                    asked.append(found)
                case _Servers(servers, late):
                    facts = replace(facts, servers=servers, servers_late=late)
                case _Policy(policy, trouble):
                    facts = replace(facts, policy=policy, policy_trouble=trouble)
        asked += (Asked(mx, unasked=Unasked.TOO_MANY) for mx in known[EXCHANGERS_ASKED:])
        return replace(facts, asked=tuple(asked), exchangers=tuple(one.exchanger for one in asked))

    def _begin(self, request: Request, clock: Clock) -> Audited:
        """Look the MX up; without any the domain's own addresses count (RFC 5321 section 5.1)."""
        dns, name = self.dns.within(Clock(LOOKUP_LIMIT, clock), QUESTIONS), request.domain
        try:
            reply = dns.resolve(name, "MX")
            status, bogus = reply.status, reply.status == Status.SERVFAIL and dns.bogus(name, "MX")
        except (TimeIsUp, TooMany):
            status, bogus, reply = Status.SILENT, False, None
        found = {host: preference for preference, host in reversed(reply.answer("MX").exchangers if reply else ())}
        implicit = not found and status in (Status.ANSWER, Status.EMPTY)
        hosts = {name: 0} if implicit else dict(reversed(found.items()))  # each once, with its best preference
        return Audited(
            name=name,
            mx=status,
            bogus=bogus,
            exchangers=tuple(Exchanger(preference, host) for host, preference in hosts.items()),
            recipient=request.recipient,
            nobody=request.nobody,
            refuse=request.refuse,
            named=request.primaries,
            implicit=implicit,
            tls=self.negotiate is not None,
            now=int(time.time()),
        )

    def _servers(self, name: str, clock: Clock) -> "_Servers":
        try:
            return _Servers(self.dns.within(Clock(2 * LOOKUP_LIMIT, clock), QUESTIONS).facts(name), False)
        except (TimeIsUp, TooMany):
            return _Servers((), True)

    def _policy(self, name: str, clock: Clock) -> "_Policy":
        part = Clock(LOOKUP_LIMIT, clock)
        try:
            return _Policy(*survey.policy(self.dns.within(part, QUESTIONS), name, part))
        except (TimeIsUp, TooMany):
            return _Policy(None, "unreadable")

    def _ask(self, mx: Exchanger, request: Request, clock: Clock) -> Asked:
        """Never raises: the trouble with one exchanger is not to be that of all others."""
        asked = Asked(mx)
        try:
            dns = self.dns.within(Clock(LOOKUP_LIMIT, clock), QUESTIONS)
            asked = Asked(survey.exchanger(dns, mx.preference, mx.name, ipv6=True))
            asked = replace(asked, tlsa=tlsa.find(dns, mx.name, SMTP_PORT))
            addresses = [one for one in asked.exchanger.addresses if not vantage.is_inside(one)][:ADDRESSES_TRIED]
            if not addresses:
                return replace(asked, unasked=Unasked.INSIDE if asked.exchanger.addresses else Unasked.NO_ADDRESS)
            with self.turns.take(addresses[0], clock):
                return self._talk(asked, addresses, request, clock)
        except TimeIsUp:
            return replace(asked, unasked=Unasked.LATE)
        except TooMany:
            return replace(asked, unasked=Unasked.TOO_MANY)
        except Exception as error:
            return replace(asked, unasked=Unasked.FAILED, fault=ascii(error)[:300])

    def _talk(self, asked: Asked, addresses: Sequence[str], request: Request, clock: Clock) -> Asked:
        question = Question(request.recipient, "", request.refuse, request.helo, nobody=request.nobody)
        left = clock.left()
        dialogue = self.probe(asked.name, question, SMTP_PORT, min(DIALOGUE_LIMIT, left), addresses)
        if dialogue.late and left < DIALOGUE_LIMIT:
            clock.over()
        done = replace(asked, dialogue=dialogue, vantage=vantage.of(dialogue, self.interfaces))
        with suppress(TimeIsUp):  # what was said about recipients stands
            if self.negotiate and dialogue.starttls:
                seconds = min(TLS_LIMIT, clock.left())
                security = self.negotiate(asked.name, SMTP_PORT, seconds, [dialogue.address], request.helo)
                return replace(done, security=security)
        return done


@dataclass(frozen=True)
class _Servers:
    servers: tuple[ServerFacts, ...]
    late: bool


@dataclass(frozen=True)
class _Policy:
    policy: Policy | None
    trouble: str
