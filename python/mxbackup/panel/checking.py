# SPDX-License-Identifier: GPL-2.0-or-later
"""The check of one rule as a page shows it, in the time that a person waits for a page."""

from dataclasses import dataclass
from typing import Protocol

from mxbackup.lexicon import Lexicon
from mxbackup.outcomes import Inventory
from mxbackup.rules import Rule
from mxbackup.service import Service

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

    def __call__(
        self, service: Service, inventory: Inventory, rule: Rule, words: Lexicon, *, planned: bool = False
    ) -> Check:
        """Check a rule, one that is only `planned` as if it were in force."""
        ...


def check(service: Service, inventory: Inventory, rule: Rule, words: Lexicon, *, planned: bool = False) -> Check:
    """Check a rule, one that is only `planned` as if it were in force, within BUDGET seconds."""
    from mxbackup import checks, reporting  # brings the DNS library, which only this page needs

    try:
        checker = checks.checker_for(
            service.host,
            inventory.settings,
            planned=rule if planned else None,
            outdated=() if planned else service.outdated(inventory),
            plugin=not service.plugin_faults(inventory),
        )
    except OSError as error:
        return Check(trouble=error.strerror or str(error))
    report = checks.check_within(checker, rule.name, rule, BUDGET)
    if report is None:
        return Check(late=True)
    findings = tuple(
        Found(
            found.severity.value,
            reporting.label(found, words),
            reporting.sentence(found, words),
            reporting.advice(found, words),
        )
        for found in report.findings
    )
    return Check(report.state, reporting.verdict(report.delivery, words), findings)
