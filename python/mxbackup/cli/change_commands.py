# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that make, change, remove and switch rules."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from mxbackup import rules
from mxbackup.cli.common import (
    _,
    event_option,
    examples,
    kind_word,
    name_argument,
    names_argument,
    rehearsable,
    say,
    words,
)
from mxbackup.cli.recipient_commands import warn_without_qpsmtpd
from mxbackup.cli.rule_commands import print_remarks
from mxbackup.errors import RuleExists
from mxbackup.rules import PROPERTIES, names
from mxbackup.service import changing, knowing, removing
from mxbackup.service.changing import Change
from mxbackup.service.context import Context
from mxbackup.service.removing import Removal
from mxbackup.transfer.formats import tables
from mxbackup.words import about_draining, about_rules, terminal

Command = TypeVar("Command", bound=Callable[..., Any])


def property_options(*, defaults: bool) -> Callable[[Command], Command]:
    """Return a decorator that gives a command an option for each property, with its default or None."""

    def decorated(command: Command) -> Command:
        for prop in reversed(PROPERTIES):  # as decorators stand: the last is applied first
            command = click.option(
                f"--{prop.name}", default=prop.default if defaults else None, metavar=prop.form, help=_(prop.help),
                show_default=defaults and bool(prop.choices),
            )(command)  # fmt: skip
        return command

    return decorated


@click.command(
    help=_("Make a rule: accept the mail of NAME and hold it for its primary."),
    epilog=examples(
        "mxbackup add dupontnet.com",
        "mxbackup add www.dupontnet.com --kind host",
        "mxbackup add dupontnet.com --route mail.dupontnet.com:26",
    ),
)
@click.argument("name")
@property_options(defaults=True)
@event_option
@rehearsable
@click.pass_obj
def add(context: Context, /, name: str, event: bool, **options: str) -> None:
    """Record a rule and put it into force."""
    try:
        done = changing.add(context, rules.make(name, **options), event=event)
    except RuleExists as error:
        raise _to_change_instead(name, options, error) from error
    said = _("Added {name} ({kind}).", name=rules.shown(done.rule), kind=kind_word(done.rule))
    _print_change(context, said, done, event)
    click.echo(_("What its owner has to do: mxbackup letter {name}", name=done.rule.name))


@click.command(
    "set",
    help=_("Change a rule. What is not given stays as it is; an empty value removes it."),
    epilog=examples("mxbackup set dupontnet.com --kind host", "mxbackup set dupontnet.com --route ''"),
)
@name_argument
@property_options(defaults=False)
@event_option
@rehearsable
@click.pass_obj
def set_(context: Context, /, name: str, event: bool, **options: str | None) -> None:
    """Change the properties that are given."""
    given = {prop.key: options[prop.name] for prop in PROPERTIES}
    properties = {key: text or None for key, text in given.items() if text is not None}
    if not properties:
        raise click.UsageError(_("Nothing to change: give an option such as --kind or --route."))
    done = changing.change(context, name, properties, event=event)
    _print_change(context, _("Changed {name}.", name=rules.shown(done.rule)), done, event)
    if done.left:
        click.echo(_("The rule is this server's own now: the catalog {zone} changes it no more.", zone=done.left))


@click.command(
    help=_(
        "Remove rules: all NAMEs, or none when one of them is unknown. Their mail is refused from then on, and what "
        "waits is still delivered. What was removed is printed, for import to bring it back."
    ),
    epilog=examples("mxbackup remove dupontnet.com", "mxbackup remove dupontnet.com www.durand.org"),
)
@names_argument(required=True)
@event_option
@rehearsable
@click.pass_obj
def remove(context: Context, wanted: tuple[str, ...], event: bool) -> None:
    """Remove rules, or records that hold none, and put that into force."""
    done = removing.remove(context, dict.fromkeys(wanted, ""), event=event)
    say(_("Removed {name}.", name=", ".join(names.to_unicode(removal.key) for removal in done)), event)
    for removal in done:
        if removal.covered_by:
            click.echo(about_rules.still_accepted(removal.key, removal.covered_by, words))
        if removal.waiting:
            click.echo(about_draining.removed(removal.key, removal.waiting, words))
        if removal.origin:
            click.echo(
                _(
                    "It comes back with the catalog {zone} unless you say: mxbackup follow {zone} --without {name}",
                    zone=removal.origin,
                    name=removal.key,
                )
            )
    _print_way_back(done)


@click.command(help=_("Switch MX backup on: the rules count."))
@event_option
@rehearsable
@click.pass_obj
def enable(context: Context, event: bool) -> None:
    """Put all rules into force."""
    changing.enable(context, True, event=event)
    say(_("MX backup is enabled."), event)


@click.command(
    help=_("Switch MX backup off: the rules stay recorded, nothing is accepted, and what waits is still delivered.")
)
@event_option
@rehearsable
@click.pass_obj
def disable(context: Context, event: bool) -> None:
    """Put all rules out of force."""
    waiting = changing.enable(context, False, event=event)
    say(_("MX backup is disabled."), event)
    if waiting:
        click.echo(about_draining.disabled(waiting, words))


def _to_change_instead(name: str, options: Mapping[str, str], error: RuleExists) -> RuleExists:
    """Return the error with a command that does for the rule that is there what was asked for."""
    source = click.get_current_context().get_parameter_source
    given = [prop.name for prop in PROPERTIES if source(prop.name) == ParameterSource.COMMANDLINE]
    stated = [word for option in given for word in (f"--{option}", options[option])]
    shown = error.message.parameters
    if not stated:
        command = shlex.join(["mxbackup", "show", name])
        return RuleExists(
            "name", 'There is a rule for "{name}" already. To see it: {command}', **shown, command=command
        )
    command = shlex.join(["mxbackup", "set", name, *stated])
    return RuleExists("name", 'There is a rule for "{name}" already. To change it: {command}', **shown, command=command)


def _print_way_back(done: Sequence[Removal]) -> None:
    """Print what was removed, as import takes it."""
    if removed := [removal.rule for removal in done if removal.rule]:
        click.echo(_("To bring it back: {command}", command="mxbackup import - <<'END'"))
        click.echo(tables.write_lines(removed, ascii=terminal.charset() != "utf-8") + "END")
    for removal in done:
        if not removal.rule:
            click.echo(_("{name} held no rule. Its record was: {record}", name=removal.key, record=removal.record))


def _print_change(context: Context, said: str, done: Change, event: bool) -> None:
    say(said, event)
    print_remarks(done)
    if knowing.lacks_list(context, done.rule):
        click.echo(about_rules.no_list(done.rule, words))
    warn_without_qpsmtpd(context, done.rule)


COMMANDS = (add, set_, remove, enable, disable)
