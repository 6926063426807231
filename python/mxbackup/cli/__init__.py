# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line, for administrators. Exit status: 0 done, 1 the answer is no, 2 wrong use, 3 not possible."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from mxbackup import __version__
from mxbackup.cli import (
    apply_commands,
    check_commands,
    recipient_commands,
    rule_commands,
    status_commands,
    transfer_commands,
)
from mxbackup.cli.common import NO, NOT_POSSIBLE, WRONG_USE, _, examples, words
from mxbackup.errors import InvalidInput, MxBackupError, UnknownRule
from mxbackup.service import Service


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
        _fail(words.error(error), exit_status(error))
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USE)
    except click.Abort:
        _fail(_("Interrupted."), NOT_POSSIBLE)
    except OSError as error:
        _fail(str(error), NOT_POSSIBLE)
    sys.exit(result if isinstance(result, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"mxbackup: {message}", err=True)
    sys.exit(status)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_("Say for which domains this server is backup MX, and see that it works."),
    epilog=examples("mxbackup add dupontnet.com", "mxbackup status"),
)
@click.option(
    "--root",
    envvar="MXBACKUP_ROOT",
    default="/",
    type=click.Path(file_okay=False),
    help=_("Directory put before every system path."),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def mxbackup(ctx: click.Context, root: str) -> None:
    """Open the server below `root` for the commands."""
    ctx.obj = Service.below(Path(root))


for command in (
    *rule_commands.COMMANDS,
    *status_commands.COMMANDS,
    *check_commands.COMMANDS,
    *transfer_commands.COMMANDS,
    *apply_commands.COMMANDS,
    *recipient_commands.COMMANDS,
):
    mxbackup.add_command(command)
