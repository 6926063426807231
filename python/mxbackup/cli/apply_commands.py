# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that puts the rules into force where there is no e-smith to do it."""

from typing import TYPE_CHECKING

import click

from mxbackup.cli.common import NO, _, examples, words
from mxbackup.service import applying
from mxbackup.service.context import Context
from mxbackup.words import about_draining

if TYPE_CHECKING:
    from mxbackup.esmith.postfix import SettingChange
    from mxbackup.targets.controlfile import FileChange


@click.command(
    help=_(
        "On a host without e-smith: write the rules into rcpthosts, morercpthosts and smtproutes of qmail, between two "
        "comments, or into tables below /etc/postfix/mxbackup. Every other line stays as it is, and nothing needs a "
        "restart."
    ),
    epilog=examples(
        "mxbackup apply --dry-run",
        "mxbackup apply",
        "mxbackup apply --configure --dry-run",
        "mxbackup apply --configure",
        "mxbackup apply --confirm",
        "mxbackup apply --leave",
    ),
)
@click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
@click.option(
    "--configure", is_flag=True,
    help=_("Postfix: have main.cf name our tables too, beside what stands there, and reload Postfix."),
)  # fmt: skip
@click.option(
    "--create", is_flag=True, help=_("Make a missing rcpthosts of the names in me, locals and virtualdomains.")
)
@click.option(
    "--confirm", is_flag=True,
    help=_("Let rules go that are gone from the database though no command removed them; on an SME Server too."),
)  # fmt: skip
@click.option(
    "--leave", is_flag=True,
    help=_("Before this program is erased: accept no more mail for the rules, and keep them recorded."),
)  # fmt: skip
@click.pass_obj
def apply(context: Context, dry_run: bool, configure: bool, create: bool, confirm: bool, leave: bool) -> int:
    """Write the files, and say of each what was done. The answer is no when the mail system does not read them."""
    if leave:
        _leave(context, dry_run)
        return 0
    if confirm and not dry_run:
        gone = applying.confirm(context)
        click.echo(_("Rules that are to go: {names}", names=", ".join(gone)) if gone else _("No rule is lost."))
        if context.kind.by_events:
            return 0
    changes = applying.apply(context, create=create, dry_run=dry_run)
    pending = [change for change in changes if change.pending or change.stale]
    settings = applying.configure(context, dry_run=dry_run or not configure)
    if not pending and not settings:
        click.echo(_("Nothing to do: the files are up to date."))
    _tell(pending, dry_run)
    if configure:
        for setting in settings:
            click.echo(setting.diff() if dry_run else _("changed {name} in main.cf", name=setting.name), nl=not dry_run)
    elif settings:
        _tell_missing(settings)
        return NO
    return 0


def _leave(context: Context, dry_run: bool) -> None:
    changes, waiting = applying.leave(context, dry_run=dry_run)
    _tell([change for change in changes if change.pending or change.stale], dry_run)
    if changes:
        click.echo(about_draining.erased(waiting, context.kind.relies_on(), words))


def _tell(changes: "list[FileChange]", dry_run: bool) -> None:
    for change in changes:
        click.echo(change.diff() if dry_run and change.pending else _done(change, dry_run), nl=not dry_run)


def _done(change: "FileChange", dry_run: bool) -> str:
    if dry_run:
        return _("{path} is not compiled as it stands", path=change.path) + "\n"
    if not change.pending:
        return _("compiled {path}", path=change.path)
    if change.before is None:
        return _("created {path}", path=change.path)
    return _("changed {path}", path=change.path)


def _tell_missing(settings: "list[SettingChange]") -> None:
    click.echo(
        _("The rules are not in force: main.cf has to say this. To have it done: mxbackup apply --configure"), err=True
    )
    for setting in settings:
        click.echo(f"{setting.name} = {setting.after}", err=True)


COMMANDS = (apply,)
