# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of mail: one verdict, which never contradicts what was found."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mxbackup.check import fate
from mxbackup.check.collecting import Report
from mxbackup.check.facts import Facts
from mxbackup.check.findings import judge
from mxbackup.errors import HostError
from mxbackup.routing.verdict import NOBODY_ANSWERS, Delivery, Target, Verdict
from mxbackup.smtp.client import Dialogue
from mxbackup.smtp.replies import Outcome, Reply
from mxbackup.words import about_checks, lexicon
from tests.test_findings import DELIVERED, FINE, ROWS, RULE, SERVER, SETTINGS, TARGET

OTHER = Target("192.0.2.26", 25)
OURS = replace(FINE, us=SERVER, rule=RULE)
DISABLED = replace(SERVER, settings=replace(SETTINGS, enabled=False))
DENIED = Dialogue(Outcome.REFUSED, Reply(550, ("5.7.1 no",)))
WAITS = Delivery(Verdict.DEFER, NOBODY_ANSWERS, (TARGET,))


def says(*dialogues: Dialogue) -> Facts:
    """The targets of the delivery in turn say this."""
    targets = (TARGET, OTHER)[: len(dialogues)]
    return replace(OURS, delivery=replace(DELIVERED, to=targets), contacts=dict(zip(targets, dialogues, strict=True)))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (FINE, "delivered to 192.0.2.25:25"),
        (OURS, "delivered to 192.0.2.25:25"),
        (replace(OURS, rule=None), "refused by this server"),
        (replace(OURS, us=DISABLED), "refused by this server"),
        (replace(OURS, us=DISABLED, rule=None), "refused by this server"),
        (replace(OURS, us=replace(SERVER, outdated=(Path("/x"),))), ""),
        (
            replace(OURS, us=replace(SERVER, stopped=HostError("{service} is not running.", service="qmail"))),
            "kept in the queue for now",
        ),
        (replace(OURS, delivery=WAITS), "kept in the queue for now (4.4.1)"),
        (says(DENIED), "refused by the primary (5.7.1)"),
        (says(Dialogue(Outcome.REFUSED, Reply(554, ("go away",)))), "refused by the primary (554)"),
        (says(Dialogue(Outcome.DEFERRED, Reply(451, ("later",)))), "kept in the queue for now (451)"),
        (says(Dialogue(Outcome.BROKEN)), "kept in the queue for now"),
        (says(Dialogue(Outcome.UNREACHABLE), Dialogue(Outcome.ACCEPTED)), "delivered to 192.0.2.26:25"),
        (says(Dialogue(Outcome.UNREACHABLE), DENIED), "refused by the primary (5.7.1)"),
        (says(Dialogue(Outcome.ACCEPTED), DENIED), "delivered to 192.0.2.25:25, 192.0.2.26:25"),
    ],
)
def test_what_becomes_of_mail(facts: Facts, verdict: str) -> None:
    assert about_checks.verdict(fate.of(facts, judge(facts)), lexicon.load("en-us")) == verdict


@pytest.mark.parametrize("facts", [facts for facts, codes in ROWS if "error local-domain" not in codes])
def test_no_report_says_that_mail_is_both_delivered_and_not(facts: Facts) -> None:
    findings = judge(facts)
    report = Report(facts.name, fate.of(facts, findings), findings, facts)
    text = "\n".join(about_checks.lines(report, lexicon.load("en-us")))
    delivered = [line for line in text.splitlines() if " is delivered to " in line]
    refused = re.findall(r"(?:this server refuses|, refuses|nothing is accepted|puts mail|is not sent on).*", text)
    assert not (delivered and refused), text
