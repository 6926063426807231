# SPDX-License-Identifier: GPL-2.0-or-later
"""States and what has happened, in words."""

from collections.abc import Mapping, Sequence

from mxbackup.errors import Sentence
from mxbackup.esmith import printable
from mxbackup.outage import Condition, Event, Happening
from mxbackup.rules import names
from mxbackup.words import spans
from mxbackup.words.lexicon import Lexicon

_CONDITIONS: Mapping[Condition, Sentence] = {
    Condition.FINE: "fine",
    Condition.UNREACHABLE: "the primary cannot be reached",
    Condition.REFUSES: "the primary refuses mail",
    Condition.MISCONFIGURED: "misconfigured",
    Condition.DRAINING: "held mail is on its way out",
}
_CHECKED: Mapping[str, Sentence] = {"fine": "fine", "warning": "warning", "error": "ERROR"}
_HAPPENINGS: Mapping[Happening, Sentence] = {
    Happening.BEGUN: "the primary cannot be reached: {reason}",
    Happening.HELD: "mail is held, messages: {messages}",
    Happening.BACK: "the primary is back, messages held: {messages}",
    Happening.DRAINED: "all is delivered, messages: {messages}; the longest waited {waited}",
    Happening.RETURNED: "messages that went back to their senders: {messages}",
    Happening.STUCK: "the primary answers, and mail still waits, messages: {messages}",
    Happening.BROKEN: "a check found errors: {reason}",
    Happening.WELL: "a check found no error any more",
    Happening.REPLAYED: "a test message is sent to the primary",
    Happening.ANSWERED: "what became of the test message: {reason}",
    Happening.TESTED: "tested from outside by {reason}",
}


def condition(found: Condition, words: Lexicon) -> str:
    """Return the state of a rule."""
    return words.text(_CONDITIONS[found])


def state(found: Condition, since: int, reason: str, words: Lexicon) -> str:
    """Return the state of a rule, since when, and why."""
    said = condition(found, words)
    if since:
        said = words.text("{state} since {since}", state=said, since=spans.moment(since))
    return f"{said} ({printable.line(words.text('{reason}', reason=reason))})" if reason else said


def checked(found: str, words: Lexicon) -> str:
    """Return what the last check of a rule found, in one word; a hyphen before the first."""
    return words.text(_CHECKED[found]) if found in _CHECKED else "-"


def last_check(name: str, found: str, codes: Sequence[str], when: int, words: Lexicon) -> str:
    """Return what the last check of a rule found, and when."""
    if not found:
        return words.text("never. To check it: mxbackup check {name}", name=name)
    said = f"{spans.moment(when)}: {checked(found, words)}"
    return f"{said} ({', '.join(codes)})" if codes else said


def refusing(name: str, reason: str, words: Lexicon) -> str:
    """Return why the mail for a name is not tried."""
    return words.text(
        "The primary of {name} refuses its mail, which would go back to its senders: {reason}. "
        "To try it all the same: mxbackup flush --force {name}",
        name=names.to_unicode(name),
        reason=printable.line(reason),
    )


def happening(event: Event, words: Lexicon) -> str:
    """Return what happened, without when and to what."""
    return words.text(
        _HAPPENINGS[event.happening],
        reason=printable.line(event.reason),
        messages=event.messages,
        waited=spans.span(event.waited, words),
    )


def line(event: Event, words: Lexicon) -> str:
    """Return what happened, when and to what, in a line."""
    name = printable.line(names.to_unicode(event.name))
    return f"{spans.moment(event.time)}  {name}  {happening(event, words)}"


def outage(begin: int, end: int | None, reason: str, words: Lexicon) -> str:
    """Return from when to when a primary was away, and why; `end` is None while it is."""
    if end is None:
        said = words.text("since {begin}: {age}", begin=spans.moment(begin), age=spans.since(begin, words))
    else:
        lasted = spans.span(end - begin, words)
        said = words.text("{begin} to {end}: {lasted}", begin=spans.moment(begin), end=spans.moment(end), lasted=lasted)
    return f"{said} ({printable.line(reason)})" if reason else said
