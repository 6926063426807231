# SPDX-License-Identifier: GPL-2.0-or-later
"""The last known state of each rule: records of the e-smith database `mxbackup_checks`.

`dupontnet.com=error|Codes|nat|Time|1078866000`
"""

import re
from dataclasses import dataclass

from mxbackup.errors import DatabaseMissing
from mxbackup.esmith.database import Database, Store

DATABASE = "mxbackup_checks"
STATES = ("fine", "warning", "error")


@dataclass(frozen=True)
class Remembered:
    """What a check found: `fine`, `warning` or `error`, the codes of the errors, when (seconds since 1970)."""

    state: str
    codes: tuple[str, ...]
    time: int


def remembered(store: Store) -> dict[str, Remembered]:
    """Return the last known states by name; none before the first check. Raises DatabaseError."""
    try:
        return read(store.read())
    except DatabaseMissing:
        return {}


def read(database: Database) -> dict[str, Remembered]:
    """Return the states that the database holds, by name."""
    states = {}
    for state in STATES:
        for name, record in database.of_type(state):
            when = record.properties.get("Time", "")
            codes = tuple(record.properties.get("Codes", "").split(",")) if record.properties.get("Codes") else ()
            states[name] = Remembered(state, codes, int(when) if re.fullmatch("[0-9]{1,15}", when) else 0)
    return states
