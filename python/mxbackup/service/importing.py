# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules from elsewhere: from a file, and from the contrib of 2004 to 2019."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mxbackup.esmith.database import Database
from mxbackup.esmith.settings import SERVICE_KEY
from mxbackup.rules import RECORD_TYPE, Rule
from mxbackup.service.context import Context
from mxbackup.transfer import merging
from mxbackup.transfer.entries import Entry, Remark
from mxbackup.transfer.formats import oldcontrib
from mxbackup.transfer.merging import Merged


@dataclass(frozen=True)
class CarriedOver:
    """What was taken over from the old contrib: rules made, pairs left in its record, files of it removed."""

    added: list[Rule]
    left: list[Remark]
    removed: list[Path]


def import_rules(
    context: Context,
    entries: Sequence[Entry],
    *,
    event: bool = True,
    dry_run: bool = False,
    progress: Callable[[int], object] = bool,
) -> Merged:
    """Make or change the rules that the entries speak of: all of them, or none when there is a problem.

    Tells what was done, or with `dry_run` what would be. Raises DatabaseError, HostError.
    """

    def change(domains: Database) -> Merged:
        trial = Database(dict(domains.raw))
        merged = merging.merge(trial, context.settings(domains).local, entries, progress)
        if not merged.problems and not dry_run:
            domains.raw.update(trial.raw)
        return merged

    if dry_run:
        return change(context.domains.read() if context.domains.path.exists() else Database())
    context.prepare(event)
    merged = context.domains.update(change)
    if not merged.problems and (merged.added or merged.changed):
        context.signal(event, "mxbackup-update")
    return merged


def carry_over(context: Context, *, event: bool = True) -> CarriedOver:
    """Make rules of what the contrib of 2004 to 2019 recorded, and remove what is left of it.

    What cannot be a rule stays in its record. Done a second time it changes nothing.
    Raises DatabaseError, HostError.
    """
    old = oldcontrib.old_rules(context.configuration.read())
    reading = oldcontrib.decode(old or "")

    def change(domains: Database) -> Merged:
        known = {key for key, _ in domains.of_type(RECORD_TYPE)}
        new = [entry for entry in reading.entries if entry.name not in known]
        return merging.merge(domains, context.settings(domains).local, new)

    context.prepare(event)
    removed = context.host.remove(oldcontrib.LEFTOVERS)
    if old is None:
        return CarriedOver([], [], removed)
    merged = context.domains.update(change)
    left = [*reading.notes, *reading.problems, *merged.notes, *merged.problems]
    rest = oldcontrib.without(old, {remark.line for remark in left})

    def forget(configuration: Database) -> None:
        if oldcontrib.old_rules(configuration) == old:
            configuration.set(SERVICE_KEY, "service", {oldcontrib.PROPERTY: rest})

    context.configuration.update(forget)
    if merged.added or removed:
        context.signal(event, "mxbackup-update")
    return CarriedOver(merged.added, left, removed)
