# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands about held mail."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

import click

from mxbackup.cli.common import (
    NOT_POSSIBLE,
    _,
    examples,
    json_option,
    labelled,
    names_argument,
    print_json,
    print_table,
    rehearsable,
    words,
)
from mxbackup.errors import UnknownRule
from mxbackup.queue import Held, Summary
from mxbackup.rules import names
from mxbackup.service import held
from mxbackup.service.context import Context
from mxbackup.service.held import HeldMail
from mxbackup.service.outages import Outages, Overview
from mxbackup.words import about_outages, about_queue, spans

NAMED = 10  # rules that are named one by one


@click.command(
    help=_("Tell what mail is held for NAMEs, for all rules without one, and why it waits."),
    epilog=examples("mxbackup queue", "mxbackup queue dupontnet.com --json"),
)
@names_argument()
@json_option
@click.pass_obj
def queue(context: Context, wanted: tuple[str, ...], as_json: bool) -> None:
    """Print what is held."""
    inventory = context.inventory()
    mail = held.look(context.host, inventory)
    if mail.trouble:
        raise mail.trouble
    summary = mail.only(held.chosen(wanted, inventory, mail)) if wanted else mail.summary
    if as_json:
        print_json(summary.to_json())
    else:
        _print(summary)
    if mail.stopped:
        click.echo(f"mxbackup: {words.error(mail.stopped)}", err=True)
    if mail.silent and (summary.rules or summary.without_rule):
        click.echo(_("Why it waits is not known: {reason}", reason=mail.silent), err=True)


def _print(summary: Summary) -> None:
    if not summary.rules and not summary.without_rule:
        click.echo(_("No mail is held."))
    for group, title in ((summary.rules, ""), (summary.without_rule, _("Without a rule:"))):
        if group:
            if title:
                click.echo(title)
            print_table([about_queue.heading(words), *(about_queue.row(mail, words) for mail in group)])
            for line in about_queue.reasons(group, words):
                click.echo(line)
    if total := about_queue.total(summary, words):
        click.echo(total)


def held_json(mail: Held | None) -> dict[str, Any] | None:
    """Return what is held for one rule as JSON has it, None when nothing is."""
    return mail.to_json() if mail else None


def trouble_json(mail: HeldMail) -> str | None:
    """Return why the queue cannot be read, None when it was."""
    return words.error(mail.trouble) if mail.trouble else None


def print_total(mail: HeldMail) -> None:
    """Print how much is held in all, when anything is, or that the queue cannot be read."""
    lines = [words.error(wrong) for wrong in (mail.trouble, mail.stopped) if wrong]
    lines += [about_queue.total(mail.summary, words), about_queue.without_rule(mail.summary, words)]
    for line in filter(None, lines):
        click.echo(line)


def held_words(mail: HeldMail, name: str) -> str:
    """Return what is held for a rule in words, empty when nothing is; or that the queue cannot be read."""
    if mail.trouble:
        return words.error(mail.trouble)
    found = mail.of(name)
    return about_queue.held(found, words) if found else ""


@click.command(
    help=_("Have what is held for NAMEs, for all rules without one, tried now."),
    epilog=examples("mxbackup flush", "mxbackup flush dupontnet.com"),
)
@names_argument()
@click.option(
    "--force", is_flag=True, help=_("Also where the primary refuses it, so that it goes back to its senders.")
)
@rehearsable
@click.pass_obj
def flush(context: Context, wanted: tuple[str, ...], force: bool) -> int:
    """Make it due, whether the primaries answer or not."""
    from mxbackup.service import tending

    done = tending.flush(context, wanted, force=force)
    if done.names:
        _print_flushed(done.names, done.used)
    elif not done.refusing and not done.on_hold:
        click.echo(_("No mail is held."))
    if done.on_hold:
        click.echo(about_queue.on_hold(done.on_hold, words))
    for name, reason in done.refusing.items():
        click.echo(f"mxbackup: {about_outages.refusing(name, reason, words)}", err=True)
    return NOT_POSSIBLE if done.refusing else 0


