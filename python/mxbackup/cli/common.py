# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands share: the user's language, options, tables, and how rules are said."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from mxbackup.errors import InvalidInput, MxBackupError
from mxbackup.esmith import printable
from mxbackup.esmith.inventory import Fault, Invalid, Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.rules import PROPERTIES, About, Rule
from mxbackup.service.context import Context
from mxbackup.targets.draining import Waiting
from mxbackup.words import about_draining, about_rules, lexicon, terminal

NO, WRONG_USE, NOT_POSSIBLE = 1, 2, 3
VERSION = 1  # of all JSON; what is added to it leaves it as it is

Command = TypeVar("Command", bound=Callable[..., Any])

words = lexicon.load(lexicon.language_of_environment())
_ = words.text


def examples(*lines: str) -> str:
    """Return the closing paragraph of a help text, kept in lines by the `\\b` that click takes for that."""
    return "\b\n" + _("Examples:") + "\n" + "\n".join(f"  {line}" for line in lines)


def _complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    parent = ctx.find_root()
    try:
        known = Context.below(Path(parent.params.get("root") or "/")).inventory().rules
    except (MxBackupError, OSError):
        return []
    return [CompletionItem(rule.name, help=rule.description) for rule in known if rule.name.startswith(incomplete)]


json_option = click.option("--json", "as_json", is_flag=True, help=_("Print JSON."))
event_option = click.option(
    "--no-event", "event", flag_value=False, type=bool, default=True,
    help=_("Change the database only: expand no file, restart nothing."),
)  # fmt: skip


def rehearsable(command: Command) -> Command:
    """Give a command the option --dry-run: it says what it would, on a server that nothing is changed on."""

    @click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
    @click.pass_context
    @wraps(command)
    def rehearsed(ctx: click.Context, /, *, dry_run: bool, **options: Any) -> Any:
        if not dry_run:
            return command(**options)
        ctx.obj = ctx.obj.rehearsed()
        click.echo(_("Without --dry-run it would say:"))
        status = command(**options)
        click.echo(_("Nothing was changed (--dry-run)."))
        return status

    return cast("Command", rehearsed)


file_type = click.Path(allow_dash=True, readable=False)  # what cannot be read is told by contents()
name_argument = click.argument("name", shell_complete=_complete_names)


def names_argument(*, required: bool = False) -> Callable[[Command], Command]:
    """Names of rules, `wanted`; where none is required, none stands for all."""
    metavar = "NAME..." if required else "[NAME]..."
    return click.argument("wanted", metavar=metavar, nargs=-1, required=required, shell_complete=_complete_names)


def say(message: str, event: bool) -> None:
    """Print what was done, and what is left to do when the mail files are not yet so."""
    context = click.get_current_context().find_object(Context)
    if context and not context.kind.by_events:
        message = f"{message} {_('To put it into force: {command}', command=context.kind.command)}"
    elif not event:
        message = f"{message} {_('No event was signalled: the mail files are as they were.')}"
    click.echo(message)


def labelled(label: object, value: str) -> str:
    """Return a value behind its label, with the colon as the user's language sets it."""
    return _("{label}: {value}", label=label, value=value)


def kind_word(rule: Rule) -> str:
    """Return the kind in the user's language."""
    return about_rules.kind(rule, words)


def destination(rule: Rule, inventory: Inventory) -> str:
    """Return where the mail of a rule goes, in the user's language."""
    return about_rules.destination(rule, inventory.settings, words)


def contents(file: str) -> bytes:
    """Return what is in the file that an argument names; - is standard input. Raises InvalidInput."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(terminal.path(file)).read_bytes()
    except OSError as error:
        raise InvalidInput("{path} cannot be read: {reason}.", path=file, reason=error.strerror) from error


def print_invalid(invalid: Iterable[Invalid], *, err: bool = True) -> None:
    """Tell of records that hold no rule, and how to be rid of them."""
    for record in invalid:
        click.echo(words.finding(record.finding), err=err)


def print_faults(faults: Iterable[Fault], *, err: bool = True) -> None:
    """Tell of rules with something wrong in their records, and how to mend it."""
    for found in faults:
        click.echo(labelled(_("warning"), words.finding(found.finding)), err=err)


def print_draining(removed: Mapping[Rule, Waiting], settings: Settings, *, err: bool = False) -> None:
    """Tell of rules that were removed, and whose mail in the queue is still delivered."""
    for rule, waiting in removed.items():
        click.echo(about_draining.state(rule, waiting, settings, words), err=err)


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows of equal length in columns, the first row being the heading."""
    rows = [tuple(cell.replace("\n", "\\n") for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(document: Mapping[str, Any]) -> None:
    """Print an object as JSON, which is UTF-8 or ASCII (RFC 8259): names in U-labels readable where that can be."""
    text = printable.legible(json.dumps({"version": VERSION, **document}, indent=2, ensure_ascii=False))
    click.echo(text if terminal.charset() == "utf-8" else json.dumps(json.loads(text), indent=2))


def invalid_json(inventory: Inventory) -> list[dict[str, str]]:
    """Return the invalid records as JSON has them."""
    return [{"key": record.key, "reason": words.error(record.reason)} for record in inventory.invalid]


def properties_json(rule: Rule) -> dict[str, Any]:
    """Return the properties of a rule as JSON has them; what is said of its recipients is an object of its own."""
    return {prop.name: getattr(rule, prop.name) for prop in PROPERTIES if prop.about != About.RECIPIENTS}


def faults_json(inventory: Inventory) -> list[dict[str, str]]:
    """Return the faults that leave rules in force as JSON has them."""
    return [{"name": found.rule.name, "reason": words.error(found.reason)} for found in inventory.faults]


def draining_json(removed: Mapping[Rule, Waiting]) -> list[dict[str, object]]:
    """Return the rules that drain as JSON has them; `messages` is null when the queue cannot be read."""
    return [
        {
            "name": rule.name,
            **properties_json(rule),
            "messages": None if waiting.trouble else waiting.messages,
        }
        for rule, waiting in removed.items()
    ]
