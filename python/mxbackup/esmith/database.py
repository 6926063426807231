# SPDX-License-Identifier: GPL-2.0-or-later
"""The e-smith database file: codec, and a store that is locked and atomic.

Byte-compatible with the host's `esmith::config` and `db` command: one `key=type|Prop|value...` a line,
keys sorted bytewise, properties by name. Whatever we do not change comes through untouched.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from mxbackup.errors import DatabaseError, DatabaseMissing, InvalidRule, Sentence
from mxbackup.esmith import files

Result = TypeVar("Result")

HEADER = """\
# DO NOT MODIFY THIS FILE.
# This file is automatically maintained by the Mitel Networks SME Server
# configuration software.  Manually editing this file may put your 
# system in an unknown state.
#
# updated: {now}
"""  # noqa: W291 - the blank is in the host's text
NEW_FILE_MODE = 0o660
NEW_FILE_GROUP = "admin"
LOCK_LIMIT = 60  # seconds that another program may hold a database

_SEPARATOR = re.compile(rb"(?<!\\)\|")
_IGNORED = re.compile(rb"\s*(#|\Z)")


@dataclass(frozen=True)
class Record:
    """One record: its type (or plain value) and its properties."""

    type: str
    properties: Mapping[str, str] = field(default_factory=dict)


class Database:
    """The records of one file. Values are kept as the bytes that stand in it until they are changed."""

    def __init__(self, raw: dict[bytes, bytes] | None = None) -> None:
        self.raw = {} if raw is None else raw

    @classmethod
    def parse(cls, content: bytes) -> "Database":
        """Read the content of a file. Comments and blank lines are dropped; of equal keys the last counts."""
        raw = {}
        for line in content.split(b"\n"):
            if not _IGNORED.match(line):
                key, _, value = line.partition(b"=")
                raw[key.strip()] = value.strip()
        return cls(raw)

    def serialise(self, now: str) -> bytes:
        """Return the file's content as the host writes it, `now` being the date in its comment block."""
        lines = [b"%b=%b\n" % (key, self.raw[key]) for key in sorted(self.raw)]
        return HEADER.format(now=now).encode() + b"".join(lines)

    def __contains__(self, key: str) -> bool:
        return _encode(key) in self.raw

    def get(self, key: str) -> Record | None:
        """Return the record, or None when there is no such key."""
        value = self.raw.get(_encode(key))
        return None if value is None else _decode_record(value)

    def of_type(self, type_: str) -> Iterator[tuple[str, Record]]:
        """Yield key and record of every record of one type, in the order of the file."""
        alone, prefix = _encode(type_), _encode(type_) + b"|"
        for key, value in self.raw.items():
            if value.startswith(prefix) or value == alone:
                yield _decode(key), _decode_record(value)

    def set(self, key: str, type_: str, changes: Mapping[str, str | None]) -> None:
        """Set the record's type and the given properties, None removing one; others stay as they are.

        Raises InvalidRule naming the property that cannot be stored.
        """
        _refuse_bad_key(key)
        old = self.raw.get(_encode(key), b"")
        properties = _split(old)[1]
        for name, value in changes.items():
            if value is None:
                properties.pop(_encode(name), None)
            else:
                properties[_encode(name)] = _encode_value(name, value)
        fields = [_encode(type_)]
        for encoded in sorted(properties):
            fields += [encoded, properties[encoded]]
        self.raw[_encode(key)] = b"|".join(fields)

    def delete(self, key: str) -> bool:
        """Remove the record; False when there was none."""
        return self.raw.pop(_encode(key), None) is not None