@click.command(
    help=_(
        "Look after held mail: ask the primaries that it waits for, deliver it when one is back, keep it from "
        "expiring, tell admin. Meant for cron, every minute."
    ),
    epilog=examples("mxbackup tend"),
)
@click.pass_obj
def tend(context: Context) -> int:
    """Look once, and print what was done."""
    from mxbackup.service import tending

    done = tending.tend(context)
    if done is None:
        click.echo(_("Another one is at it."))
        return 0
    if done.flushed:
        _print_flushed(done.flushed, done.used)
    for trouble in done.troubles:
        click.echo(f"mxbackup: {words.error(trouble)}", err=True)
    return NOT_POSSIBLE if done.troubles else 0


@click.command(
    help=_("Tell what has happened: outages, held mail, checks that turned, for a year. Of NAME, or of all rules."),
    epilog=examples("mxbackup history", "mxbackup history dupontnet.com --json"),
)
@click.argument("name", metavar="[NAME]", required=False, default="")
@json_option
@click.pass_obj
def history(context: Context, name: str, as_json: bool) -> None:
    """Print what has happened, oldest first."""
    wanted = names.parse_host(name) if name else ""
    past = Outages(context.host).past(wanted)
    if wanted and not past.events and not context.inventory().with_draining.get(wanted):
        raise UnknownRule('There is no rule for "{name}". See: mxbackup list', name=name)
    if as_json:
        print_json({"events": [event.to_json() for event in past.events], "damaged_lines": past.damaged})
        return
    for event in past.events:
        click.echo(about_outages.line(event, words))
    if not past.events:
        click.echo(_("Nothing has happened."))
    if past.damaged:
        click.echo(_("Lines that are damaged: {count}.", count=past.damaged), err=True)


def _print_flushed(flushed: Iterable[str], used: str) -> None:
    shown = ", ".join(map(names.to_unicode, flushed))
    click.echo(_("To be tried now, by {used}: the mail held for {names}. See: mxbackup queue", used=used, names=shown))


def state_words(found: Overview, name: str) -> str:
    """Return the state of a rule that is not fine in words, empty for one that is; or why it is not known."""
    if found.trouble:
        return words.error(found.trouble)
    now = found.away.get(name)
    return about_outages.state(now.condition, now.since, now.reason, words) if now else ""


def print_states(found: Overview) -> None:
    """Print the state of each rule that is not fine."""
    if found.trouble:
        click.echo(words.error(found.trouble))
    for name, now in found.away.items():
        said = about_outages.state(now.condition, now.since, now.reason, words)
        click.echo(labelled(names.to_unicode(name), said))


def print_checks(found: Overview, wanted: Collection[str]) -> None:
    """Print what the last checks of some rules found."""
    checks = found.checks(wanted)
    if found.trouble or not wanted:
        return
    if not checks.when:
        click.echo(_("No rule has been checked yet. To check them: mxbackup check"))
        return
    click.echo(
        _(
            "Last check: {when}. Rules with errors: {errors}; with warnings: {warnings}; not checked yet: {never}.",
            when=spans.moment(checks.when),
            errors=len(checks.errors),
            warnings=len(checks.warnings),
            never=len(checks.never),
        )
    )
    if checks.errors:
        some = [*map(names.to_unicode, checks.errors[:NAMED]), *(["..."] if len(checks.errors) > NAMED else [])]
        click.echo(_("With errors: {names}. To see why: mxbackup check --problems", names=", ".join(some)))


def checked_words(found: Overview, name: str) -> str:
    """Return what the last check of a rule found, empty where that is not known."""
    now = found.rules[name]
    return "" if found.trouble else about_outages.last_check(name, now.checked, now.codes, now.when, words)


def checks_json(found: Overview, wanted: Collection[str]) -> dict[str, Any]:
    """Return what the last checks of some rules found as JSON has it."""
    return asdict(checks := found.checks(wanted)) | {"when": checks.when or None}


def states_json(found: Overview) -> dict[str, Any]:
    """Return the state of each rule that is not fine as JSON has it."""
    return {name: now.to_json() for name, now in found.away.items()}


COMMANDS = (queue, flush, tend, history)
