# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line, for administrators. Exit status: 0 done, 1 the answer is no, 2 wrong use, 3 not possible."""

import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from mxbackup import __version__
from mxbackup.cli import (
    address_commands,
    apply_commands,
    audit_commands,
    catalog_commands,
    change_commands,
    check_commands,
    group,
    letter_commands,
    queue_commands,
    recipient_commands,
    rule_commands,
    status_commands,
    transfer_commands,
    typography,
)
from mxbackup.cli.common import NO, NOT_POSSIBLE, WRONG_USE, _, examples, words
from mxbackup.errors import InvalidInput, MxBackupError, UnknownRule
from mxbackup.service.context import Context


def exit_status(error: MxBackupError) -> int:
    """The one place that says which error is which exit status."""
    if isinstance(error, UnknownRule):
        return NO
    return WRONG_USE if isinstance(error, InvalidInput) else NOT_POSSIBLE


def main() -> NoReturn:
    """Run the command, say what went wrong in the user's language, and exit."""
    try:
        result = mxbackup.main(prog_name="mxbackup", standalone_mode=False)
    except MxBackupError as error:
        denied = isinstance(error.__cause__, PermissionError) and os.geteuid() != 0
        remedy = f" {_('Run the command as root.')}" if denied else ""
        _fail(words.error(error) + remedy, exit_status(error))
    except click.ClickException as error:
        typography.shown(error).show()
        sys.exit(WRONG_USE)
    except click.Abort:
        _fail(_("Interrupted."), NOT_POSSIBLE)
    except OSError as error:
        _fail(_cannot(error), NOT_POSSIBLE)
    sys.exit(result if isinstance(result, int) else 0)


def _cannot(error: OSError) -> str:
    """What has a file's name fell to nobody else; what has none is the output, which each command writes last."""
    reason = error.strerror or error
    if error.filename is not None:
        return _("{path} cannot be used: {reason}.", path=error.filename, reason=reason)
    return _(
        "The output cannot be written: {reason}. If the command was to change something, that may be done: "
        "see mxbackup list",
        reason=reason,
    )


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"mxbackup: {message}", err=True)
    sys.exit(status)


@click.group(
    cls=group.Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_("Say for which domains this server is backup MX, and see that it works."),
    subcommand_metavar=_("COMMAND [ARGS]..."),
    epilog=examples("mxbackup add dupontnet.com", "mxbackup status"),
)
@click.option(
    "--root",
    envvar="MXBACKUP_ROOT",
    default="/",
    type=click.Path(file_okay=False, readable=False),
    help=_("Directory put before every system path."),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def mxbackup(ctx: click.Context, root: str) -> None:
    """Open the server below `root` for the commands."""
    ctx.obj = Context.below(Path(root))


# In the list of commands, where the first sentence of the help does not fit into a line.
SUMMARIES = {
    "add": _("Make a rule."),
    "address": _("Tell or state the public address (NAT)."),
    "apply": _("Write the mail system's files, where there is no e-smith."),
    "audit": _("Ask all mail exchangers of a domain."),
    "check": _("Tell whether backup MX works for names."),
    "completion": _("Print the completion script for a shell."),
    "disable": _("Switch MX backup off."),
    "export": _("Print all rules as JSON or CSV."),
    "flush": _("Have held mail tried now."),
    "follow": _("Take rules over from another backup server, by the DNS."),
    "history": _("Tell what has happened."),
    "import": _("Take rules over from a file."),
    "letter": _("Print what to send to the owner."),
    "learn": _("Ask the primaries about recipients."),
    "probe": _("Talk to a mail server as a stranger would."),
    "publish": _("Give the rules to other backup servers, in the DNS."),
    "queue": _("Tell what mail is held, and why."),
    "recipients": _("Lists of recipients: see, change, import, export."),
    "remove": _("Remove rules."),
    "render": _("Print what we contribute to a mail file."),
    "tend": _("Look after held mail, once."),
}
SUMMARIES_OF_LISTS = {
    "add": _("Add addresses to a list."),
    "import": _("Make addresses the list of a rule."),
    "list": _("Print a list."),
    "remove": _("Take addresses off a list."),
}
# The words that stand for values.
METAVARS = {
    "ADDRESS": _("ADDRESS"),
    "COMMAND": _("COMMAND"),
    "DAYS": _("DAYS"),
    "DOMAIN": _("DOMAIN"),
    "FILE": _("FILE"),
    "FORM": _("FORM"),
    "HOST": _("HOST"),
    "INTEGER RANGE": _("NUMBER"),
    "FLOAT RANGE": _("NUMBER"),
    "NAME": _("NAME"),
    "PATTERN": _("PATTERN"),
    "RECIPIENT": _("RECIPIENT"),
    "TARGET": _("TARGET"),
    "TEXT": _("TEXT"),
    "ZONE": _("ZONE"),
}


def _put_into_words(command: click.Command, summaries: dict[str, str]) -> None:
    """Give a command its line in the list of commands, and its values their words."""
    command.short_help = summaries.get(command.name or "")
    context = click.Context(command)
    for param in command.params:
        if not getattr(param, "is_flag", False):
            written = param.make_metavar(context)
            param.metavar = re.sub("[A-Z][A-Z ]*", lambda word: METAVARS.get(word[0], word[0]), written)


# They run on any machine; `check` does with names.
ANYWHERE = {"audit", "check", "completion", "help", "probe"}


def _on_a_server(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Have a command say on any other machine what that lacks."""

    @wraps(callback)
    def run(*arguments: object, **options: object) -> Any:
        context = click.get_current_context().find_object(Context)
        if context:
            context.require_server()
        return callback(*arguments, **options)

    return run


for command in (
    *rule_commands.COMMANDS,
    *change_commands.COMMANDS,
    *status_commands.COMMANDS,
    *check_commands.COMMANDS,
    *address_commands.COMMANDS,
    *letter_commands.COMMANDS,
    *audit_commands.COMMANDS,
    *queue_commands.COMMANDS,
    *transfer_commands.COMMANDS,
    *catalog_commands.COMMANDS,
    *apply_commands.COMMANDS,
    *recipient_commands.COMMANDS,
    *group.COMMANDS,
):
    _put_into_words(command, SUMMARIES)
    mxbackup.add_command(command)
for command in recipient_commands.recipients.commands.values():
    _put_into_words(command, SUMMARIES_OF_LISTS)
for command in (*mxbackup.commands.values(), *recipient_commands.recipients.commands.values()):
    if command.callback and command.name not in ANYWHERE and not isinstance(command, click.Group):
        command.callback = _on_a_server(command.callback)
