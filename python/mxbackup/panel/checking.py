# SPDX-License-Identifier: GPL-2.0-or-later
"""The check of one rule as a page shows it, in the time that a person waits for a page."""

from dataclasses import dataclass
from typing import Protocol

from mxbackup.rules import Rule
from mxbackup.service import checking
from mxbackup.service.context import Context
from mxbackup.words.lexicon import Lexicon

BUDGET = 2.0  # seconds


@dataclass(frozen=True)
class Found:
    """One finding in words; `severity` is error, warning or note."""

    severity: str
    label: str
    sentence: str
    advice: str


@dataclass(frozen=True)
class Check:
    """What was found. `state` is fine, warning, error or unchecked; `late` when there was not time enough to know."""

    state: str = ""
    verdict: str = ""
    findings: tuple[Found, ...] = ()
    late: bool = False
    trouble: str = ""


class Checking(Protocol):
    """How a rule is checked."""

    def __call__(self, context: Context, rule: Rule, words: Lexicon, *, planned: bool = False) -> Check:
        """Check a rule, one that is only `planned` as if it were in force."""
        ...


def check(context: Context, rule: Rule, words: Lexicon, *, planned: bool = False) -> Check:
    """Check a rule, one that is only `planned` as if it were in force, within BUDGET seconds."""
    from mxbackup.words import about_checks  # brings the DNS library, which only this page needs

    try:
        report = checking.check_soon(context, rule, BUDGET, planned=planned)
    except OSError as error:
        return Check(trouble=error.strerror or str(error))
    if report is None:
        return Check(late=True)
    findings = tuple(
        Found(
            found.severity.value,
            about_checks.label(found, words),
            about_checks.sentence(found, words),
            about_checks.advice(found, words),
        )
        for found in report.findings
    )
    return Check(report.state, about_checks.verdict(report.delivery, words), findings)
