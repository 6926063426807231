# SPDX-License-Identifier: GPL-2.0-or-later
"""Will it work? Finds out all about names, and judges it. Nothing here prints or raises for what it finds."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from mxbackup.check import fate
from mxbackup.check.contacts import Contacts
from mxbackup.check.facts import Facts, Us
from mxbackup.check.findings import judge, notchecked
from mxbackup.check.inquiry import QUESTIONS, Inquiry, Told
from mxbackup.check.threads import run_all
from mxbackup.errors import Finding, QueueError, Severity
from mxbackup.esmith.database import log_to_syslog
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import HostKind
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.lookup.nameservers import Dns, TooMany
from mxbackup.lookup.query import RESOLV_CONF, Server
from mxbackup.routing.verdict import Delivery, Target, Verdict
from mxbackup.rules import Rule, RuleSet

AT_ONCE = 16
NAME_LIMIT = 60.0  # seconds for one name
RUN_LIMIT = 1200.0  # seconds for all names
UNCHECKED = "unchecked"

NO_RULES = RuleSet()


@dataclass(frozen=True)
class Report:
    """What was found out about one name, errors first. Without `checked` nothing is known but why.

    `delivery` is what becomes of its mail in the end; what the mail system alone would do is in the facts.
    """

    name: str
    delivery: Delivery
    findings: tuple[Finding, ...]
    facts: Facts
    checked: bool = True

    @property
    def state(self) -> str:
        """The worst severity, or `fine`; UNCHECKED is neither."""
        if not self.checked:
            return UNCHECKED
        worst = next((s for s in Severity if any(found.severity == s for found in self.findings)), None)
        return "fine" if worst in (None, Severity.NOTE) else str(worst)

    @property
    def codes(self) -> tuple[str, ...]:
        """The ids of the errors."""
        return tuple(found.id for found in self.findings if found.severity == Severity.ERROR)


class Checker:
    """Checks names against the DNS and the mail servers, as this server sees them. May be used by several threads.

    `routes` are the entries on disk that say where mail goes, None where there is no such file, `ours` those that the
    rules ask for. `log` takes the lines of what
    went wrong in the program itself.
    """

    def __init__(
        self,
        dns: Dns,
        us: Us,
        routes: Mapping[str, str] | None,
        contacts: Contacts | None = None,
        log: Callable[[list[str]], None] = log_to_syslog,
        ours: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._dns = dns
        self._us = us
        self._routes = routes
        self._contacts = contacts or Contacts()
        self._log = log
        self._ours = dict(ours)

    def check(
        self,
        name: str,
        rule: Rule | None = None,
        clock: Clock | None = None,
        limit: float = NAME_LIMIT,
        told: Told = lambda facts: None,
    ) -> Report:
        """Check one name, in `limit` seconds of the clock's time. `rule` is the one that decides about its mail.

        `told` is given what is known so far, each time that there is more.

        Never raises: what kept it from being checked is a finding.
        """
        try:
            facts = self._facts(name, rule, Clock(limit, clock), told)
            findings = judge(facts)
            return Report(name, fate.of(facts, findings), findings, facts)
        except (TimeIsUp, TooMany) as error:
            finding = notchecked.NOT_CHECKED.found(name=name, reason=error)
        except Exception as error:  # the trouble with one name is not to be that of all others
            with suppress(Exception):  # where there is no syslog the finding alone tells it
                self._log([f"check of {name}: {line}" for line in traceback.format_exc().splitlines()])
            finding = notchecked.FAILED.found(name=name, error=ascii(error)[:300])
        nothing = Delivery(Verdict.UNKNOWN)
        return Report(
            name, nothing, (finding,), Facts(name=name, us=self._us, delivery=nothing, rule=rule), checked=False
        )

    def way(self, name: str, clock: Clock) -> tuple[Target, ...] | Delivery:
        """Return where the mail of a name is sent, in order; what it does where that is nowhere but here.

        Raises TimeIsUp or TooMany.
        """
        kind, us = self._us.kinds[0], self._us
        if us.settings.local.delivers(name) is not None:
            return Delivery(Verdict.LOCAL)
        look_up = self._dns.within(Clock(NAME_LIMIT, clock), QUESTIONS).lookup
        found = kind.tiers(name, self._routes or {}, look_up, us.known_to(kind))
        if isinstance(found, Delivery):
            return found
        targets = tuple(target for tier in found for target in tier if not us.gets(target, kind))
        return targets or Delivery(Verdict.LOOP)

    @property
    def helo(self) -> str:
        """The name that this server greets with."""
        return self._us.helo

    def _facts(self, name: str, rule: Rule | None, clock: Clock, told: Told) -> Facts:
        dns = self._dns.within(clock, QUESTIONS)
        return Inquiry(name, rule, self._us, self._routes, self._ours, dns, self._contacts, clock).facts(told)


def check_all(
    checker: Checker,
    names: Sequence[tuple[str, Rule | None]],
    done: Callable[[Report], object] = lambda report: None,
    limit: float = RUN_LIMIT,
) -> list[Report]:
    """Check many names in `limit` seconds, giving each report to `done` as it comes, and all in the order of the names.

    AT_ONCE at a time; one after the other where no thread can start. What the time is not enough for is UNCHECKED.
    """
    clock = Clock(limit)
    return run_all([partial(checker.check, name, rule, clock) for name, rule in names], AT_ONCE, done)


def checker_for(
    kind: HostKind,
    settings: Settings,
    public: Iterable[str] = (),
    nameservers: Sequence[Server] = (),
    rules: RuleSet = NO_RULES,
    planned: Rule | None = None,
    outdated: Iterable[Path] | None = None,
    plugin: bool = True,
) -> Checker:
    """Return the checker for this server: its addresses, its resolver, its routes on disk.

    `public` addresses count beside those of the settings. A `planned` rule is checked as if it stood beside the
    `rules` and the routes held it already. `outdated` files do not hold the rules; None on a machine without rules.
    `plugin` is as in `Us`. Raises OSError or HostError when they cannot be read.
    """
    ours = kind.routes_meant(rules, settings)
    if planned and settings.routes:
        before, ours = ours, kind.routes_meant(rules.beside(planned), replace(settings, enabled=True))
        routes = kind.routes(before, ours)
    else:
        routes = kind.routes()
    us = us_at(kind, settings, public, outdated, plugin)
    if outdated is not None:
        us = with_mistakes(us, kind, rules, planned=planned is not None)
    return Checker(dns_at(kind, nameservers), us, routes, ours=ours)


def with_mistakes(us: Us, kind: HostKind, rules: RuleSet, *, planned: bool = False) -> Us:
    """Return this server with what its mail system is told amiss, and, unless `planned`, whether it runs.

    Raises HostError.
    """
    mistakes = tuple(found for found in kind.findings(rules) if found.severity != Severity.NOTE)
    return replace(us, mistakes=mistakes, stopped=None if planned else kind.queue.stopped())


def us_at(
    kind: HostKind,
    settings: Settings,
    public: Iterable[str] = (),
    outdated: Iterable[Path] | None = None,
    plugin: bool = True,
) -> Us:
    """Return this server, as `checker_for` has it. Raises OSError or HostError."""
    own = kind.own_addresses()
    lifetime = Us.lifetime
    with suppress(QueueError):  # told where the queue is read
        lifetime = kind.queue.lifetime()
    return Us(
        frozenset(own.interfaces),
        settings.public_addresses | frozenset(public),
        settings,
        None if outdated is None else tuple(outdated),
        kind.command,
        plugin,
        kinds=kind.mail_systems(),
        more=own.more,
        less=own.less,
        lifetime=lifetime,
    )


def dns_at(kind: HostKind, nameservers: Sequence[Server] = ()) -> Dns:
    """Return the DNS as this server's resolvers know it, and those `nameservers`."""
    return Dns.of_system(kind.host.path(RESOLV_CONF), nameservers)
