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
    return words.message(shown(finding.message))


def advice(finding: Finding, words: Lexicon) -> str:
    """Return what to do about it."""
    return words.message(shown(finding.remedy))


def verdict(delivery: Delivery, words: Lexicon) -> str:
    """Return what becomes of a message, empty where that is not known."""
    said = said_of(delivery)
    return words.message(said) if said else ""


def said_of(delivery: Delivery) -> Message | None:
    """Return what becomes of a message; None where that is not known."""
    code, to = delivery.code, _some(delivery.to)
    match delivery.verdict:
        case Verdict.UNKNOWN:
            return None
        case Verdict.LOCAL:
            return Message("delivered on this server itself")
        case Verdict.DELIVER:
            return Message("delivered to {to}", to=to)
        case Verdict.LOOP:
            return Message("sent in circles through {to}", to=to)
        case Verdict.BOUNCE:
            return Message("sent back to the sender at once ({code})", code=code)
        case Verdict.DEFER:
            if not code:
                return Message("kept in the queue for now")
            return Message("kept in the queue for now ({code})", code=code)
        case Verdict.REFUSED_THERE:
            return Message("refused by the primary ({code})", code=code)
        case Verdict.REFUSED_HERE:
            return Message("refused by this server")


def heading(report: Report, words: Lexicon) -> list[str]:
    """Return what is known: the records, what becomes of mail, who answered."""
    facts, name = report.facts, names.to_unicode(report.name)
    text = [f"{name} mail is handled (pri={mx.preference}) by {mx.name or '.'}" for mx in facts.exchangers]
    if said_verdict := verdict(report.delivery, words):
        text.append(words.text("Mail that arrives here for {name} is {verdict}.", name=name, verdict=said_verdict))
    return text + [f"{target}: {said.banner}" for target, said in facts.contacts.items() if said.banner]


def well(words: Lexicon) -> str:
    """Return that nothing was found."""
    return words.text("Everything is as it should be.")


def lines(report: Report, words: Lexicon) -> list[str]:
    """Return the whole report: what is known, and each finding with its advice."""
    found = [line for finding in report.findings for line in finding_lines(finding, words)]
    return [*heading(report, words), *(found or [well(words)])]


def brief(report: Report, words: Lexicon) -> str:
    """Return the name, and each finding that is more than a note by its id and severity, in one line."""
    grave = [finding for finding in report.findings if finding.severity != Severity.NOTE]
    said = ", ".join(words.text(_LABELLED[finding.severity], said=finding.id) for finding in grave)
    return words.text("{label}: {value}", label=names.to_unicode(report.name), value=said)


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
        **_decided(report.delivery),
        "sent": _decided(report.facts.delivery),
        "state": report.state,
        "contacts": [
            {"target": str(target), "outcome": said.outcome.value, "banner": str(said.banner), "reply": str(said.reply)}
            for target, said in report.facts.contacts.items()
        ],
        "findings": findings_json(report.findings, words),
    }


def _decided(delivery: Delivery) -> dict[str, Any]:
    return {
        "verdict": delivery.verdict.value,
        "code": delivery.code or None,
        "to": [str(target) for target in delivery.to],
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


def shown(message: Message) -> Message:
    """Return the message with the name as people write it, and verdicts as messages."""
    said = {
        key: said_of(value) or "" if isinstance(value, Delivery) else value for key, value in message.parameters.items()
    }
    return Message(message.sentence, **said | {"name": names.to_unicode(str(said.get("name", "")))})
