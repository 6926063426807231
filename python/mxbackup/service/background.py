# SPDX-License-Identifier: GPL-2.0-or-later
"""The check of a rule behind a page: it goes on when the page is sent, and what it finds is there for the next one."""

import hashlib
import json
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mxbackup import rules
from mxbackup.errors import Finding, Message, MxBackupError, Sentence, Severity
from mxbackup.esmith.database import log_to_syslog
from mxbackup.outage import NameServer, Record
from mxbackup.rules import Rule
from mxbackup.service import checking
from mxbackup.service.context import Context
from mxbackup.service.outages import stamp
from mxbackup.service.runs import Content, Runs

if TYPE_CHECKING:
    from mxbackup.check.collecting import Report
    from mxbackup.check.facts import Facts

LIMIT = 110  # seconds for the check
KILLED = LIMIT + 10  # seconds after which its process is killed
LINES = 100  # of a dialogue that are kept


@dataclass(frozen=True)
class Found:
    """One finding: its severity and code, what is wrong, what to do about it, and what is to be filled in."""

    severity: Severity
    code: str
    message: Message
    remedy: Message


@dataclass(frozen=True)
class Talk:
    """A dialogue with a mail server, as telnet would show it."""

    target: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What a check has found so far. Times in seconds since 1970, 0 where there is none.

    `rule` is the name of the rule, empty where that is only planned. `begun` is when the check began; `ended` when it
    came to its end, 0 before. `state` is that of the report, `asking` how far the questions have come, by the name of a
    `Known`. `verdict` is what becomes of mail, None where that is not known; `trouble` why nothing could be checked.
    """

    begun: int
    rule: str = ""
    ended: int = 0
    running: bool = False
    state: str = ""
    asking: str = ""
    verdict: Message | None = None
    findings: tuple[Found, ...] = ()
    servers: tuple[NameServer, ...] = ()
    talks: tuple[Talk, ...] = ()
    trouble: Message | None = None


def begin(context: Context, rule: Rule, *, planned: bool = False, anew: bool = False) -> str:
    """Have a rule checked, one that is only `planned` as if it were in force; return the key of the check.

    None is begun when one goes on, or, unless `anew`, has ended a moment ago. Raises HostError.
    """
    begun = Look(int(time.time()), "" if planned else rule.name)

    def job(write: Callable[[Content], None]) -> None:
        write(_content(_checked(context, rule, begun, lambda found: write(_content(found)), planned=planned)))

    key = _key(context, rule, planned=planned)
    Runs(context.host).begin(key, job, _content(begun), KILLED, anew=anew)
    return key


def look(context: Context, key: str) -> Look | None:
    """Return what the check of a key has found; None when that is not kept, or never was. Raises HostError."""
    run = Runs(context.host).look(key)
    if run is None:
        return None
    try:
        return replace(_look(run.content), running=run.running)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def seen(report: "Report", begun: Look, known: "Facts | None" = None) -> Look:
    """Return what a report tells, of a check that has `begun`; of one without result, what is `known` so far."""
    from mxbackup.check.findings import judge
    from mxbackup.words import about_checks

    found = replace(begun, state=report.state, verdict=about_checks.said_of(report.delivery))
    if report.checked or known is None:
        return _with(found, report.facts, report.findings)
    return _with(found, known, (*report.findings, *judge(known)))


def _key(context: Context, rule: Rule, *, planned: bool) -> str:
    """What tells this check from any other: the rule, and the databases as they are now."""
    databases = [stamp(store.path) for store in (context.domains, context.configuration)]
    told = [rule.name, rules.to_properties(rule), planned, databases]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _with(look: Look, facts: "Facts", findings: Iterable[Finding]) -> Look:
    from mxbackup.words import about_checks

    return replace(
        look,
        asking=facts.known.name.lower(),
        findings=tuple(
            Found(found.severity, found.id, about_checks.shown(found.message), about_checks.shown(found.remedy))
            for found in findings
        ),
        servers=checking.name_servers(facts),
        talks=tuple(Talk(str(to), said.transcript[:LINES]) for to, said in facts.contacts.items()),
    )


def _checked(context: Context, rule: Rule, begun: Look, write: Callable[[Look], None], *, planned: bool) -> Look:
    """The whole check, whatever happens: what it is kept from is told. What is found so far is written."""
    from mxbackup.check.findings import judge

    known: list[Facts] = []

    def told(facts: "Facts") -> None:
        known[:] = [facts]
        write(_with(begun, facts, judge(facts)))

    found = begun
    try:
        report = checking.check_soon(context, rule, LIMIT, planned=planned, told=told)
        found = seen(report, begun, known[0] if known else None)
    except MxBackupError as error:
        found = replace(found, trouble=error.message)
    except OSError as error:
        found = replace(found, trouble=Message("{reason}", reason=error.strerror or str(error)))
    except Exception:
        log_to_syslog([f"check of {rule.name}: {line}" for line in traceback.format_exc().splitlines()])
        said: Sentence = "a fault in this program, which /var/log/messages tells"
        found = replace(found, trouble=Message(said))
    return replace(found, ended=int(time.time()))


def _content(found: Look) -> Content:
    """Return what the store has of it."""
    return {
        "begun": found.begun,
        "rule": found.rule,
        "ended": found.ended,
        "state": found.state,
        "asking": found.asking,
        "verdict": _kept(found.verdict),
        "findings": [[f.severity.value, f.code, _kept(f.message), _kept(f.remedy)] for f in found.findings],
        "servers": found.servers,
        "talks": [[talk.target, talk.lines] for talk in found.talks],
        "trouble": _kept(found.trouble),
    }


def _look(content: Content) -> Look:
    return Look(
        begun=int(content["begun"]),
        rule=str(content["rule"]),
        ended=int(content["ended"]),
        state=str(content["state"]),
        asking=str(content["asking"]),
        verdict=_message(content["verdict"]),
        findings=tuple(
            Found(Severity(severity), str(code), _message(message) or Message(""), _message(remedy) or Message(""))
            for severity, code, message, remedy in content["findings"]
        ),
        servers=tuple(
            NameServer(name, answer, tuple(Record(*record) for record in records))
            for name, answer, records in content["servers"]
        ),
        talks=tuple(Talk(str(target), tuple(map(str, lines))) for target, lines in content["talks"]),
        trouble=_message(content["trouble"]),
    )


def _kept(value: object) -> Any:
    """A message, with those in it, as JSON has it: so each reader has it in his language."""
    match value:
        case None:
            return None
        case MxBackupError():
            return _kept(value.message)
        case Message():
            return {"sentence": value.sentence, "parameters": {k: _kept(v) for k, v in value.parameters.items()}}
    return str(value)


def _message(kept: Any) -> Message | None:
    return (
        None if kept is None else Message(kept["sentence"], **{k: _parameter(v) for k, v in kept["parameters"].items()})
    )


def _parameter(kept: Any) -> object:
    return _message(kept) if isinstance(kept, dict) else kept
