# SPDX-License-Identifier: GPL-2.0-or-later
"""What matters now: a light for each rule, one for all of them, and why it is not green."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mxbackup.errors import MxBackupError
from mxbackup.outage import Condition, State
from mxbackup.queue import Held, Summary
from mxbackup.words import about_outages, spans
from mxbackup.words.lexicon import Lexicon


class Light(StrEnum):
    """How a rule stands, from good to bad; green is for FINE alone, and for a rule only after a check."""

    FINE = "fine"
    UNCHECKED = "unchecked"
    WARNING = "warning"
    ERROR = "error"


class Concern(StrEnum):
    """Why some rules are not green; a rule that is away counts as no error beside, one with held mail as no warning."""

    AWAY = "away"
    HELD = "held"
    ERROR = "error"
    WARNING = "warning"
    UNCHECKED = "unchecked"


_RANKS = {light: rank for rank, light in enumerate(Light)}
_AWAY = (Condition.UNREACHABLE, Condition.REFUSES)


@dataclass(frozen=True)
class Reason:
    """A sentence on why not all is green, and which rules it is about, if about rules."""

    sentence: str
    concern: Concern | None = None


@dataclass(frozen=True)
class Outlook:
    """The light of all rules together, and why it is that."""

    light: Light
    reasons: tuple[Reason, ...] = ()


def rank(light: Light) -> int:
    """Return how bad a light is, 0 for FINE."""
    return _RANKS[light]


def worst(lights: Iterable[Light]) -> Light:
    """Return the worst of some lights, FINE without any."""
    return max(lights, key=rank, default=Light.FINE)


def light(state: State | None, *, waits: bool) -> Light:
    """Return the light of a rule. `waits` is whether mail is held for it."""
    if state and state.condition not in (Condition.FINE, Condition.DRAINING):
        return Light.ERROR
    checked = Light(state.check.state) if state and state.check else Light.UNCHECKED
    return worst([checked, Light.WARNING]) if waits or (state and state.condition == Condition.DRAINING) else checked


def standing(state: State | None, words: Lexicon) -> str:
    """Return how a rule stands, and since when where that is no good news; empty when there is nothing to say."""
    if state is None or state.condition == Condition.FINE:
        return ""
    return words.text(
        "{state}, since {age}",
        state=about_outages.condition(state.condition, words),
        age=spans.since(state.since, words),
    )


def mail(held: Held, words: Lexicon) -> str:
    """Return in short what is held for a rule."""
    return words.text("messages: {count}, since {age}", count=held.messages, age=spans.since(held.oldest, words))


def concerns(
    names: Iterable[str], states: Mapping[str, State], waiting: Collection[str]
) -> dict[Concern, frozenset[str]]:
    """Return the rules of these names by what is the matter with them; mail waits for those in `waiting`."""
    found: dict[Concern, set[str]] = {concern: set() for concern in Concern}
    for name in names:
        state, waits = states.get(name), name in waiting
        shown = light(state, waits=waits)
        if waits:
            found[Concern.HELD].add(name)
        if state and state.condition in _AWAY:
            found[Concern.AWAY].add(name)
        elif shown == Light.ERROR:
            found[Concern.ERROR].add(name)
        elif shown == Light.UNCHECKED:
            found[Concern.UNCHECKED].add(name)
        elif shown == Light.WARNING and not waits:
            found[Concern.WARNING].add(name)
    return {concern: frozenset(those) for concern, those in found.items()}


def outlook(
    names: Collection[str],
    states: Mapping[str, State],
    held: Summary,
    trouble: MxBackupError | None,
    words: Lexicon,
    beside: Light = Light.FINE,
) -> Outlook:
    """Return how the rules of these names stand together.

    trouble: why not all is known. beside: the light of what is no rule's own, such as a file without them.
    """
    waiting = {mail.name for mail in held.rules}
    concerning = concerns(names, states, waiting)
    reasons = _reasons(concerning, states, held, words)
    reasons += [Reason(words.error(trouble))] if trouble else []
    if not reasons and names and beside == Light.FINE:
        reasons = [Reason(words.text("All is well: every primary can be reached, and no mail waits."))]
    lights = (light(states.get(name), waits=name in waiting) for name in names)
    return Outlook(worst([*lights, Light.WARNING if trouble else Light.FINE, beside]), tuple(reasons))


def _reasons(
    concerning: Mapping[Concern, frozenset[str]], states: Mapping[str, State], held: Summary, words: Lexicon
) -> list[Reason]:
    """What there is to say of some rules, the worst first."""
    primaries = len({states[name].primary or name for name in concerning[Concern.AWAY]})
    count = {concern: len(those) for concern, those in concerning.items()}
    said = {
        Concern.AWAY: words.text("Primaries that cannot be reached or refuse mail: {count}.", count=primaries),
        Concern.HELD: words.text(
            "Messages that wait: {count}, the oldest since {age}.",
            count=held.messages,
            age=spans.since(min((mail.oldest for mail in held.rules), default=0), words),
        ),
        Concern.ERROR: words.text("Rules with errors: {count}.", count=count[Concern.ERROR]),
        Concern.WARNING: words.text("Rules with warnings: {count}.", count=count[Concern.WARNING]),
        Concern.UNCHECKED: words.text("Rules not checked yet: {count}.", count=count[Concern.UNCHECKED]),
    }
    reasons = [Reason(sentence, concern) for concern, sentence in said.items() if concerning[concern]]
    if held.rules and not concerning[Concern.HELD]:  # all of it is for rules that were removed
        reasons.append(Reason(said[Concern.HELD]))
    return reasons
