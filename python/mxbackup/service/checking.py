# SPDX-License-Identifier: GPL-2.0-or-later
"""Will it work? The checks of rules, and the states that were found at the last of them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup.errors import DatabaseMissing, HostError, MxBackupError
from mxbackup.esmith import files, printable
from mxbackup.esmith.database import log_to_syslog
from mxbackup.esmith.inventory import Invalid, Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.outage import Check, NameServer, Notice, Record, Seen, State, after, due
from mxbackup.rules import Rule, RuleSet, names
from mxbackup.service import inspecting, plugin
from mxbackup.service.context import Context
from mxbackup.service.outages import Known, Outages, States, Turn

LOCK = Path("/var/lock/mxbackup-check")
SERVERS = 16  # name servers of a domain that are remembered
RECORDS = 16  # MX records of each

# The checks bring the DNS library; the list of rules shows states without them.
if TYPE_CHECKING:
    from mxbackup.check.collecting import Report
    from mxbackup.check.facts import Facts
    from mxbackup.lookup.query import Server

# Given the names, what is entered while they are checked, and given each report as it comes.
Progress = Callable[[Sequence[str]], AbstractContextManager["Callable[[Report], object]"]]


@dataclass(frozen=True)
class Checked:
    """What a check found, in the order of the names, and the records that hold no rule."""

    reports: "list[Report]"
    invalid: list[Invalid]


def check(
    context: Context,
    wanted: Sequence[str] = (),
    *,
    public: Iterable[str] = (),
    nameservers: "Sequence[Server]" = (),
    limit: float,
    remember: bool = False,
    progress: Progress = lambda wanted: nullcontext(lambda report: None),
) -> Checked:
    """Check names, all rules without one, in `limit` seconds. What kept one from being checked is in its report.

    `public` addresses lead to this server beside those of the settings; `nameservers` are asked instead of the
    domain's own. The states are recorded; with `remember` that has to succeed, and admin is told of those that turned.
    Raises InvalidInput, DatabaseError, HostError, OSError.
    """
    from mxbackup.check import collecting

    inventory, outdated = _rules_in_force(context)
    chosen = _chosen(wanted, inventory)
    loaded = not plugin.faults(context, inventory)
    checker = collecting.checker_for(
        context.kind, inventory.settings, public, nameservers, inventory.rules, outdated=outdated, plugin=loaded
    )
    remember = remember and inventory.settings.enabled  # else all rules would turn, and turn back, on purpose
    with _alone(context.host.path(LOCK)) if remember else nullcontext():
        with progress([name for name, _ in chosen]) as done:
            reports = collecting.check_all(checker, chosen, done, limit)
        if remember:
            _remember(context, reports, inventory, all_rules=not wanted)
        elif outdated is not None:
            _note(context, reports, inventory)
    return Checked(reports, inventory.invalid)


def check_soon(
    context: Context,
    rule: Rule,
    limit: float,
    *,
    planned: bool = False,
    told: "Callable[[Facts], object]" = lambda facts: None,
) -> "Report":
    """Check a rule, one that is only `planned` as if it were in force, in `limit` seconds.

    `told` is given what is known so far, each time that there is more. Raises DatabaseError, HostError, OSError.
    """
    from mxbackup.check import collecting

    inventory = context.inventory()
    checker = collecting.checker_for(
        context.kind,
        inventory.settings,
        rules=inventory.rules,
        planned=rule if planned else None,
        outdated=() if planned else inspecting.outdated(context, inventory),
        plugin=not plugin.faults(context, inventory),
    )
    report = checker.check(rule.name, rule, limit=limit, told=told)
    if report.checked and not planned:
        _note(context, [report], inventory)
    return report


def _rules_in_force(context: Context) -> tuple[Inventory, list[Path] | None]:
    """The rules, and the files that do not hold them; no rules and None on a machine that is no server."""
    try:
        inventory = context.inventory()
    except DatabaseMissing:
        return Inventory(RuleSet(), [], Settings()), None
    return inventory, inspecting.outdated(context, inventory)


def _chosen(wanted: Sequence[str], inventory: Inventory) -> list[tuple[str, Rule | None]]:
    """The names to check, each with the rule that decides about it."""
    if not wanted:
        return [(rule.name, rule) for rule in inventory.rules]
    parsed = dict.fromkeys(names.parse_host(text) for text in wanted)
    return [(name, inventory.rules.nearest(name)) for name in parsed]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock of the check that remembers. Raises HostError at once when another one holds it."""
    with ExitStack() as held:
        try:
            held.enter_context(files.alone(lock))
        except TimeoutError as error:
            raise HostError("Another check with --remember is running. Wait for its end.") from error
        except OSError as error:
            raise HostError("{path} cannot be locked: {reason}.", path=lock, reason=error.strerror) from error
        yield


