# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands about recipients: lists in and out, learning from primaries; and how what is known is said."""

import time
from typing import Any

import click

from mxbackup import rules
from mxbackup.cli.common import _, contents, event_option, examples, file_type, name_argument, say, words
from mxbackup.recipients.register import Knowledge
from mxbackup.rules import Recipients, Rule
from mxbackup.service import knowing
from mxbackup.service.context import Context
from mxbackup.transfer import recognise
from mxbackup.words import about_rules


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
@click.pass_obj
def import_(context: Context, name: str, file: str, event: bool) -> None:
    """Replace a list and put it into force."""
    rule, count = knowing.import_list(context, name, recognise.decode(contents(file), file), event=event)
    say(_("Recipients of {name}: {count}.", name=rules.shown(rule), count=count), event)
    if rule.recipients != Recipients.LIST:
        click.echo(
            _("The list does not count yet. Let it count: mxbackup set {name} --recipients list", name=rule.name)
        )


@recipients.command(
    "export",
    help=_("Print the list of the rule NAME, one address a line."),
    epilog=examples("mxbackup recipients export dupontnet.com > addresses.txt"),
)
@name_argument
@click.pass_obj
def export(context: Context, name: str) -> None:
    """Print a list as import takes it."""
    rule, addresses = knowing.export_list(context, name)
    if not addresses:
        click.echo(_("{name} has no list.", name=rules.shown(rule)), err=True)
    for address in addresses:
        click.echo(address)


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
