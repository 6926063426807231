# SPDX-License-Identifier: GPL-2.0-or-later
"""Will it work? Finds out all about a name, and judges it. Nothing here prints or raises for what it finds."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from mxbackup import delivery, dnsfindings, interfaces, mailfindings, mtasts, render, smtpprobe
from mxbackup.delivery import Delivery, Route, Target, Verdict
from mxbackup.dnscheck import Dns
from mxbackup.dnsquery import Server, Status, system_resolvers
from mxbackup.facts import Exchanger, Facts, Finding, Severity, Us
from mxbackup.host import CONTROL, Host
from mxbackup.rules import Rule
from mxbackup.settings import Settings
from mxbackup.smtpprobe import Dialogue, Question

AT_ONCE = 16
# qpsmtpd of an SME Server takes five connections from one address and puts the sixth off.
AT_ONCE_EACH = 4
CONTACT_LIMIT = 10.0  # seconds
SMTPROUTES = CONTROL / "smtproutes"
RESOLV_CONF = Path("/etc/resolv.conf")

Probe = Callable[[str, Question, int], Dialogue]


def contact(host: str, question: Question, port: int) -> Dialogue:
    """Hold a dialogue with a primary, in a time that a check of many can take."""
    return smtpprobe.probe(host, question, port, CONTACT_LIMIT)


@dataclass(frozen=True)
class Report:
    """What was found out about one name, errors first."""

    name: str
    delivery: Delivery
    findings: tuple[Finding, ...]
    facts: Facts

    @property
    def state(self) -> str:
        """The worst severity, or `fine`."""
        worst = next((s for s in Severity if any(found.severity == s for found in self.findings)), None)
        return "fine" if worst in (None, Severity.NOTE) else str(worst)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the errors."""
        return tuple(found.code for found in self.findings if found.severity == Severity.ERROR)


class Checker:
    """Checks names against the DNS and the mail servers, as this server sees them. May be used by several threads.

    `routes` are the entries of smtproutes on disk, None where there is no such file. `probe` holds the dialogue.
    """

    def __init__(self, dns: Dns, us: Us, routes: Mapping[str, str] | None, probe: Probe = contact) -> None:
        self._dns = dns
        self._us = us
        self._routes = routes
        self._probe = probe
        self._turns: dict[str, threading.Semaphore] = {}

    def check(self, name: str, rule: Rule | None = None) -> Report:
        """Check one name. `rule` is the one that decides about its mail, if there is one."""
        facts = self._facts(name, rule)
        findings = judge(facts)
        return Report(name, facts.delivery, findings, facts)

    def _facts(self, name: str, rule: Rule | None) -> Facts:
        answer = self._dns.resolve(name, "MX")
        # Until the mail servers are asked, an address that accepts no connection is not known to be one.
        contacts = self._contacts(name, self._decide(name, ()).to)
        dead = {target for target, dialogue in contacts.items() if dialogue.outcome == smtpprobe.Outcome.UNREACHABLE}
        route = delivery.route(name, dict(self._routes or {}))
        failed = answer.status in (Status.SERVFAIL, Status.REFUSED, Status.SILENT)
        policy, trouble = (None, "") if failed else self._policy(name)
        own = self._dns.resolve(name, "MX", own_resolver=True) if self._dns.nameservers else answer
        return Facts(
            name=name,
            us=self._us,
            delivery=self._decide(name, dead),
            rule=rule,
            mx=answer.status,
            bogus=failed and self._dns.bogus(name, "MX"),
            exchangers=tuple(self._exchanger(*mx) for mx in answer.answer("MX").exchangers),
            resolver_exchangers=own.answer("MX").exchangers if own.status == Status.ANSWER else None,
            servers=self._dns.facts(name),
            route=route,
            expected_route=self._expected(name, rule),
            contacts=contacts,
            policy=policy,
            policy_trouble=trouble,
        )

    def _decide(self, name: str, unreachable: Iterable[Target]) -> Delivery:
        if self._us.settings.local.delivers(name):
            return Delivery(Verdict.LOCAL)
        return delivery.decide(
            name,
            dict(self._routes or {}),
            self._dns.lookup,
            self._us.interfaces,
            self._us.public,
            frozenset(unreachable),
        )

    def _contacts(self, name: str, targets: Sequence[Target]) -> dict[Target, Dialogue]:
        """Connect to the targets in turn, up to the first that can be reached, as qmail does."""
        contacts: dict[Target, Dialogue] = {}
        question = Question(f"postmaster@{name}", helo=self._helo())
        for target in dict.fromkeys(targets):
            if target.address in self._us.interfaces or target.address in self._us.public:
                break
            with self._turns.setdefault(target.address, threading.Semaphore(AT_ONCE_EACH)):
                contacts[target] = self._probe(target.address, question, target.port)
            if contacts[target].outcome != smtpprobe.Outcome.UNREACHABLE:
                break
        return contacts

    def _helo(self) -> str:
        settings = self._us.settings
        return f"{settings.system_name}.{settings.domain_name}" if settings.domain_name else ""

    def _exchanger(self, preference: int, name: str) -> Exchanger:
        if not name or delivery.literal(name):
            return Exchanger(preference, name)
        look_up = self._dns.lookup
        alias = bool(look_up(name, "CNAME").records)
        return Exchanger(preference, name, look_up(name, "A"), look_up(name, "AAAA"), alias)

    def _expected(self, name: str, rule: Rule | None) -> Route | None:
        """What smtproutes must say of the name; None where there is no rule in force, or nothing to say."""
        if rule is None or self._routes is None or not self._us.settings.enabled:
            return None
        key = rule.name if name == rule.name else f".{rule.name}"
        match render.destination(rule, self._us.settings):
            case "route":
                return delivery.route(name, {key: rule.route})
            case "bypass":
                return Route(key)
            case _:
                return None

    def _policy(self, name: str) -> tuple[mtasts.Policy | None, str]:
        if not mtasts.announced(self._dns.lookup(f"_mta-sts.{name}", "TXT").records):
            return None, ""
        try:
            return mtasts.fetch(name), ""
        except mtasts.NoTls:
            return None, "no-tls"
        except mtasts.Unreadable:
            return None, "unreadable"


