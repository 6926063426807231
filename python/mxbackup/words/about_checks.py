# SPDX-License-Identifier: GPL-2.0-or-later
"""A report in words, for the command, the panel and the nightly mail."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mxbackup.check.collecting import Report
from mxbackup.errors import Finding, Message, Sentence, Severity
from mxbackup.routing.verdict import Delivery, Target, Verdict
from mxbackup.rules import names
from mxbackup.words.lexicon import Lexicon

TARGETS_SHOWN = 8
_LABELLED: Mapping[Severity, Sentence] = {
    Severity.ERROR: "ERROR: {said}",
    Severity.WARNING: "Warning: {said}",
    Severity.NOTE: "Note: {said}",
}


def sentence(finding: Finding, words: Lexicon) -> str:
    """Return what was found, in one sentence."""
    return words.message(_shown(finding.message, words))


def advice(finding: Finding, words: Lexicon) -> str:
    """Return what to do about it."""
    return words.message(_shown(finding.remedy, words))


def verdict(delivery: Delivery, words: Lexicon) -> str:
    """Return what qmail does with a message, empty where that is not known."""
    code, to = delivery.code, _some(delivery.to)
    match delivery.verdict:
        case Verdict.UNKNOWN:
            return ""
        case Verdict.LOCAL:
            return words.text("delivered on this server itself")
        case Verdict.DELIVER:
            return words.text("delivered to {to}", to=to)
        case Verdict.LOOP:
            return words.text("sent in circles through {to}", to=to)
        case Verdict.BOUNCE:
            return words.text("sent back to the sender at once ({code})", code=code)
        case Verdict.DEFER:
            return words.text("kept in the queue for now ({code})", code=code)


def lines(report: Report, words: Lexicon) -> list[str]:
    """Return the whole report: the records, what qmail does, who answered, and each finding with its advice."""
    facts, name = report.facts, names.to_unicode(report.name)
    text = [f"{name} mail is handled (pri={mx.preference}) by {mx.name or '.'}" for mx in facts.exchangers]
    if said_verdict := verdict(report.delivery, words):
        text.append(words.text("Mail for {name} is {verdict}.", name=name, verdict=said_verdict))
    text += [f"{target}: {said.banner}" for target, said in facts.contacts.items() if said.banner]
    for finding in report.findings:
        text += finding_lines(finding, words)
    if not report.findings:
        text.append(words.text("Everything is as it should be."))
    return text


def finding_lines(finding: Finding, words: Lexicon) -> tuple[str, str]:
    """Return what was found, with its severity and id, and below it what to do."""
    said = f"{sentence(finding, words)} [{finding.id}]"
    return words.text(_LABELLED[finding.severity], said=said), f"    {advice(finding, words)}"


def label(finding: Finding, words: Lexicon) -> str:
    """Return the severity as a word."""
    match finding.severity.value:
        case "error":
            return words.text("ERROR")
        case "warning":
            return words.text("Warning")
        case _:
            return words.text("Note")


def to_json(report: Report, words: Lexicon) -> dict[str, Any]:
    """Return the report as `check --json` has it."""
    return {
        "name": report.name,
        "verdict": report.delivery.verdict.value,
        "code": report.delivery.code or None,
        "to": [str(target) for target in report.delivery.to],
        "state": report.state,
        "contacts": [
            {"target": str(target), "outcome": said.outcome.value, "banner": str(said.banner), "reply": str(said.reply)}
            for target, said in report.facts.contacts.items()
        ],
        "findings": findings_json(report.findings, words),
    }


def findings_json(found: Iterable[Finding], words: Lexicon) -> list[dict[str, str]]:
    """Return findings as JSON has them."""
    return [
        {
            "code": finding.id,
            "severity": finding.severity.value,
            "sentence": sentence(finding, words),
            "advice": advice(finding, words),
        }
        for finding in found
    ]


def _some(targets: Sequence[Target]) -> str:
    return ", ".join([*map(str, targets[:TARGETS_SHOWN]), *(["..."] if len(targets) > TARGETS_SHOWN else [])])


def _shown(message: Message, words: Lexicon) -> Message:
    """Return the message with the name as people write it, and verdicts in words."""
    said = {
        key: verdict(value, words) if isinstance(value, Delivery) else value
        for key, value in message.parameters.items()
    }
    return Message(message.sentence, **said | {"name": names.to_unicode(str(said.get("name", "")))})