class Store:
    """One database file at an explicit path, read without a lock and changed under the host's lock.

    `log` receives the lines that the host would send to syslog. `disposable` is a database that can be made anew:
    that it was emptied is no reason to stop.
    """

    def __init__(self, path: Path, log: Callable[[list[str]], None] | None = None, *, disposable: bool = False) -> None:
        self.path = path
        self.disposable = disposable
        self._log = log or log_to_syslog

    def read(self) -> Database:
        """Return the records. Raises DatabaseMissing or DatabaseError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise DatabaseMissing("There is no database {path}.", path=self.path) from None
        except OSError as error:
            raise _cannot("The database {path} cannot be read: {reason}.", self.path, error) from error
        if not content and not self.disposable:
            # Whoever keeps to the format writes the comments at least: this is no database without records.
            raise DatabaseError(
                "The database {path} is empty: it was damaged. Restore it from a backup.", path=self.path
            )
        if not content.endswith(b"\n") and not self.disposable:
            raise DatabaseError(
                "The last line of the database {path} has no end: the file was cut off. Restore it from a backup. "
                "If nothing is missing, end the line: echo >> {path}",
                path=self.path,
            )
        return Database.parse(content)

    def update(self, change: Callable[[Database], Result]) -> Result:
        """Apply `change` to the records as they are under the lock, write them, return its result.

        A missing file is an empty one. Nothing is written when nothing changed or `change` raises.
        `change` may be called again, on fresh records, when a program that does not keep to the lock
        wrote in between. Raises DatabaseError; the file is then as it was.
        """
        try:
            written = False
            while not written:
                # Locked anew each time: a lock whose file was unlinked keeps nobody out.
                with _locked(self.path) as still_locked:
                    stamp, database = self._read_stamped()
                    before = dict(database.raw)
                    result = change(database)
                    if database.raw == before:
                        return result
                    written = self._write(database, stamp, still_locked)
            self._log(_changes(self.path, before, database.raw))
        except TimeoutError:
            raise DatabaseError(
                "Another program has held the lock of the database {path} for {limit} seconds, so it was not changed. "
                "See who holds it: fuser {path}.lock",
                path=self.path,
                limit=LOCK_LIMIT,
            ) from None
        except OSError as error:
            raise cannot_be_changed(self.path, error) from error
        return result

    def _read_stamped(self) -> tuple[object, Database]:
        while True:
            stamp = _stamp(self.path)
            try:
                database = self.read()
            except DatabaseMissing:
                database = Database()
            if _stamp(self.path) == stamp:
                return stamp, database

    def _write(self, database: Database, stamp: object, still_locked: Callable[[], bool]) -> bool:
        """Replace the file in one step, unless someone else did meanwhile; tell whether it was done.

        The host unlinks the lock file only after unlocking it, so two programs can hold "the" lock.
        """
        return files.replace(
            self.path,
            database.serialise(time.asctime()),
            mode=NEW_FILE_MODE,
            group=NEW_FILE_GROUP,
            still=lambda: still_locked() and _stamp(self.path) == stamp,
        )


def log_to_syslog(lines: list[str]) -> None:
    """Send lines to facility local1, ASCII only, as the host does."""
    import syslog  # here and below: the module must load where there is no Unix, to probe from there

    syslog.openlog("mxbackup", syslog.LOG_PID, syslog.LOG_LOCAL1)
    for line in lines:
        syslog.syslog(syslog.LOG_INFO, re.sub(r"[^\x20-\x7e]", "_", line))
    syslog.closelog()


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _split(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    fields = _SEPARATOR.split(value)
    # A name without a value, at the end, is a property with an empty value.
    return fields[0], dict(zip(fields[1::2], [*fields[2::2], b""], strict=False))


@lru_cache
def _decode_record(value: bytes) -> Record:
    type_, properties = _split(value)
    decoded = {_decode(name): _decode(text).replace("\\n", "\n") for name, text in properties.items()}
    return Record(_decode(type_), MappingProxyType(decoded))


def _encode_value(name: str, value: str) -> bytes:
    value = value.strip()
    if "|" in value:
        raise InvalidRule(name, 'The property {property} must not hold "|".', property=name)
    if "\\n" in value or value.endswith("\\"):
        raise InvalidRule(name, 'The property {property} must not hold "\\n" nor end in a backslash.', property=name)
    try:
        return _encode(value.replace("\n", "\\n"))
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON can hold
        raise InvalidRule(name, "The property {property} holds what is no character.", property=name) from None


def _refuse_bad_key(key: str) -> None:
    if not key or key != key.strip() or re.search(r"[=\n]", key) or key.startswith("#"):
        raise InvalidRule("name", '"{key}" cannot be the key of a record.', key=key)


@contextmanager
def _locked(path: Path) -> Iterator[Callable[[], bool]]:
    """Hold the host's lock on a database file; yields a test of whether the lock file is still ours."""
    lock = path.with_name(path.name + ".lock")
    while True:
        descriptor = os.open(lock, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o660)
        try:
            files.lock(descriptor, LOCK_LIMIT)
            if not _names(lock, descriptor):
                continue
            try:
                yield partial(_names, lock, descriptor)
            finally:
                if _names(lock, descriptor):
                    lock.unlink(missing_ok=True)
            return
        finally:
            os.close(descriptor)


def _names(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _stamp(path: Path) -> object:
    """What differs when the file was replaced or rewritten."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def _changes(path: Path, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> list[str]:
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        shown = _decode(key)
        if new is None and old is not None:
            lines.append(f"{path}: DELETE {shown}={_decode(old)}")
        elif new is not None and new != old:
            lines.append(f"{path}: OLD {shown}={'(undefined)' if old is None else _decode(old)}")
            lines.append(f"{path}: NEW {shown}={_decode(new)}")
    return lines


def cannot_be_changed(path: Path, error: OSError) -> DatabaseError:
    """Return what is said of a database that the system lets nobody change, for this reason."""
    return _cannot("The database {path} cannot be changed: {reason}.", path, error)


def _cannot(template: Sentence, path: Path, error: OSError) -> DatabaseError:
    return DatabaseError(template, path=path, reason=error.strerror or str(error))
