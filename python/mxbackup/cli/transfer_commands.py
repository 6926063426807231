# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that take rules over from elsewhere, and give them away."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from mxbackup import rules
from mxbackup.cli.common import (
    WRONG_USE,
    _,
    contents,
    event_option,
    examples,
    file_type,
    kind_word,
    print_invalid,
    say,
    words,
)
from mxbackup.esmith import printable
from mxbackup.rules import Rule
from mxbackup.service import importing
from mxbackup.service.context import Context
from mxbackup.transfer import recognise
from mxbackup.transfer.entries import Entry, Reading, Remark
from mxbackup.transfer.formats import tables
from mxbackup.transfer.merging import Merged
from mxbackup.transfer.recognise import Form
from mxbackup.words import terminal

Item = TypeVar("Item")

SHOWN = 20
WORTH_A_BAR = 1000


@click.command(
    "import",
    help=_(
        "Take rules over from FILE (- for standard input): a list, rcpthosts, smtproutes, smtpd_check_rules, CSV, "
        'what "export" wrote, or the configuration database of an old server. All of them, or none.'
    ),
    epilog=examples(
        "mxbackup import --dry-run /etc/MXBackupDomains",
        "cat rcpthosts smtproutes | mxbackup import -",
        "mxbackup import --old-contrib",
    ),
)
@click.argument("file", type=file_type, required=False)
@click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
@click.option(
    "--format", "form", metavar="FORM",
    help=_("Do not guess what FILE is: {forms}.", forms=", ".join(Form)),
)  # fmt: skip
@click.option("--old-contrib", is_flag=True, help=_("Take over what the contrib of 2004 to 2019 left on this server."))
@event_option
@click.pass_obj
def import_(context: Context, file: str | None, dry_run: bool, form: str | None, old_contrib: bool, event: bool) -> int:
    """Record the rules and put them into force."""
    if old_contrib == (file is not None) or (old_contrib and (dry_run or form)):
        raise click.UsageError(_("Give either FILE or --old-contrib, the latter without --dry-run and --format."))
    if file is None:
        _carry_over(context, event)
        return 0
    reading = _read(file, form)
    merged = _merge(context, reading.entries, event, dry_run or bool(reading.problems))
    problems = [*reading.problems, *merged.problems]
    if problems:
        _print_remarks(_("Nothing was imported. To be mended first:"), problems)
        return WRONG_USE
    _print_merged(merged, dry_run, event)
    _print_remarks(_("Left out:"), [*reading.notes, *merged.notes])
    return 0


@click.command(
    help=_("Print all rules, to be kept or read back by import."),
    epilog=examples("mxbackup export > rules.json", "mxbackup export --format csv"),
)
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.pass_obj
def export(context: Context, form: str) -> None:
    """Print the valid rules; a record that is none is told on stderr."""
    inventory = context.inventory()
    text = (tables.write_csv if form == "csv" else tables.write_json)(inventory.rules)
    # What it prints is a file, for import here or elsewhere: UTF-8, unless somebody looks at it.
    click.echo(text if sys.stdout.isatty() else text.encode("utf-8", "backslashreplace"), nl=False)
    print_invalid(inventory.invalid)


def _read(file: str, form: str | None) -> Reading:
    text = recognise.decode(contents(file), file)
    chosen = recognise.form(form) if form else recognise.recognise(text, Path(file).name)
    if form is None:
        click.echo(_("Read as {form}. If it is not: --format FORM", form=chosen.value), err=True)
    return recognise.read(text, chosen)


def _merge(context: Context, entries: Sequence[Entry], event: bool, dry_run: bool) -> Merged:
    """Import with a progress bar on a terminal."""
    with click.progressbar(
        length=len(entries), label=_("Importing"), file=terminal.drawing(sys.stderr), update_min_steps=1000,
        hidden=not sys.stderr.isatty() or len(entries) < WORTH_A_BAR,
    ) as bar:  # fmt: skip
        return importing.import_rules(context, entries, event=event, dry_run=dry_run, progress=bar.update)


def _print_merged(merged: Merged, dry_run: bool, event: bool) -> None:
    _print_some(merged.added, lambda rule: _("added {rule}", rule=_rule_line(rule)))
    _print_some(merged.changed, lambda change: _("changed {rule}", rule=_rule_line(change.after)))
    counts = {"added": len(merged.added), "changed": len(merged.changed), "unchanged": len(merged.unchanged)}
    if dry_run:
        click.echo(_("Would be added: {added}, changed: {changed}, unchanged: {unchanged}.", **counts))
    else:
        say(_("Added: {added}, changed: {changed}, unchanged: {unchanged}.", **counts), event)


def _carry_over(context: Context, event: bool) -> None:
    carried = importing.carry_over(context, event=event)
    if not (carried.added or carried.removed or carried.left):
        click.echo(_("Nothing to take over."))
    _print_some(carried.added, lambda rule: _("added {rule}", rule=_rule_line(rule)))
    for path in carried.removed:
        click.echo(_("removed {path}", path=path))
    _print_remarks(_("Left in the record of the old contrib:"), carried.left)


def _rule_line(rule: Rule) -> str:
    return " ".join(filter(None, (rules.shown(rule), f"({kind_word(rule)})", rule.route, rule.description)))


def _print_remarks(heading: str, remarks: Sequence[Remark]) -> None:
    if remarks:
        click.echo(heading, err=True)
        ordered = sorted(remarks, key=lambda remark: remark.line)
        _print_some(ordered, _remark_line, err=True)


def _remark_line(remark: Remark) -> str:
    return "  " + printable.line(f"{remark.line}: {remark.text}: {words.message(remark.reason)}")


def _print_some(items: Sequence[Item], line: Callable[[Item], str], *, err: bool = False) -> None:
    for item in items[:SHOWN]:
        click.echo(line(item), err=err)
    if len(items) > SHOWN:
        click.echo(_("... and {count} more", count=len(items) - SHOWN), err=err)


COMMANDS = (import_, export)
