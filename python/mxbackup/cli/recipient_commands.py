# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands about recipients: lists in and out, learning from primaries; and how what is known is said."""

import time
from typing import Any

import click

from mxbackup import rules
from mxbackup.cli.common import (
    NO,
    _,
    contents,
    event_option,
    examples,
    file_type,
    json_option,
    name_argument,
    print_json,
    rehearsable,
    say,
    words,
)
from mxbackup.recipients.lists import BadLines
from mxbackup.recipients.register import Knowledge
from mxbackup.rules import Recipients, Rule
from mxbackup.service import knowing, listing
from mxbackup.service.context import Context
from mxbackup.service.listing import RecipientList
from mxbackup.transfer import recognise
from mxbackup.words import about_rules

addresses_argument = click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)


@click.group(
    subcommand_metavar=_("COMMAND [ARGS]..."),
    help=_("Say which recipients a rule has, for rules whose recipients are a list."),
)
def recipients() -> None:
    """Hold the commands about lists."""


@recipients.command(
    "import",
    help=_(
        "Make the addresses in FILE, one a line, the list of NAME. Without FILE, read standard input. An address "
        "stands for what is added to it too: jean for jean-news and jean+news."
    ),
    epilog=examples("mxbackup recipients import dupontnet.com addresses.txt"),
)
@name_argument
@click.argument("file", type=file_type, default="-")
@event_option
@rehearsable
@click.pass_obj
def import_(context: Context, name: str, file: str, event: bool) -> None:
    """Replace a list and put it into force."""
    done = listing.replace(context, name, recognise.decode(contents(file), file), event=event)
    say(_("Recipients of {name}: {count}.", name=rules.shown(done.rule), count=done.count), event)
    _say_unless_it_counts(done.rule)


@recipients.command(
    "export",
    help=_("Print the list of the rule NAME, one address a line."),
    epilog=examples("mxbackup recipients export dupontnet.com > addresses.txt"),
)
@name_argument
@click.pass_obj
def export(context: Context, name: str) -> None:
    """Print a list as import takes it."""
    _print(listing.look(context, name))


@recipients.command(
    "list",
    help=_("Print the list of the rule NAME, and tell whether it counts. The exit status is 1 when it is damaged."),
    epilog=examples("mxbackup recipients list dupontnet.com", "mxbackup recipients list dupontnet.com --json"),
)
@name_argument
@json_option
@click.pass_obj
def list_(context: Context, name: str, as_json: bool) -> int:
    """Print a list for people, or as JSON."""
    found = listing.look(context, name)
    if as_json:
        counts = found.rule.recipients == Recipients.LIST and bool(found.addresses)
        whole = {"counts": counts, "whole": not found.damaged, "addresses": found.addresses}
        print_json({"name": found.rule.name, **whole})
    else:
        _print(found)
        _say_unless_it_counts(found.rule, err=True)
    return NO if found.damaged else 0


@recipients.command(
    "add",
    help=_("Add the addresses to the list of the rule NAME; one without @ is at NAME."),
    epilog=examples("mxbackup recipients add dupontnet.com jean anne@dupontnet.com"),
)
@name_argument
@addresses_argument
@event_option
@rehearsable
@click.pass_obj
def add(context: Context, name: str, addresses: tuple[str, ...], event: bool) -> None:
    """Add to a list and put it into force."""
    try:
        done = listing.add(context, name, "\n".join(addresses), event=event)
    except BadLines as error:  # which line says nothing here
        raise error.first from error
    said = _("Recipients of {name}: {count}. Added: {added}.", name=rules.shown(done.rule), count=done.count,
             added=len(done.added))  # fmt: skip
    say(said, event)
    _say_unless_it_counts(done.rule)


@recipients.command(
    "remove",
    help=_("Take the addresses off the list of the rule NAME. The exit status is 1 when one was not in it."),
    epilog=examples("mxbackup recipients remove dupontnet.com jean"),
)
@name_argument
@addresses_argument
@event_option
@rehearsable
@click.pass_obj
def remove(context: Context, name: str, addresses: tuple[str, ...], event: bool) -> int:
    """Take addresses off a list and put it into force."""
    done = listing.remove(context, name, addresses, event=event)
    said = _("Recipients of {name}: {count}. Removed: {removed}.", name=rules.shown(done.rule), count=done.count,
             removed=len(done.removed))  # fmt: skip
    say(said, event)
    for address in done.absent:
        click.echo(_("{address} was not in the list.", address=address), err=True)
    return NO if done.absent else 0


@click.command(
    help=_("Ask the primaries about recipients, for rules that learn them. Meant for cron; takes up to 5 minutes."),
    epilog=examples("mxbackup learn"),
)
@click.pass_obj
def learn(context: Context) -> None:
    """Ask, keep the answers, and put them into force."""
    done = knowing.learn(context)
    if done is None:
        click.echo(_nothing_to_ask(context))
        return
    click.echo(
        _(
            "Learnt: {good} recipients are good, {bad} are not. Still to be asked: {waiting}.",
            good=done.good, bad=done.bad, waiting=done.waiting,
        )
    )  # fmt: skip
    for name in sorted(set(done.silent.values())):
        click.echo(_("No answer from the primary for {name}.", name=name))
    for name in sorted(done.accepting_all):
        click.echo(_("The primary of {name} accepts every recipient, so this server does too.", name=name))


def _print(found: RecipientList) -> None:
    if not found.addresses:
        click.echo(_("{name} has no list.", name=rules.shown(found.rule)), err=True)
    for address in found.addresses:
        click.echo(address)


def _say_unless_it_counts(rule: Rule, *, err: bool = False) -> None:
    if rule.recipients != Recipients.LIST:
        said = _("The list does not count yet. Let it count: mxbackup set {name} --recipients list", name=rule.name)
        click.echo(said, err=err)


def _nothing_to_ask(context: Context) -> str:
    if context.kind.learns_itself():
        return _("Postfix asks the primaries itself when mail arrives (verify(8)): there is nothing to run here.")
    return _("No rule learns its recipients here.")


def warn_without_qpsmtpd(context: Context, rule: Rule) -> None:
    """Say so when the mail program of this host cannot tell recipients apart."""
    if rule.recipients != Recipients.ANY and not context.kind.tells_recipients_apart():
        click.echo(_("There is no qpsmtpd on this host, so every recipient is accepted all the same."))


def knowledge_words(rule: Rule, known: Knowledge) -> str:
    """Return what is known of a rule's recipients, in the user's language."""
    return about_rules.recipients(rule, known, words)


def knowledge_json(rule: Rule, known: Knowledge) -> dict[str, Any]:
    """Return what is known of a rule's recipients as JSON has it; the age is in seconds."""
    return {
        "policy": rule.recipients.value,
        "unknown": rule.unknown.value,
        "known": known.count,
        "newest_answer_age": None if known.newest is None else max(0, int(time.time()) - known.newest),
        "list_whole": known.whole,
        "primary_accepts_all": known.accepts_all,
    }


COMMANDS = (recipients, learn)
