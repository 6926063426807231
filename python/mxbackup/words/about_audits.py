# SPDX-License-Identifier: GPL-2.0-or-later
"""An audit in words: a table with a line for each exchanger, what was found, and what has changed."""

from collections.abc import Iterator
from typing import Any

from mxbackup.audit.facts import Asked, Audited
from mxbackup.audit.memory import Changes
from mxbackup.errors import Finding
from mxbackup.rules import names
from mxbackup.smtp.client import Dialogue
from mxbackup.smtp.replies import Outcome, Reply
from mxbackup.words import about_checks, spans
from mxbackup.words.lexicon import Lexicon

NONE = "-"


def heading(facts: Audited, words: Lexicon) -> str:
    """Return who was asked for what."""
    name = names.to_unicode(facts.name)
    return words.text("The mail exchangers of {name}, asked for {recipient}:", name=name, recipient=facts.recipient)


def table(facts: Audited, words: Lexicon) -> list[tuple[str, ...]]:
    """Return a heading, and a row for each exchanger."""
    heading = (
        words.text("Preference"),
        words.text("Mail exchanger"),
        words.text("Role"),
        words.text("Recipient"),
        words.text("Nobody"),
        words.text("Stranger's domain"),
        words.text("Encryption"),
    )
    rows = sorted(facts.asked, key=lambda one: one.exchanger.preference)
    return [heading, *(_row(facts, one, words) for one in rows)]


def findings(found: tuple[Finding, ...], words: Lexicon) -> Iterator[str]:
    """Yield each finding with what to do about it."""
    for finding in found:
        yield from about_checks.finding_lines(finding, words)
    if not found:
        yield words.text("Everything is as it should be.")


def changes(found: Changes | None, words: Lexicon) -> Iterator[str]:
    """Yield what has changed; None is an audit without one before."""
    if found is None:
        yield words.text("This is the first audit: from now on only changes are told.")
        return
    yield words.text("Changed since {when}:", when=spans.moment(found.since))
    for sentence in found.new:
        yield "    " + words.text("New: {said}", said=sentence)
    for sentence in found.gone:
        yield "    " + words.text("Gone: {said}", said=sentence)
    for exchanger in found.exchangers:
        yield "    " + words.text("Otherwise than before: {exchanger}", exchanger=exchanger)


def to_json(facts: Audited, found: tuple[Finding, ...], words: Lexicon) -> dict[str, Any]:
    """Return the audit as `audit --json` has it."""
    return {
        "domain": facts.name,
        "recipient": facts.recipient,
        "nobody": facts.nobody,
        "stranger": facts.refuse,
        "complete": facts.complete,
        "exchangers": [_json(facts, one, words) for one in facts.asked],
        "name_servers": [{"server": str(one.server), "status": one.status.value} for one in facts.servers],
        "mta_sts": {"mode": facts.policy.mode, "mx": list(facts.policy.patterns)} if facts.policy else None,
        "findings": about_checks.findings_json(found, words),
    }


def _row(facts: Audited, one: Asked, words: Lexicon) -> tuple[str, ...]:
    name = names.to_unicode(one.name)
    role = words.text("backup") if one in facts.backups else words.text("primary")
    return (str(one.exchanger.preference), name, role, *_answers(one, words), _encryption(facts, one, words))


def _answers(one: Asked, words: Lexicon) -> tuple[str, str, str]:
    dialogue = one.dialogue
    if dialogue is None:
        return words.text("not asked"), NONE, NONE
    if dialogue.outcome in (Outcome.UNREACHABLE, Outcome.BROKEN):
        return _no_answer(dialogue, words), NONE, NONE
    return _answer(dialogue.reply, words), _answer(dialogue.nobody, words), _answer(dialogue.refuse, words)


def _no_answer(dialogue: Dialogue, words: Lexicon) -> str:
    if dialogue.late:
        return words.text("no answer")
    return words.text("no connection") if dialogue.outcome == Outcome.UNREACHABLE else words.text("no SMTP")


def _answer(reply: Reply, words: Lexicon) -> str:
    match reply.outcome:
        case Outcome.ACCEPTED:
            return words.text("accepted")
        case Outcome.REFUSED:
            return words.text("refused ({code})", code=reply.code)
        case Outcome.DEFERRED:
            return words.text("put off ({code})", code=reply.code)
    return NONE


def _encryption(facts: Audited, one: Asked, words: Lexicon) -> str:
    if one.dialogue is None or not one.dialogue.greeting:
        return NONE
    if not one.dialogue.starttls:
        return words.text("none")
    if one.security is None:
        return words.text("offered")
    if not one.security.version:
        return words.text("fails")
    trusted = words.text("trusted") if one.security.trusted else words.text("not trusted")
    return f"{one.security.version}, {trusted}"


def _json(facts: Audited, one: Asked, words: Lexicon) -> dict[str, Any]:
    dialogue, security = one.dialogue or Dialogue(), one.security
    return {
        "preference": one.exchanger.preference,
        "name": one.name,
        "role": "backup" if one in facts.backups else "primary",
        "addresses": list(one.exchanger.addresses),
        "unasked": one.unasked,
        "vantage": one.vantage.value,
        "outcome": dialogue.outcome.value if one.dialogue else None,
        "trouble": words.error(dialogue.trouble) if dialogue.trouble else None,
        "banner": str(dialogue.banner),
        "replies": {
            "recipient": str(dialogue.reply),
            "nobody": str(dialogue.nobody),
            "stranger": str(dialogue.refuse),
        },
        "starttls": dialogue.starttls if one.dialogue else None,
        "tls": {
            "version": security.version or None,
            "trusted": security.trusted,
            "trouble": words.message(security.trouble) if security.trouble else None,
            "until": security.until or None,
        }
        if security
        else None,
        "tlsa": {"records": len(one.tlsa.all), "signed": one.tlsa.signed},
    }
