# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that list and show rules."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mxbackup import rules
from mxbackup.cli.common import (
    _,
    destination,
    draining_json,
    examples,
    faults_json,
    invalid_json,
    json_option,
    kind_word,
    labelled,
    name_argument,
    print_draining,
    print_faults,
    print_invalid,
    print_json,
    print_table,
    properties_json,
    words,
)
from mxbackup.cli.queue_commands import checked_words, held_json, held_words, state_words, trouble_json
from mxbackup.cli.recipient_commands import (
    knowledge_json,
    knowledge_words,
)
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.outage import State
from mxbackup.recipients.register import Knowledge
from mxbackup.routing.entries import actual_way
from mxbackup.rules import PROPERTIES, About, Rule
from mxbackup.service import changing, draining, held, knowing, outages, stepping
from mxbackup.service.changing import Change
from mxbackup.service.context import Context
from mxbackup.service.outages import Overview
from mxbackup.words import about_outages, about_rules, about_steps

Command = TypeVar("Command", bound=Callable[..., Any])


@click.command("list", help=_("List the rules."), epilog=examples("mxbackup list", "mxbackup list --json"))
@json_option
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Print every rule, and every record that is none."""
    inventory = context.inventory()
    if as_json:
        known, mail = knowing.knowledge(context, inventory.rules), held.look(context.host, inventory)
        now = outages.overview(context.host, inventory, mail)
        print_json(
            {
                "rules": [_rule_json(rule, inventory, known[rule.name], now) for rule in inventory.rules],
                "invalid": invalid_json(inventory),
                "faults": faults_json(inventory),
                "queue_trouble": trouble_json(mail),
                "draining": draining_json(draining.removed(context, inventory)),
            }
        )
        return
    heading: tuple[str, ...] = (_("NAME"), _("KIND"), _("LAST CHECK"), _("DESTINATION"), _("DESCRIPTION"))
    states = outages.known_now(context.host).states
    rows: list[tuple[str, ...]] = [
        (rules.shown(r), kind_word(r), _checked(states.get(r.name)), destination(r, inventory), r.description)
        for r in inventory.rules
    ]
    if inventory.origins:
        heading = (*heading, _("FROM"))
        rows = [(*row, inventory.origins.get(r.name, "")) for row, r in zip(rows, inventory.rules, strict=True)]
    if rows:
        print_table([heading, *rows])
    elif not inventory.invalid and not inventory.draining:
        click.echo(_("No rule yet. Make one: mxbackup add example.com"))
    if inventory.rules:
        _warn_while_disabled(inventory.settings, err=True)
    print_draining(draining.removed(context, inventory), inventory.settings)
    print_invalid(inventory.invalid)
    print_faults(inventory.faults)


@click.command(help=_("Show one rule."), epilog=examples("mxbackup show dupontnet.com"))
@name_argument
@json_option
@click.pass_obj
def show(context: Context, name: str, as_json: bool) -> None:
    """Print all that is known of one rule."""
    inventory = context.inventory()
    if (rule := changing.draining_rule(inventory, name)) is not None:
        drains = {rule: draining.removed(context, inventory)[rule]}
        if as_json:
            print_json(draining_json(drains)[0])
        else:
            print_draining(drains, inventory.settings)
        return
    rule = changing.get(context, name)
    known, mail = knowing.knowledge(context, inventory.rules)[rule.name], held.look(context.host, inventory)
    now = outages.overview(context.host, inventory, mail)
    found = stepping.look(context, inventory, rule)
    steps = about_steps.steps(found, rule.name, stepping.server(context, inventory), words)
    if as_json:
        told = {**_rule_json(rule, inventory, known, now), "queue_trouble": trouble_json(mail)}
        print_json({**told, "steps": about_steps.to_json(found, steps)})
        return
    for label, value in (
        (_("Name"), rules.shown(rule) if rules.shown(rule) == rule.name else f"{rules.shown(rule)} ({rule.name})"),
        (_("Kind"), kind_word(rule)),
        (_("Destination"), destination(rule, inventory)),
        *about_rules.properties(rule, [prop for prop in PROPERTIES if prop.about in (About.RULE, About.OUTAGE)], words),
        (_("Recipients"), knowledge_words(rule, known)),
        (_("From the catalog"), inventory.origins.get(rule.name, "")),
        (_("State"), state_words(now, rule.name)),
        (_("Last check"), checked_words(now, rule.name)),
        (_("Held mail"), held_words(mail, rule.name)),
    ):
        if value:
            click.echo(labelled(label, value))
    click.echo("\n".join(about_steps.lines(steps)))
    print_remarks(Change(rule, inventory.rules.covering(rule.name), inventory.settings))


def _checked(state: State | None) -> str:
    return about_outages.checked(state.check.state if state and state.check else "", words)


def print_remarks(done: Change) -> None:
    """Tell what keeps a rule, as it now stands, from doing what it says."""
    rule = done.rule
    if done.covered_by:
        click.echo(about_rules.covered(rule, done.covered_by, words))
    _warn_while_disabled(done.settings)
    for warning in (
        about_rules.no_effect(rule, done.settings, words),
        about_rules.own_port(rule, done.settings, words),
    ):
        if warning:
            click.echo(warning)


def _warn_while_disabled(settings: Settings, *, err: bool = False) -> None:
    if not settings.enabled:
        click.echo(_("MX backup is disabled: nothing is accepted until you enable it."), err=err)


def _rule_json(rule: Rule, inventory: Inventory, known: Knowledge, now: Overview) -> dict[str, Any]:
    covering = inventory.rules.covering(rule.name)
    return {
        "name": rule.name,
        "unicode": rules.shown(rule),
        **properties_json(rule),
        "destination": actual_way(rule, inventory.settings),
        "origin": inventory.origins.get(rule.name),
        "covered_by": covering.name if covering else None,
        "recipients": knowledge_json(rule, known),
        "held": held_json(now.rules[rule.name].held),
        "state": now.rules[rule.name].to_json(),
    }


COMMANDS = (list_, show)