def _note(context: Context, reports: "Sequence[Report]", inventory: Inventory) -> None:
    """Record the states as far as that can be: whoever checks by hand may be no root, and is told by the report."""
    if inventory.settings.enabled:
        try:
            _turn(context, _of_rules(reports))
        except HostError as error:
            log_to_syslog([f"check: {printable.line(str(error))}"])


def _remember(context: Context, reports: "Sequence[Report]", inventory: Inventory, *, all_rules: bool) -> None:
    """Record the states, and tell admin of those that turned. Raises HostError: then it is told the next time."""
    from mxbackup.service import telling

    known = _of_rules(reports)
    if all_rules:
        Outages(context.host).forget_all_but(inventory)
    unsaid, notices = _turn(context, known, told=True)
    troubles: list[MxBackupError] = []
    reported = {report.name: report for report in known}
    failed = telling.tell(context, notices, inventory, troubles.append, log_to_syslog, reported) if notices else []
    if failed:
        Outages(context.host).put({name: unsaid[name] for notice in failed for name in notice.names})
    if troubles:
        raise troubles[0]


def _of_rules(reports: "Sequence[Report]") -> "list[Report]":
    return [report for report in reports if report.checked and _is_of_rule(report)]


def _is_of_rule(report: "Report") -> bool:
    return report.facts.rule is not None and report.facts.rule.name == report.name


def _turn(context: Context, reports: "Sequence[Report]", *, told: bool = False) -> tuple[States, list[Notice]]:
    """Take in what was found; return the states before anybody is told, and what is due, if it is to be `told` now."""
    unsaid: States = {}
    notices: list[Notice] = []
    now = int(time.time())

    def turn(known: Known) -> Turn:
        states, events = dict(known.states), []
        for report in reports:
            states[report.name], happened = after(states.get(report.name, State()), _seen(report, now))
            events += [event.of(report.name) for event in happened]
        unsaid.update(states)
        if told:
            states, notices[:] = due(states, now, [report.name for report in reports])
        return Turn(states, events)

    Outages(context.host).update(turn)
    return unsaid, notices


def _seen(report: "Report", now: int) -> Seen:
    from mxbackup.service import contacting

    found = contacting.best([contacting.judge(dialogue) for dialogue in report.facts.contacts.values()])
    primary = tuple(sorted(map(str, report.facts.contacts)))
    check = Check(report.state, report.codes, name_servers(report.facts))
    return Seen(now, found.contact, found.reason, primary, asked=bool(primary), check=check)


def name_servers(facts: "Facts") -> tuple[NameServer, ...]:
    """Return what is remembered of the name servers: as many, and of each as many records, as a person looks at."""
    ours = {exchanger.name for exchanger in facts.ours} | facts.us.names
    return tuple(
        NameServer(
            str(server.server),
            "silent" if server.status == "silent" else "lame" if server.lame else "answers",
            tuple(Record(number, name, name in ours) for number, name in sorted(server.exchangers)[:RECORDS]),
        )
        for server in facts.servers[:SERVERS]
    )
