# SPDX-License-Identifier: GPL-2.0-or-later
"""What the primaries said of recipients, what is still to be asked, and where: one SQLite file, safe to delete.

The file is in write-ahead logging. One that is damaged is begun anew; all it held is asked again.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from mxbackup.errors import HostError
from mxbackup.policies import BAD_LIFE, GOOD_LIFE, Answer, Known, Primary

FILE = Path("/var/lib/mxbackup/recipients.sqlite")
MOST_ANSWERS = 100_000
MOST_QUESTIONS = 5_000
QUESTION_LIFE = 7 * 86400  # seconds
RENEWAL = 7 * 86400  # seconds before its end that a good answer is asked for again

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (address TEXT PRIMARY KEY, good INTEGER NOT NULL, asked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS questions (address TEXT PRIMARY KEY, since INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS primaries (
    key TEXT PRIMARY KEY, target TEXT NOT NULL, accepts_all INTEGER NOT NULL, tested INTEGER NOT NULL
);
"""
_ASK = "INSERT OR IGNORE INTO questions SELECT ?, ? WHERE (SELECT count(*) FROM questions) < ?"
_ANSWER = """
INSERT INTO answers VALUES (?1, ?2, ?3)
ON CONFLICT (address) DO UPDATE SET good = ?2, asked = ?3
WHERE asked <= ?3 AND (?2 OR ?4 OR NOT good OR asked + ?5 <= ?3)
"""
_TOO_MANY = """
DELETE FROM answers WHERE address IN (SELECT address FROM answers ORDER BY good DESC, asked DESC LIMIT -1 OFFSET ?)
"""


class Memory:
    """The open file. Times are in seconds since 1970. Every change is lasting when its method returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def answer(self, answers: Iterable[Answer], *, surely: bool = False) -> None:
        """Keep what primaries said; it settles the questions.

        What was said later stands, and so does a good answer that counts, unless the other is given `surely`.
        """
        with self._db:
            for one in answers:
                self._db.execute(_ANSWER, (*one, surely, GOOD_LIFE))
                self._db.execute("DELETE FROM questions WHERE address = ?", (one.address,))

    def ask(self, addresses: Iterable[str], now: int) -> None:
        """Keep questions, as long as there is room."""
        with self._db:
            for address in addresses:
                self._db.execute(_ASK, (address, now, MOST_QUESTIONS))

    def drop(self, address: str) -> None:
        """Drop a question."""
        with self._db:
            self._db.execute("DELETE FROM questions WHERE address = ?", (address,))

    def forget_answers(self, addresses: Iterable[str]) -> None:
        """Drop what was said of these addresses."""
        with self._db:
            self._db.executemany("DELETE FROM answers WHERE address = ?", [(address,) for address in addresses])

    def due(self, now: int) -> list[str]:
        """Return the addresses to be asked about: the questions, oldest first, then good answers near their end."""
        ageing = "SELECT address FROM answers WHERE good AND asked <= ? ORDER BY asked"
        rows = [
            *self._db.execute("SELECT address FROM questions ORDER BY since, address"),
            *self._db.execute(ageing, (now - GOOD_LIFE + RENEWAL,)),
        ]
        return [address for (address,) in rows]

    def set_primary(self, key: str, primary: Primary, tested: int) -> None:
        """Keep where the primary with this `primary_key` is, and when it was last asked about nobody."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO primaries VALUES (?, ?, ?, ?)", (key, *primary, tested))

    def primaries(self) -> dict[str, tuple[Primary, int]]:
        """Return the primaries by `primary_key`, and when each was last asked about nobody."""
        rows = self._db.execute("SELECT key, target, accepts_all, tested FROM primaries")
        return {key: (Primary(target, bool(all_)), tested) for key, target, all_, tested in rows}

    def forget(self, now: int, keys: Iterable[str]) -> None:
        """Drop what no longer counts, what is too much, and other primaries than these."""
        kept = set(keys)
        with self._db:
            self._db.execute("DELETE FROM questions WHERE since <= ?", (now - QUESTION_LIFE,))
            self._db.execute(
                "DELETE FROM answers WHERE asked <= ? - CASE WHEN good THEN ? ELSE ? END", (now, GOOD_LIFE, BAD_LIFE)
            )
            self._db.execute(_TOO_MANY, (MOST_ANSWERS,))
            for key in self.primaries().keys() - kept:
                self._db.execute("DELETE FROM primaries WHERE key = ?", (key,))

    def known(self, lists: Mapping[str, frozenset[str]]) -> Known:
        """Return all that is known of recipients, with these lists."""
        answers = self._db.execute("SELECT address, good, asked FROM answers ORDER BY address")
        return Known(
            lists,
            {key: primary for key, (primary, _) in self.primaries().items()},
            [Answer(address, bool(good), asked) for address, good, asked in answers],
        )


@contextmanager
def opened(path: Path) -> Iterator[Memory]:
    """Open the file, made if missing, begun anew if damaged. Raises HostError when that cannot be."""
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
    """Return all that is known of recipients; of a file that is missing or damaged, nothing. Changes nothing."""
    if not path.exists():
        return Known(lists)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return Memory(connection).known(lists)
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
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError


def _unusable(path: Path, error: Exception) -> HostError:
    return HostError("{path} cannot be used: {reason}.", path=path, reason=error)
