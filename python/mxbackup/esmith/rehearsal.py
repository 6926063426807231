# SPDX-License-Identifier: GPL-2.0-or-later
"""A host on which a change is tried and nothing is written: what a dry run works on."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from mxbackup.errors import DatabaseMissing, Sentence
from mxbackup.esmith.database import Database, Result, Store, cannot_be_changed
from mxbackup.esmith.host import Host


class Rehearsal(Host):
    """A host whose stores keep their changes in memory; no event is signalled, and no service."""

    dry = True

    def __init__(self, root: Path = Path("/")) -> None:
        super().__init__(root)
        self._stores: dict[str, Store] = {}

    def store(self, name: str, log: Callable[[list[str]], None] | None = None, *, disposable: bool = False) -> Store:
        """The same one for the same name, so that what was changed is found again."""
        return self._stores.setdefault(name, _Kept(self.database(name), disposable=disposable, made=self.plain))

    def make_database_directory(self) -> None:
        """It would be made."""

    def signal_event(self, event: str, *arguments: str) -> None:
        """It would be signalled."""

    def _signal(self, service: str, letter: str, failed: Sentence) -> str:
        """Return what would be used first."""
        return next((label for label, _ in self._ways_to_signal(service, letter)), "")


class _Kept(Store):
    """A store whose changes stay here. `made` is whether its directory would be made if it were missing."""

    def __init__(self, path: Path, *, disposable: bool, made: bool) -> None:
        super().__init__(path, lambda lines: None, disposable=disposable)
        self._changed: Database | None = None
        self._directory = path.parent.parent if made and not path.parent.exists() else path.parent

    def read(self) -> Database:
        """Return the records as they would be."""
        return Database(dict(self._changed.raw)) if self._changed else super().read()

    def update(self, change: Callable[[Database], Result]) -> Result:
        """Apply `change`, and keep what comes of it. Raises DatabaseError where it could not be written."""
        self._refuse_unwritable()
        try:
            database = self.read()
        except DatabaseMissing:
            database = Database()
        result = change(database)
        self._changed = database
        return result

    def _refuse_unwritable(self) -> None:
        if not os.access(self._directory, os.W_OK | os.X_OK):
            code = errno.EACCES if self._directory.is_dir() else errno.ENOENT
            error = OSError(code, os.strerror(code))
            raise cannot_be_changed(self.path, error) from error
