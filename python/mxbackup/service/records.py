# SPDX-License-Identifier: GPL-2.0-or-later
"""The records of the domains database that the verbs read and change, and whether they may."""

import hashlib
from contextlib import suppress

from mxbackup import rules
from mxbackup.errors import ChangedMeanwhile, InvalidRule, MxBackupError, UnknownRule
from mxbackup.esmith.database import Database, Record
from mxbackup.rules import ORIGIN, RECORD_TYPE, Rule, RuleSet, names


def key_of(domains: Database, name: str) -> str:
    """Return the key of our record that `name` means: exactly as typed, or as a domain name.

    Raises UnknownRule, InvalidName.
    """
    key = name
    if key not in domains:
        key = names.parse_host(name)
    record_of(domains, key, name)
    return key


def record_of(domains: Database, key: str, asked: str) -> Record:
    """Return our record of that key. Raises UnknownRule, which names it as it was asked for."""
    record = domains.get(key)
    if record is None or record.type != RECORD_TYPE:
        raise UnknownRule('There is no rule for "{name}". See: mxbackup list', name=asked)
    return record


def rule_of(domains: Database, key: str) -> Rule:
    """Return the rule of that key. Raises UnknownRule, or InvalidInput when the record holds none."""
    return rules.from_record(key, record_of(domains, key, key).properties)[0]


def origin_of(domains: Database, key: str) -> str:
    """Return the catalog that the rule of a key is followed from; empty for one that was made here, or none."""
    record = domains.get(key)
    return record.properties.get(ORIGIN, "") if record and record.type == RECORD_TYPE else ""


def line_of(domains: Database, key: str) -> str:
    """Return the record of that key as it stands in the file."""
    return f"{key}={domains.raw[key.encode('utf-8', 'surrogateescape')].decode('utf-8', 'surrogateescape')}"


def near(domains: Database, name: str) -> RuleSet:
    """Return the valid rules for the name and for the domains it lies in."""
    found = []
    for key in (name, *names.parents(name)):
        with suppress(MxBackupError):
            found.append(rule_of(domains, key))
    return RuleSet(found)


def stamp_of(domains: Database, key: str) -> str:
    """Return what tells this record from any other."""
    return hashlib.sha256(domains.raw[key.encode("utf-8", "surrogateescape")]).hexdigest()


def refuse_stale(domains: Database, key: str, expected: str) -> None:
    """Raise ChangedMeanwhile when a stamp is expected that is not that of the record."""
    if expected and expected != stamp_of(domains, key):
        raise ChangedMeanwhile(
            '"{name}" was changed by someone else meanwhile, and nothing of yours was recorded. '
            "Look at it as it is now, and change it again if need be.",
            name=names.to_unicode(key),
        )


def refuse_taken(domains: Database, key: str) -> None:
    """Raise InvalidRule when there is a record of that key, of whatever type."""
    record = domains.get(key)
    if record is not None:
        raise InvalidRule(
            "name",
            'The domains database has a record "{name}" of type "{type}" already. Remove that one first.',
            name=key,
            type=record.type,
        )
