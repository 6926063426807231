# SPDX-License-Identifier: GPL-2.0-or-later
"""What the primaries said of recipients, what is still to be asked, and where: one SQLite file, safe to delete.

The file is in write-ahead logging. One that is damaged, or of another version, is begun anew; all it held is asked
again. No time in the future counts: a clock that was wrong leaves nothing in force.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from mxbackup.errors import HostError
from mxbackup.recipients.policies import BAD_LIFE, GOOD_LIFE, Answer, Known, Primary

FILE = Path("/var/lib/mxbackup/recipients.sqlite")
VERSION = 2  # of the tables
MOST_ANSWERS = 100_000
MOST_QUESTIONS = 50_000
QUESTION_LIFE = 7 * 86400  # seconds since somebody last wrote to the address
CONTACT_LIFE = 7 * 86400  # seconds since a primary was last asked
TEST_EVERY = 86400  # seconds between two questions about nobody to one primary
RENEWAL = 7 * 86400  # seconds before its end that a good answer is asked for again
RENEWED = 2  # a good answer that ends is as urgent as an address that was written to so many times
FIRST_PAUSE = 240  # seconds; cron runs every 300, so the next run asks
LONGEST_PAUSE = 4 * 3600  # seconds

_TABLES = f"""
CREATE TABLE IF NOT EXISTS answers (address TEXT PRIMARY KEY, good INTEGER NOT NULL, asked INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS hosts ON answers (substr(address, instr(address, '@')));
CREATE TABLE IF NOT EXISTS questions (
    address TEXT PRIMARY KEY, rule TEXT NOT NULL, wanted INTEGER NOT NULL, noted INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS primaries (
    key TEXT PRIMARY KEY, target TEXT NOT NULL, accepts_all INTEGER NOT NULL, due INTEGER NOT NULL,
    tries INTEGER NOT NULL, served INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS contacts (target TEXT PRIMARY KEY, tries INTEGER NOT NULL, asked INTEGER NOT NULL);
PRAGMA user_version = {VERSION};
"""
_ANSWER = """
INSERT INTO answers VALUES (?1, ?2, ?3) ON CONFLICT (address) DO UPDATE SET good = ?2, asked = ?3 WHERE asked <= ?3
"""
_ASK = """
INSERT INTO questions (address, rule, wanted, noted, due) VALUES (?1, ?2, 1, ?3, ?3)
ON CONFLICT (address) DO UPDATE SET rule = ?2, wanted = wanted + 1, noted = ?3
"""
_RENEW = "INSERT OR IGNORE INTO questions (address, rule, wanted, noted, due) VALUES (?1, ?2, ?4, ?3, ?3)"
_PUT_OFF = "UPDATE questions SET tries = ?1, due = ?2 WHERE address = ?3"
_CONTROL = """
SELECT address FROM answers
WHERE substr(address, instr(address, '@')) = ?1 AND good AND asked > ?2 AND asked <= ?3 AND address NOT IN (?4, ?5, ?6)
ORDER BY random() LIMIT 1
"""
_MEET = """
INSERT INTO primaries (key, target, accepts_all, due, tries) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET target = ?2, accepts_all = ?3, due = ?4, tries = ?5
"""
_TOO_MANY = """
DELETE FROM answers WHERE address IN (SELECT address FROM answers ORDER BY good DESC, asked DESC LIMIT -1 OFFSET ?)
"""
# Of each rule stay the addresses that were written to last, and no rule loses any to one that has more.
_TOO_MANY_QUESTIONS = """
DELETE FROM questions WHERE address IN (
    SELECT address FROM (
        SELECT address, row_number() OVER (PARTITION BY rule ORDER BY noted DESC, wanted DESC, address) AS place
        FROM questions
    ) ORDER BY place LIMIT -1 OFFSET ?
)
"""
_NO_FUTURE = (
    "DELETE FROM answers WHERE asked > :now",
    "UPDATE questions SET noted = :now WHERE noted > :now",
    "UPDATE questions SET due = :now WHERE due > :now + :pause",
    "UPDATE primaries SET due = :now WHERE due > :now + :test",
    "UPDATE primaries SET served = 0 WHERE served > :now",
    "DELETE FROM contacts WHERE asked > :now",
)


class Met(NamedTuple):
    """What is known of a rule's primary: when to ask it about nobody, how often in vain, when the rule had a turn."""

    primary: Primary
    due: int = 0
    tries: int = 0
    served: int = 0


class Contact(NamedTuple):
    """How often in a row a primary was silent, and when it was last asked."""

    tries: int
    asked: int

    @property
    def until(self) -> int:
        """When it may be asked again."""
        return self.asked + pause(self.tries)


def pause(tries: int) -> int:
    """Return the seconds to wait after so many questions in vain: twice as long each time, up to some hours."""
    return min(FIRST_PAUSE << min(tries - 1, 16), LONGEST_PAUSE) if tries > 0 else 0


class Memory:
    """The open file. Times are in seconds since 1970. Every change is lasting when its method returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def correct(self, now: int) -> None:
        """Let no time in the future count."""
        with self._db:
            for statement in _NO_FUTURE:
                self._db.execute(statement, {"now": now, "pause": LONGEST_PAUSE, "test": TEST_EVERY})

    def answer(self, answers: Iterable[Answer]) -> None:
        """Keep what primaries said, unless something later is known; it settles the questions."""
        with self._db:
            for one in answers:
                self._db.execute(_ANSWER, one)
                self._db.execute("DELETE FROM questions WHERE address = ?", (one.address,))

    def ask(self, addresses: Iterable[tuple[str, str]], now: int) -> None:
        """Keep questions: addresses, and the rules that decide about them. Each time makes one more urgent."""
        with self._db:
            self._db.executemany(_ASK, ((address, rule, now) for address, rule in addresses))
            self._db.execute(_TOO_MANY_QUESTIONS, (MOST_QUESTIONS,))

    def renew(self, addresses: Iterable[tuple[str, str]], now: int) -> None:
        """Ask anew about addresses that are good."""
        with self._db:
            self._db.executemany(_RENEW, ((address, rule, now, RENEWED) for address, rule in addresses))

    def put_off(self, address: str, now: int) -> None:
        """Keep for later a question that was asked in vain, each time for longer."""
        row = self._db.execute("SELECT tries FROM questions WHERE address = ?", (address,)).fetchone()
        tries = row[0] + 1 if row else 1
        with self._db:
            self._db.execute(_PUT_OFF, (tries, now + pause(tries), address))

    def drop(self, addresses: Iterable[str]) -> None:
        """Drop questions."""
        with self._db:
            self._db.executemany("DELETE FROM questions WHERE address = ?", [(address,) for address in addresses])

    def forget_answers(self, addresses: Iterable[str]) -> None:
        """Drop what was said of these addresses."""
        with self._db:
            self._db.executemany("DELETE FROM answers WHERE address = ?", [(address,) for address in addresses])

    def due(self, now: int) -> list[str]:
        """Return the addresses to be asked about now: those most written to first, and of them, what waited longest.

        Whoever floods us with names writes to each seldom; who has mail for somebody tries again.
        """
        ordered = "SELECT address FROM questions WHERE due <= ? ORDER BY wanted DESC, due, address"
        return [address for (address,) in self._db.execute(ordered, (now,))]

    def waiting(self) -> int:
        """Return the number of questions."""
        (count,) = self._db.execute("SELECT count(*) FROM questions").fetchone()
        return int(count)

    def ageing(self, now: int) -> list[str]:
        """Return the addresses whose good answers end soon."""
        ageing = "SELECT address FROM answers WHERE good AND asked <= ? ORDER BY asked, address"
        return [address for (address,) in self._db.execute(ageing, (now - GOOD_LIFE + RENEWAL,))]

    def control(self, address: str, now: int) -> str:
        """Return another address of the same host that is known to be good, or "" for none.

        Never one that everybody may write to: such are accepted also from a client that is blocked.
        """
        host = address[address.index("@") :]
        exempt = (address, f"postmaster{host}", f"abuse{host}")
        row = self._db.execute(_CONTROL, (host, now - GOOD_LIFE, now, *exempt)).fetchone()
        return str(row[0]) if row else ""

    def set_primary(self, key: str, primary: Primary, due: int, tries: int = 0) -> None:
        """Keep where the primary with this `primary_key` is, and when to ask it about nobody."""
        with self._db:
            self._db.execute(_MEET, (key, *primary, due, tries))

    def primaries(self) -> dict[str, Met]:
        """Return what is known of the primaries, by `primary_key`."""
        rows = self._db.execute("SELECT key, target, accepts_all, due, tries, served FROM primaries")
        return {key: Met(Primary(target, bool(all_)), *rest) for key, target, all_, *rest in rows}

    def serve(self, turns: Mapping[str, int]) -> None:
        """Keep when rules had a turn, by `primary_key`."""
        with self._db:
            self._db.executemany("UPDATE primaries SET served = ?2 WHERE key = ?1", turns.items())

    def contacts(self) -> dict[str, Contact]:
        """Return how primaries took questions, by `address:port`."""
        return {target: Contact(*rest) for target, *rest in self._db.execute("SELECT * FROM contacts")}

    def set_contact(self, target: str, contact: Contact) -> None:
        """Keep how a primary took a question."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO contacts VALUES (?, ?, ?)", (target, *contact))

    def forget(self, now: int, keys: Iterable[str]) -> None:
        """Drop what no longer counts, what is too much, and other primaries than these."""
        kept = set(keys)
        with self._db:
            self._db.execute("DELETE FROM questions WHERE noted <= ?", (now - QUESTION_LIFE,))
            self._db.execute("DELETE FROM contacts WHERE asked <= ?", (now - CONTACT_LIFE,))
            self._db.execute(
                "DELETE FROM answers WHERE asked <= ? - CASE WHEN good THEN ? ELSE ? END", (now, GOOD_LIFE, BAD_LIFE)
            )
            self._db.execute(_TOO_MANY, (MOST_ANSWERS,))
            for key in self.primaries().keys() - kept:
                self._db.execute("DELETE FROM primaries WHERE key = ?", (key,))

    def known(self, lists: Mapping[str, frozenset[str]], now: int | None = None) -> Known:
        """Return all that is known of recipients, with these lists, but for answers of a time to come."""
        before = int(time.time()) if now is None else now
        answers = "SELECT address, good, asked FROM answers WHERE asked <= ? ORDER BY address"
        return Known(
            lists,
            {key: met.primary for key, met in self.primaries().items()},
            [Answer(address, bool(good), asked) for address, good, asked in self._db.execute(answers, (before,))],
        )


@contextmanager
def opened(path: Path) -> Iterator[Memory]:
    """Open the file, made if missing, begun anew if damaged or of another version. Raises HostError."""
    try:
        connection = _open(path)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    with closing(connection):
        try:
            yield Memory(connection)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error


def known(path: Path, lists: Mapping[str, frozenset[str]]) -> Known:
    """Return all that is known of recipients; of a file that cannot be used, nothing. Changes nothing."""
    if not path.exists():
        return Known(lists)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return Memory(connection).known(lists) if _version(connection) == VERSION else Known(lists)
    except sqlite3.Error:
        return Known(lists)


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(path)
    except sqlite3.OperationalError:  # locked, or not to be opened: the file itself may be well
        raise
    except sqlite3.DatabaseError:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    try:
        os.chmod(path, 0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        _check(connection)
        connection.executescript(_TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise DatabaseError for a file to be begun anew; a new one has version 0 and no tables."""
    tables = connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",) or (
        tables and _version(connection) != VERSION
    ):
        raise sqlite3.DatabaseError


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unusable(path: Path, error: Exception) -> HostError:
    return HostError("{path} cannot be used: {reason}.", path=path, reason=error)
