# SPDX-License-Identifier: GPL-2.0-or-later
"""Putting the rules into force: what stands in the mail files, and writing it there."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup.errors import DatabaseMissing, HostError
from mxbackup.esmith.inventory import Invalid, Inventory
from mxbackup.recipients.policies import Known
from mxbackup.service import draining
from mxbackup.service.context import Context
from mxbackup.targets import registry
from mxbackup.targets.draining import NOTHING, Waiting

if TYPE_CHECKING:
    from mxbackup.esmith.postfix import SettingChange
    from mxbackup.targets.controlfile import FileChange


@dataclass(frozen=True)
class Expansion:
    """The files that were expanded, and the records left out of them."""

    files: list[Path]
    left_out: list[Invalid]


def fragment(context: Context, target: str) -> str:
    """Return the text of one target as it should be now. Raises DatabaseError, RenderError, HostError."""
    return context.kind.fragment(registry.expanded(target), *read_whole(context))


def expand(context: Context) -> Expansion:
    """Expand every target this host has. Raises DatabaseError, RenderError or HostError."""
    _refuse_no_database(context)
    targets = context.kind.targets()
    inventory = context.kind.expand(targets, lambda: read_whole(context))
    context.removals.settle(inventory)
    draining.end_draining(context, inventory)
    return Expansion([path for target in targets for path in context.kind.files(target)], inventory.invalid)


def confirm(context: Context, *, event: bool = True) -> list[str]:
    """Let the rules go that are in force and gone from the database; return their names.

    Signals the event that does so; on a host without e-smith `apply` does. Raises DatabaseError, HostError.
    """
    context.prepare(event)
    lost = sorted(context.removals.lost(context.inventory()))
    if lost:
        context.removals.note(lost)
        context.signal(event, "mxbackup-update")
    return lost


def apply(context: Context, *, create: bool = False, dry_run: bool = False) -> "list[FileChange]":
    """Write the rules into the files of a host without e-smith; return what was, or would be, done.

    With `create` a missing `rcpthosts` is made. Raises DatabaseError or HostError.
    """
    from mxbackup.targets import controlfile

    if context.kind.by_events:
        raise HostError(
            "This is no plain qmail: the files of an SME Server are expanded from templates. Run: {command}",
            command=context.kind.command,
        )
    _refuse_no_database(context)
    with nullcontext() if dry_run else context.host.expansion_lock():
        inventory = context.inventory()
        if dry_run:
            inventory = draining.without(inventory, draining.ended(context, inventory))
        else:
            inventory = _leaving(context, inventory)
        changes = context.kind.plan(inventory, context.recipients.known(inventory.rules), create=create)
        if not dry_run:
            context.kind.carry_out(changes)
            context.removals.settle(inventory)
    if not dry_run and draining.end_draining(context, inventory):
        changes = [replace(change, after=controlfile.read(context.host, change.path)) for change in changes]
    return changes


def leave(context: Context, *, dry_run: bool = False) -> "tuple[list[FileChange], Waiting]":
    """Put the files into the state of `disabled`, as the program is to be erased, and leave the database as it is.

    Returns what `apply` does, and the mail whose way out stays. Raises DatabaseError or HostError.
    """
    if context.before_first_rule():
        return [], NOTHING
    ended = Context(context.host, ended=True)
    changes = apply(ended, dry_run=dry_run)
    rules = ended.inventory().with_draining
    return changes, draining.waiting(ended, lambda name: rules.nearest(name) is not None)


def configure(context: Context, *, dry_run: bool = False) -> "list[SettingChange]":
    """Have the mail system read our files, unless it does; return what was, or would be, changed of its settings.

    To be called when the files are there. Raises HostError.
    """
    with nullcontext() if dry_run else context.host.expansion_lock():
        changes = context.kind.settings_to_change(context.inventory().rules)
        if not dry_run:
            context.kind.configure(changes)
    return changes


def read_whole(context: Context) -> tuple[Inventory, Known]:
    """Read what is to be put into force. Raises DatabaseError, and HostError when rules were lost."""
    inventory = context.inventory()
    known = context.recipients.known(inventory.rules)
    return _leaving(context, inventory), known


def _leaving(context: Context, inventory: Inventory) -> Inventory:
    """Return the inventory with the rules that leave the mail files. Raises HostError when they were lost."""
    if not (gone := context.removals.gone(inventory)):
        return inventory
    context.removals.refuse_loss(inventory)
    return replace(inventory, draining=context.draining.leaving(inventory, gone))


def _refuse_no_database(context: Context) -> None:
    """Raise DatabaseMissing where there is none yet: nothing is to be taken out of the files then."""
    if context.before_first_rule():
        raise DatabaseMissing(
            "There is no database {path}. The first rule makes it: mxbackup add example.com",
            path=context.domains.path,
        )
