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


_RANKS = {light: rank for rank, light in enumerate(Light)}
_AWAY = (Condition.UNREACHABLE, Condition.REFUSES)


@dataclass(frozen=True)
class Outlook:
    """The light of all rules together, and in sentences why."""

    light: Light
    sentences: tuple[str, ...]


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
    known = {name: states.get(name) for name in names}
    lights = {name: light(state, waits=name in waiting) for name, state in known.items()}
    away = {name: state for name, state in known.items() if state and state.condition in _AWAY}
    broken = sum(shown == Light.ERROR for name, shown in lights.items() if name not in away)
    unchecked = sum(shown == Light.UNCHECKED for shown in lights.values())
    warned = sum(shown == Light.WARNING for name, shown in lights.items() if name not in waiting)
    primaries = len({state.primary or name for name, state in away.items()})
    said = [
        words.text("Primaries that cannot be reached or refuse mail: {count}.", count=primaries) if away else "",
        words.text(
            "Messages that wait: {count}, the oldest since {age}.",
            count=held.messages,
            age=spans.since(min(mail.oldest for mail in held.rules), words),
        )
        if held.rules
        else "",
        words.text("Rules with errors: {count}.", count=broken) if broken else "",
        words.text("Rules with warnings: {count}.", count=warned) if warned else "",
        words.text("Rules not checked yet: {count}.", count=unchecked) if unchecked else "",
        words.error(trouble) if trouble else "",
    ]
    sentences = tuple(filter(None, said))
    if not sentences and names and beside == Light.FINE:
        sentences = (words.text("All is well: every primary can be reached, and no mail waits."),)
    return Outlook(worst([*lights.values(), Light.WARNING if trouble else Light.FINE, beside]), sentences)
