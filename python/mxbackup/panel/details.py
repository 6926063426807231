# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of one rule: what waits for it, its outages, its last check."""

import time

from mxbackup import rules
from mxbackup.errors import InvalidInput, UnknownRule
from mxbackup.outage import Condition, Event, State
from mxbackup.panel import strip
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.rules import PROPERTIES
from mxbackup.service import changing, knowing, stepping
from mxbackup.service import held as mail
from mxbackup.service.outages import Outages, known_now
from mxbackup.words import about_outages, about_queue, about_rules, about_steps, outlook, spans
from mxbackup.words.lexicon import Lexicon

EVENTS = 20  # of the history that are shown


def details(visit: Visit) -> Page | Redirect:
    """All that is known of a rule."""
    context, words = visit.context, visit.words
    try:
        rule = changing.get(context, visit.parameter("rule"))
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)
    inventory = context.inventory()
    held = mail.look(context.host, inventory)
    waiting = held.of(rule.name)
    known = known_now(context.host)
    state = known.states.get(rule.name)
    cover = inventory.rules.covering(rule.name)
    return Page(
        "rule.html",
        {
            "rule": rule,
            "name": rules.shown(rule),
            "shown": outlook.light(state, waits=waiting is not None),
            "standing": _standing(state, words),
            "kind": about_rules.kind(rule, words),
            "destination": about_rules.destination(rule, inventory.settings, words),
            "properties": [
                *about_rules.properties(rule, PROPERTIES, words),
                *(
                    [(words.text("From the catalog"), inventory.origins[rule.name])]
                    if rule.name in inventory.origins
                    else []
                ),
            ],
            "recipients": about_rules.recipients(rule, knowing.knowledge(context, inventory.rules)[rule.name], words),
            "covered": about_rules.covered(rule, cover, words) if cover else "",
            "held": about_queue.held(waiting, words) if waiting else "",
            "troubles": [words.error(trouble) for trouble in (held.trouble, held.stopped, known.damage) if trouble],
            "steps": about_steps.steps(
                stepping.look(context, inventory, rule, known), rule.name, stepping.server(context, inventory), words
            ),
            "longest": stepping.LONGEST,
            "checked": state.check.state if state and state.check else "",
            "when": spans.moment(state.checked) if state and state.check else "",
            **_past([] if known.damage else Outages(context.host).past(rule.name).events, words),
        },
    )


def _standing(state: State | None, words: Lexicon) -> str:
    """How the rule stands, since when and why; empty when all is well."""
    if state is None or state.condition == Condition.FINE:
        return ""
    return about_outages.state(state.condition, state.since, state.reason, words)


def _past(events: list[Event], words: Lexicon) -> dict[str, object]:
    """The outages as a picture and in words, and the newest of what happened, that first."""
    now = int(time.time())
    away = strip.absences(events, now)
    return {
        "bars": strip.bars(away, now),
        "ticks": strip.ticks(now),
        "outages": [about_outages.outage(one.begin, one.end, one.reason, words) for one in reversed(away)],
        "events": [
            (spans.moment(event.time), about_outages.happening(event, words)) for event in events[: -EVENTS - 1 : -1]
        ],
    }
