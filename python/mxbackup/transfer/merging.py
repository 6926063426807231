# SPDX-License-Identifier: GPL-2.0-or-later
"""Put what was read into the records of the `domains` database. Pure: the caller reads, writes and decides."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mxbackup import rules
from mxbackup.errors import InvalidInput, InvalidRule, Message
from mxbackup.esmith.database import Database, Record
from mxbackup.rules import RECORD_TYPE, Kind, Rule, names
from mxbackup.rules.localmail import LocalMail
from mxbackup.transfer.entries import Entry, Remark


@dataclass(frozen=True, slots=True)
class Changed:
    """A rule as it was (None: there was none, or no valid one) and as it is now."""

    before: Rule | None
    after: Rule


@dataclass
class Merged:
    """What the entries did to the records: rules made, changed or found equal, entries left out or refused."""

    added: list[Rule] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    unchanged: list[Rule] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)


def merge(
    domains: Database,
    here: LocalMail,
    entries: Iterable[Entry],
    progress: Callable[[int], object] = bool,
) -> Merged:
    """Make or change the rules that the entries speak of; what an entry does not state stays as it is.

    Local domains of this server are left out. What two entries state differently is refused.
    `progress` is called with the number of entries done since its last call.
    """
    merged = Merged()
    for entry in _joined(entries, merged):
        progress(1)
        try:
            _merge(domains, here, entry, merged)
        except InvalidInput as reason:
            merged.problems.append(Remark(entry.line, entry.name, reason.message))
    return merged


def _joined(entries: Iterable[Entry], merged: Merged) -> Iterator[Entry]:
    """Yield one entry for each name, in the order of the names, with all that is stated of it."""
    joined: dict[str, Entry] = {}
    for entry in entries:
        first = joined.setdefault(entry.name, entry)
        if first is entry:
            continue
        if any(first.properties.get(prop, text) != text for prop, text in entry.properties.items()):
            merged.problems.append(Remark(entry.line, entry.name, _contradiction(first)))
            continue
        both = {**first.properties, **entry.properties}
        joined[entry.name] = Entry(first.line, entry.name, both, first.only_existing and entry.only_existing)
    yield from sorted(joined.values(), key=lambda entry: names.sort_key(entry.name))


def _merge(domains: Database, here: LocalMail, entry: Entry, merged: Merged) -> None:
    record = domains.get(entry.name)
    if here.delivers(entry.name):
        merged.notes.append(Remark(entry.line, entry.name, _local(entry)))
    elif record is not None and record.type != RECORD_TYPE:
        raise InvalidRule(
            "name",
            'The domains database has a record "{name}" of type "{type}" already. Remove that one first.',
            name=entry.name,
            type=record.type,
        )
    elif record is None and entry.only_existing:
        merged.notes.append(Remark(entry.line, entry.name, _no_rule(entry)))
    else:
        _set(domains, here, entry, record, merged)


def _set(domains: Database, here: LocalMail, entry: Entry, record: Record | None, merged: Merged) -> None:
    known = record.properties if record else {"Kind": Kind.DOMAIN.value}
    rule, properties = rules.revise(entry.name, known, entry.properties)
    rules.check_local(rule, here)
    before = _rule(entry.name, record) if record else None
    if rule == before:
        merged.unchanged.append(rule)
        return
    domains.set(entry.name, RECORD_TYPE, properties)
    if record is None:
        merged.added.append(rule)
    else:
        merged.changed.append(Changed(before, rule))


def _rule(key: str, record: Record) -> Rule | None:
    try:
        return rules.from_record(key, record.properties)[0]
    except InvalidInput:
        return None


def _local(entry: Entry) -> Message:
    return Message('"{name}" is a local domain of this server.', name=names.to_unicode(entry.name))


def _no_rule(entry: Entry) -> Message:
    return Message(
        "{name} has a route but no rule, so its mail is not accepted here. To make the rule: mxbackup add {name}",
        name=names.to_unicode(entry.name),
    )


def _contradiction(first: Entry) -> Message:
    return Message("Line {line} says something else of this name.", line=first.line)
