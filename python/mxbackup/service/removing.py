# SPDX-License-Identifier: GPL-2.0-or-later
"""Several rules removed at once, what that would leave, and the last removal taken back.

What was removed last is kept, as it was recorded, in the e-smith database `mxbackup_undo`. It can be lost: then nothing
is taken back.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from mxbackup.errors import ChangedMeanwhile, DatabaseMissing, InvalidInput, QueueError
from mxbackup.esmith.database import Database, Store
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule
from mxbackup.service import draining, records
from mxbackup.service.context import Context
from mxbackup.targets.draining import NOTHING, Waiting

DATABASE = "mxbackup_undo"


@dataclass(frozen=True)
class Removal:
    """What the removal of one record does: its key, and the domain rule by which its mail stays accepted, if any.

    `waiting` is the mail that still waits for it, whose way out stays; `stamp` tells the record as it stands from any
    other; `origin` is the catalog that the rule was followed from. `rule` is what was recorded, None where that is
    none, and `record` the line of it.
    """

    key: str
    covered_by: Rule | None = None
    waiting: Waiting = NOTHING
    stamp: str = field(default="", compare=False)
    origin: str = ""
    rule: Rule | None = field(default=None, compare=False)
    record: str = field(default="", compare=False)


def outlook(context: Context, wanted: Iterable[str]) -> list[Removal]:
    """Return what the removal of these rules together would do, in their order. Raises UnknownRule, InvalidName."""
    domains = context.domains.read()
    return _removals(context, domains, _keys(domains, wanted))


def remove(context: Context, wanted: Mapping[str, str], *, event: bool = True) -> list[Removal]:
    """Remove rules, or records that hold none: all or none. They are the names, each with the stamp that is expected.

    An empty stamp fits any record. Raises UnknownRule, ChangedMeanwhile, DatabaseError, HostError.
    """

    def delete(domains: Database) -> tuple[list[Removal], Database]:
        for name, expected in wanted.items():
            records.refuse_stale(domains, records.key_of(domains, name), expected)
        keys = _keys(domains, wanted)
        gone = Database({_raw(key): domains.raw[_raw(key)] for key in keys})
        return take_out(context, domains, keys), gone

    context.prepare(event)
    done, gone = context.domains.update(delete)
    context.removals.note([removal.key for removal in done])
    _undo(context).update(lambda kept: _replace(kept, gone))
    _announce(context, event, "mxbackup-delete", [removal.key for removal in done])
    return done


def take_out(context: Context, domains: Database, keys: list[str]) -> list[Removal]:
    """Delete records of ours, and note the rules whose mail waits. Raises DatabaseError."""
    done = _removals(context, domains, keys)
    context.draining.note(*(records.rule_of(domains, removal.key) for removal in done if removal.waiting))
    for key in keys:
        domains.delete(key)
    return done


def last(context: Context) -> str:
    """Return what tells the last removal from any other, for `restore`; empty without one. Raises DatabaseError."""
    try:
        return _stamp(_undo(context).read())
    except DatabaseMissing:
        return ""


def restore(context: Context, expected: str, *, event: bool = True) -> list[str]:
    """Record again, as it was, what the removal of that stamp took; return the keys.

    Raises ChangedMeanwhile when something else was removed since; InvalidRule when a name is taken by now: then
    nothing is recorded. DatabaseError, HostError.
    """
    if not expected or last(context) != expected:
        raise ChangedMeanwhile("Something else was removed since, so this cannot be taken back. Create the rule again.")
    gone = _undo(context).read()
    keys = [raw.decode("utf-8", "surrogateescape") for raw in gone.raw]

    def put_back(domains: Database) -> None:
        for key in keys:
            records.refuse_taken(domains, key)
        domains.raw.update(gone.raw)

    context.prepare(event)
    context.domains.update(put_back)
    context.draining.forget(keys)
    _undo(context).update(lambda kept: _replace(kept, Database()))
    _announce(context, event, "mxbackup-create", keys)
    return keys


def _keys(domains: Database, wanted: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(records.key_of(domains, name) for name in wanted))


def _removals(context: Context, domains: Database, keys: list[str]) -> list[Removal]:
    current = context.settings(domains)
    left = Database({raw: value for raw, value in domains.raw.items() if raw not in set(map(_raw, keys))})
    covers = {key: records.near(left, key).covering(key) if current.enabled else None for key in keys}
    waits = _waiting(context, domains, current, [key for key in keys if not covers[key]])
    return [
        Removal(
            key, covers[key], waits.get(key, NOTHING), records.stamp_of(domains, key),
            records.origin_of(domains, key), _rule(domains, key), records.line_of(domains, key),
        )
        for key in keys
    ]  # fmt: skip


def _waiting(context: Context, domains: Database, current: Settings, keys: list[str]) -> Mapping[str, Waiting]:
    """Return the mail that waits for each of these rules; none for a record without rule, and where no routes count."""
    if not keys or not current.routes:
        return {}

    @cache
    def nearest(name: str) -> Rule | None:
        return records.near(domains, name).nearest(name)

    valid = [key for key in keys if _rule(domains, key)]
    try:
        counts = draining.by_rule(context, nearest) if valid else {}
    except QueueError as trouble:
        return dict.fromkeys(valid, Waiting(trouble=trouble))
    return {key: Waiting(counts[key]) for key in valid if key in counts}


def _rule(domains: Database, key: str) -> Rule | None:
    """Return the rule of a record, None where it holds none."""
    try:
        return records.rule_of(domains, key)
    except InvalidInput:
        return None


def _undo(context: Context) -> Store:
    return context.host.store(DATABASE, lambda lines: None, disposable=True)


def _replace(kept: Database, gone: Database) -> None:
    kept.raw.clear()
    kept.raw.update(gone.raw)


def _stamp(gone: Database) -> str:
    return hashlib.sha256(gone.serialise("")).hexdigest() if gone.raw else ""


def _announce(context: Context, event: bool, name: str, keys: list[str]) -> None:
    """One event, whichever the number of rules: it puts all of them into force."""
    if len(keys) == 1:
        context.signal(event, name, keys[0])
    else:
        context.signal(event, "mxbackup-update")


def _raw(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
