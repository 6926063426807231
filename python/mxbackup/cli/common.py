# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands share: the user's language, options, tables, and how rules are said."""

import json
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mxbackup import lexicon, wording
from mxbackup.errors import MxBackupError
from mxbackup.outcomes import Invalid, Inventory
from mxbackup.rules import Rule
from mxbackup.service import Service

NO, WRONG_USE, NOT_POSSIBLE = 1, 2, 3

words = lexicon.load(lexicon.language_of_environment())
_ = words.text


def examples(*lines: str) -> str:
    """Return the closing paragraph of a help text, kept in lines by the `\\b` that click takes for that."""
    return "\b\n" + _("Examples:") + "\n" + "\n".join(f"  {line}" for line in lines)


def _complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    parent = ctx.find_root()
    try:
        known = Service.below(Path(parent.params.get("root") or "/")).inventory().rules
    except (MxBackupError, OSError):
        return []
    return [CompletionItem(rule.name, help=rule.description) for rule in known if rule.name.startswith(incomplete)]


json_option = click.option("--json", "as_json", is_flag=True, help=_("Print JSON."))
event_option = click.option(
    "--no-event", "event", flag_value=False, type=bool, default=True,
    help=_("Change the database only: expand no file, restart nothing."),
)  # fmt: skip
name_argument = click.argument("name", shell_complete=_complete_names)


def say(message: str, event: bool) -> None:
    """Print what was done, and what is left to do when the mail files are not yet so."""
    services = click.get_current_context().find_object(Service)
    if services and services.host.plain:
        message = f"{message} {_('To put it into force: mxbackup apply')}"
    elif not event:
        message = f"{message} {_('No event was signalled: the mail files are as they were.')}"
    click.echo(message)


def kind_word(rule: Rule) -> str:
    """Return the kind in the user's language."""
    return wording.kind(rule, words)


def destination(rule: Rule, inventory: Inventory) -> str:
    """Return where the mail of a rule goes, in the user's language."""
    return wording.destination(rule, inventory.settings, words)


def print_invalid(invalid: Iterable[Invalid]) -> None:
    """Tell of records that hold no rule, on stderr."""
    for record in invalid:
        reason = words.error(record.reason)
        click.echo(_("Left out, the record {key} is no rule: {reason}", key=record.key, reason=reason), err=True)


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows of equal length in columns, the first row being the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(data: object) -> None:
    """Print data as JSON, names in U-labels readable."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def invalid_json(inventory: Inventory) -> list[dict[str, str]]:
    """Return the invalid records as JSON has them."""
    return [{"key": record.key, "reason": words.error(record.reason)} for record in inventory.invalid]
