# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that puts the rules into force where there is no e-smith to do it."""

import click

from mxbackup.cli.common import _, examples
from mxbackup.service import applying
from mxbackup.service.context import Context


@click.command(
    help=_(
        "On a host with qmail and without e-smith: write the rules into rcpthosts, morercpthosts and smtproutes, "
        "between two comments. Every other line stays as it is, and nothing needs a restart."
    ),
    epilog=examples("mxbackup apply --dry-run", "mxbackup apply", "mxbackup apply --confirm"),
)
@click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
@click.option(
    "--create", is_flag=True, help=_("Make a missing rcpthosts of the names in me, locals and virtualdomains.")
)
@click.option(
    "--confirm", is_flag=True,
    help=_("Let rules go that are gone from the database though no command removed them; on an SME Server too."),
)  # fmt: skip
@click.pass_obj
def apply(context: Context, dry_run: bool, create: bool, confirm: bool) -> None:
    """Write the control files, and say of each what was done."""
    if confirm and not dry_run:
        gone = applying.confirm(context)
        click.echo(_("Rules that are to go: {names}", names=", ".join(gone)) if gone else _("No rule is lost."))
        if context.kind.by_events:
            return
    pending = [
        change for change in applying.apply(context, create=create, dry_run=dry_run) if change.pending or change.stale
    ]
    if not pending:
        click.echo(_("Nothing to do: the files are up to date."))
    for change in pending:
        if dry_run and change.pending:
            click.echo(change.diff(), nl=False)
        elif dry_run:
            click.echo(_("{path} is not compiled as it stands", path=change.path))
        elif not change.pending:
            click.echo(_("compiled {path}", path=change.path))
        elif change.before is None:
            click.echo(_("created {path}", path=change.path))
        else:
            click.echo(_("changed {path}", path=change.path))


COMMANDS = (apply,)
