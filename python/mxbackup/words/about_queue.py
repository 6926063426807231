# SPDX-License-Identifier: GPL-2.0-or-later
"""What is held, in words."""

from collections.abc import Sequence

from mxbackup.esmith import printable
from mxbackup.queue import Held, Summary
from mxbackup.rules import names
from mxbackup.words import spans
from mxbackup.words.lexicon import Lexicon


def held(mail: Held, words: Lexicon) -> str:
    """Return what is held for one rule, in a sentence or two."""
    said = words.text(
        "messages: {messages} ({size}); the oldest waits for {age}; next try: {next}; sent back from {expires} on",
        messages=mail.messages,
        size=spans.size(mail.bytes, words),
        age=spans.since(mail.oldest, words),
        next=_next(mail, words),
        expires=spans.moment(mail.expires),
    )
    return f"{said}. {printable.line(mail.reason)}".rstrip(" ")


def heading(words: Lexicon) -> tuple[str, ...]:
    """Return the heading of the table of held mail."""
    return (
        words.text("NAME"),
        words.text("MESSAGES"),
        words.text("RECIPIENTS"),
        words.text("SIZE"),
        words.text("WAITS FOR"),
        words.text("NEXT TRY"),
        words.text("SENT BACK FROM"),
    )


def row(mail: Held, words: Lexicon) -> tuple[str, ...]:
    """Return what is held for one name as a row of that table."""
    return (
        printable.line(names.to_unicode(mail.name)),
        str(mail.messages),
        str(mail.recipients),
        spans.size(mail.bytes, words),
        spans.since(mail.oldest, words),
        _next(mail, words),
        spans.moment(mail.expires),
    )


def reasons(group: Sequence[Held], words: Lexicon) -> list[str]:
    """Return why the mail waits, a line for each name that a reason is known of."""
    return [
        words.text(
            "{label}: {value}",
            label=printable.line(names.to_unicode(mail.name)),
            value=printable.line(mail.reason),
        )
        for mail in group
        if mail.reason
    ]


def total(summary: Summary, words: Lexicon) -> str:
    """Return how much is held for the rules in all, empty when nothing is."""
    if not summary.messages:
        return ""
    return words.text(
        "Messages held: {messages} ({size}), for rules: {rules}; the oldest waits for {age}.",
        messages=summary.messages,
        rules=len(summary.rules),
        size=spans.size(summary.bytes, words),
        age=spans.since(min(mail.oldest for mail in summary.rules), words),
    )


def without_rule(summary: Summary, words: Lexicon) -> str:
    """Return how much waits for names without a rule, empty when nothing does."""
    others = summary.without_rule
    if not others:
        return ""
    shown = ", ".join(printable.line(names.to_unicode(mail.name)) for mail in others[:3])
    return words.text(
        "Messages for names without a rule: {messages} ({names}).",
        messages=sum(mail.messages for mail in others),
        names=shown + (", ..." if len(others) > 3 else ""),
    )


def on_hold(messages: int, words: Lexicon) -> str:
    """Return that so many messages are not tried, and how they are let go (postsuper(1))."""
    return words.text(
        "Messages that the administrator has put on hold: {messages}. They are not tried before they are released: "
        "postsuper -H ALL",
        messages=messages,
    )


def _next(mail: Held, words: Lexicon) -> str:
    if mail.frozen == mail.messages:
        return words.text("on hold")
    return spans.moment(mail.next) if mail.next is not None else words.text("now")
