# SPDX-License-Identifier: GPL-2.0-or-later
"""The check of one rule as a page shows it: it goes on behind the page, which shows what was found so far."""

import time
from dataclasses import dataclass
from typing import Protocol

from mxbackup.errors import Message, MxBackupError, Sentence, Severity
from mxbackup.panel import mending
from mxbackup.rules import Rule
from mxbackup.service import background, checking
from mxbackup.service.background import Look
from mxbackup.service.context import Context
from mxbackup.words import about_steps, spans
from mxbackup.words.lexicon import Lexicon

BUDGET = 2.0  # seconds of a check that cannot go on behind the page
PATIENCE = 0.5  # seconds that the page waits for an end, so that most need not be fetched again
_LABELS: dict[Severity, Sentence] = {Severity.ERROR: "ERROR", Severity.WARNING: "Warning", Severity.NOTE: "Note"}
_ASKING: dict[str, Sentence] = {
    "": "this server itself",
    "here": "the DNS, for MX records",
    "records": "each name server of the domain",
    "servers": "the primary, without sending mail",
    "way": "the web server of the domain, for an MTA-STS policy",
}
_LOST: Sentence = "what it found is not kept any more"


@dataclass(frozen=True)
class Remedy:
    """A button that asks for the change `do`, with a value, or a link to the `page`."""

    label: str
    do: str = ""
    page: str = ""
    value: str = ""


@dataclass(frozen=True)
class Found:
    """One finding in words; `severity` is error, warning or note."""

    severity: str
    label: str
    sentence: str
    advice: str
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True)
class Talk:
    """A dialogue with a mail server, as telnet would show it."""

    target: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """What was found so far. `state` is fine, warning, error or unchecked, empty before the end.

    `when` it was made, or for how many seconds it runs; `asking` is what is not known yet. `key` is that of a check
    behind the page, `rule` the name that its buttons are for. While it is `running` the page is fetched again; it is
    `broken` when it came to no end, `late` when it could not go on behind the page. `trouble` is why nothing could be
    checked.
    """

    state: str = ""
    verdict: str = ""
    findings: tuple[Found, ...] = ()
    servers: tuple[str, ...] = ()
    talks: tuple[Talk, ...] = ()
    when: str = ""
    asking: str = ""
    key: str = ""
    rule: str = ""
    running: bool = False
    broken: bool = False
    late: bool = False
    trouble: str = ""


class Checking(Protocol):
    """How a rule is checked."""

    def __call__(
        self, context: Context, rule: Rule, words: Lexicon, *, planned: bool = False, anew: bool = False
    ) -> Check:
        """Check a rule, one that is only `planned` as if it were in force; `anew` even if that was just done."""
        ...


def check(context: Context, rule: Rule, words: Lexicon, *, planned: bool = False, anew: bool = False) -> Check:
    """Check a rule behind the page; return what was found in PATIENCE seconds."""
    try:
        key = background.begin(context, rule, planned=planned, anew=anew)
    except MxBackupError as error:
        return Check(trouble=_reason(error.message, words))
    found = look(context, key, words)
    end = time.monotonic() + PATIENCE
    while found.running and time.monotonic() < end:
        time.sleep(0.05)
        found = look(context, key, words)
    return found


def look(context: Context, key: str, words: Lexicon) -> Check:
    """Return what the check of that key has found so far."""
    try:
        found = background.look(context, key)
    except MxBackupError as error:
        return Check(trouble=_reason(error.message, words))
    return _shown(found, key, words) if found else Check(trouble=words.text(_LOST))


def check_here(context: Context, rule: Rule, words: Lexicon, *, planned: bool = False, anew: bool = False) -> Check:
    """Check a rule within BUDGET seconds: who is no root has no place to keep what is found behind the page."""
    del anew  # it is done each time
    begun = Look(int(time.time()), ended=int(time.time()))
    try:
        report = checking.check_soon(context, rule, BUDGET, planned=planned)
    except MxBackupError as error:
        return Check(trouble=_reason(error.message, words))
    except OSError as error:
        return Check(trouble=words.text("{reason}", reason=error.strerror or str(error)))
    if not report.checked:
        return Check(late=True)
    return _shown(background.seen(report, begun), "", words)


def _shown(found: Look, key: str, words: Lexicon) -> Check:
    ended = found.ended != 0
    return Check(
        found.state,
        words.message(found.verdict) if found.verdict else "",
        tuple(_found(each, words) for each in found.findings),
        tuple(about_steps.name_server(server, words) for server in found.servers),
        tuple(Talk(talk.target, talk.lines) for talk in found.talks),
        spans.moment(found.ended) if ended else str(max(0, int(time.time()) - found.begun)),
        words.text(_ASKING[found.asking]) if found.asking in _ASKING else "",
        key,
        found.rule,
        running=found.running and not ended,
        broken=not found.running and not ended,
        trouble=_reason(found.trouble, words) if found.trouble else "",
    )


def _found(found: background.Found, words: Lexicon) -> Found:
    parameters = found.message.parameters
    advice = mending.advice(found.code, found.remedy)
    return Found(
        found.severity.value,
        words.text(_LABELS[found.severity]),
        words.message(found.message),
        words.message(advice) if advice.sentence else "",
        tuple(
            Remedy(
                words.text(way.label, **parameters) if way.value else words.text(way.label),
                way.do,
                way.page,
                str(parameters.get(way.value, "")),
            )
            for way in mending.MENDINGS.get(found.code, ())
            if way.fits(parameters)
        ),
    )


def _reason(message: Message, words: Lexicon) -> str:
    """Why there is no check, as the end of a sentence."""
    return words.message(message).rstrip(".")