def judge(facts: Facts) -> tuple[Finding, ...]:
    """Return all findings, errors first. The verdict itself is one where no error on the mail's way explains it."""
    findings = [found for check in (*dnsfindings.CHECKS, *mailfindings.CHECKS) for found in check(facts)]
    if not any(found.severity == Severity.ERROR for found in findings):
        findings += mailfindings.verdict_is_good(facts)
    findings = [*mailfindings.accepted_here(facts), *findings]
    return tuple(sorted(findings, key=lambda found: list(Severity).index(found.severity)))


def threads_start() -> bool:
    """Whether this machine can start threads. The C library of our interpreter cannot on Linux 2.4 (SME 5 and 6)."""
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        return False
    return True


def check_all(
    checker: Checker, names: Sequence[tuple[str, Rule | None]], done: Callable[[], object] = lambda: None
) -> list[Report]:
    """Check many names, calling `done` after each. Returns the reports in the order of the names.

    AT_ONCE at a time; one after the other where no thread can start.
    """
    if not threads_start():
        reports = []
        for name, rule in names:
            reports.append(checker.check(name, rule))
            done()
        return reports
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(checker.check, name, rule) for name, rule in names]
        for _ in as_completed(running):
            done()
    return [one.result() for one in running]


def check_within(checker: Checker, name: str, rule: Rule | None, budget: float) -> Report | None:
    """Check one name in `budget` seconds; None when that was too short. The rest of the check is given up.

    Where no thread can start, the check takes the time that it takes: its own time-outs end it.
    """
    if not threads_start():
        return checker.check(name, rule)
    found: list[Report] = []
    worker = threading.Thread(target=lambda: found.append(checker.check(name, rule)), daemon=True)
    worker.start()
    worker.join(budget)
    return found[0] if found else None


def checker_for(
    host: Host,
    settings: Settings,
    public: Iterable[str] = (),
    nameservers: Sequence[Server] = (),
    planned: Rule | None = None,
    outdated: Iterable[Path] | None = None,
) -> Checker:
    """Return the checker for this server: its interfaces, its resolver, its smtproutes on disk.

    `public` addresses count beside those of the settings. A `planned` rule is checked as if smtproutes held it
    already. `outdated` files do not hold the rules; None on a machine without rules.
    Raises OSError when smtproutes cannot be read.
    """
    path = host.path(SMTPROUTES)
    routes = delivery.parse_routes(path.read_bytes()) if path.exists() else None
    if planned and routes is not None and settings.routes:
        routes = _with_planned(routes, planned, settings)
    us = Us(
        interfaces.addresses(),
        settings.public_addresses | frozenset(public),
        settings,
        None if outdated is None else tuple(outdated),
        "mxbackup apply" if host.plain else "signal-event mxbackup-update",
    )
    return Checker(Dns(system_resolvers(host.path(RESOLV_CONF)), nameservers), us, routes)


def _with_planned(routes: Mapping[str, str], rule: Rule, settings: Settings) -> dict[str, str]:
    others = {key: route for key, route in routes.items() if key != rule.name}
    match render.destination(rule, settings):
        case "route":
            return {**others, rule.name: rule.route}
        case "bypass":
            return {**others, rule.name: ""}
        case _:
            return others
