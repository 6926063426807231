# SPDX-License-Identifier: GPL-2.0-or-later
"""A group of commands that understands the words other programs have for them, and the command `help`."""

import click
from click.shell_completion import CompletionItem

from mxbackup.cli.common import _, examples

# What a user of other programs types, and what it is called here. A slip of the finger is click's to see.
SYNONYMS = {
    "change": "set", "create": "add", "del": "remove", "delete": "remove", "edit": "set", "get": "show", "info": "show",
    "log": "history", "ls": "list", "mailq": "queue", "modify": "set", "new": "add", "off": "disable", "on": "enable",
    "rm": "remove", "start": "enable", "stop": "disable", "test": "check", "update": "set", "verify": "check",
}  # fmt: skip


class Commands(click.Group):
    """A group that names the command that was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return name, command and what is left of the arguments. Raises UsageError."""
        typed = args[0]
        meant = SYNONYMS.get(typed.lower())
        if meant in self.commands and typed not in self.commands and not ctx.resilient_parsing:
            known = f"{ctx.command_path} {meant}"
            raise click.UsageError(
                _('There is no command "{name}". You mean: {command}', name=typed, command=known), ctx
            )
        return super().resolve_command(ctx, args)


def _complete_commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = _reached(ctx.find_root(), ctx.params.get(param.name or "") or ())
    return found.command.shell_complete(found, incomplete) if isinstance(found.command, click.Group) else []


@click.command(
    "help",
    help=_("Show the help of all commands, or of COMMAND."),
    epilog=examples("mxbackup help", "mxbackup help add"),
)
@click.argument("wanted", metavar="[COMMAND]...", nargs=-1, shell_complete=_complete_commands)
@click.pass_context
def help_(ctx: click.Context, wanted: tuple[str, ...]) -> None:
    """Print what --help prints there."""
    click.echo(_reached(ctx.find_root(), wanted).get_help())


def _reached(context: click.Context, words: tuple[str, ...]) -> click.Context:
    """Return the context of the command that these words lead to. Raises UsageError."""
    for word in words:
        if not isinstance(context.command, click.Group):
            raise click.UsageError(_("{command} has no commands of its own.", command=context.command_path), context)
        command = context.command.resolve_command(context, [word])[1]
        context = click.Context(command or context.command, parent=context, info_name=word)
    return context


COMMANDS = (help_,)
