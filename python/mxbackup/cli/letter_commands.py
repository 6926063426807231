# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that writes to the owner of a backed-up name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mxbackup.cli import arguments
from mxbackup.cli.common import _, examples, labelled, name_argument, words
from mxbackup.service import writing
from mxbackup.service.context import Context
from mxbackup.words import lexicon, terminal

if TYPE_CHECKING:
    from mxbackup.lookup.query import Server

LANGUAGES = {language.partition("-")[0]: language for language in lexicon.languages()}


@click.command(
    help=_("Print what to send to the owner of NAME: what he has to do, ready to paste."),
    epilog=examples(
        "mxbackup letter dupontnet.com",
        "mxbackup letter dupontnet.com --lang fr --html > dupontnet.html",
    ),
)
@name_argument
@click.option("--lang", type=click.Choice(sorted(LANGUAGES)), help=_("The owner's language; by default yours."))
@click.option("--html", is_flag=True, help=_("Print a page of HTML."))
@arguments.nameserver_option
@arguments.public_option
@click.pass_obj
def letter(
    context: Context, name: str, lang: str | None, html: bool, nameservers: "Sequence[Server]", public: Sequence[str]
) -> None:
    """Print the letter, and on stderr what to see to before it is sent."""
    from mxbackup.words import letter as about

    found = writing.letter(context, name, public=public, nameservers=nameservers)
    spoken = lexicon.load(LANGUAGES[lang]) if lang else words
    click.echo(about.document(found, spoken, terminal.charset()) if html else about.text(found, spoken), nl=False)
    for remark in about.remarks(found, words):
        click.echo(labelled(_("warning"), remark), err=True)


COMMANDS = (letter,)
