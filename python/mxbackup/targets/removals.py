# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that are in force and gone from the database: removed by a command, or lost with the end of a damaged file.

What was removed is kept in the e-smith database `mxbackup_removed` until the mail files are without it. It can be lost:
then somebody has to confirm.
"""

import re
from collections.abc import Collection
from contextlib import suppress

from mxbackup.errors import DatabaseMissing, Finding, FindingKind, HostError, Severity
from mxbackup.esmith.database import Database
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.rules import Kind
from mxbackup.targets import block
from mxbackup.targets.registry import ALL

DATABASE = "mxbackup_removed"
REMOVED = "removed"
# One rule that is gone is what `db domains delete` and the event do on purpose.
FEW = 1

LOST = FindingKind(
    "rules-lost", Severity.ERROR,
    "Rules that are in force are gone from the database ({count} of {all}, the first is {first}), and no command "
    "removed them. The mail files stay as they are.",
    "If the database is damaged, restore it from a backup; if the rules are to go, run: mxbackup apply --confirm",
)  # fmt: skip


class Removals:
    """What was removed on one host, and what is gone without that."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._noted = host.store(DATABASE, lambda lines: None, disposable=True)

    def in_force(self) -> dict[str, Kind]:
        """Return the names of the rules that the mail files hold in our blocks, and how far each reaches."""
        found: dict[str, Kind] = {}
        for target, path in ((each, path) for each in ALL if each.accepts for path in (each.path, *each.copies)):
            with suppress(OSError):  # not on this host, or told elsewhere
                text = self.host.path(path).read_bytes().decode("utf-8", "surrogateescape")
                lines = block.inside(text)
                found |= dict.fromkeys(re.findall(target.accepts, lines, re.MULTILINE), Kind.HOST)
                below = found.keys() & set(re.findall(target.accepts_below, lines, re.MULTILINE))
                found |= dict.fromkeys(below, Kind.DOMAIN)
        return found

    def gone(self, inventory: Inventory) -> dict[str, Kind]:
        """Return the rules in force that are in no record of ours any more, and do not stay here."""
        recorded = {*(rule.name for rule in inventory.rules), *(record.key for record in inventory.invalid)}
        kept = recorded | inventory.settings.local.names
        return {name: kind for name, kind in self.in_force().items() if name not in kept}

    def note(self, names: Collection[str]) -> None:
        """Remember that these rules are to go, where they are in force. Raises DatabaseError."""

        def change(noted: Database) -> None:
            for name in names:
                noted.set(name, REMOVED, {})

        if names := self.in_force().keys() & names:
            self._noted.update(change)

    def lost(self, inventory: Inventory) -> frozenset[str]:
        """Return the rules in force that are gone, if they are more than half and nobody removed them.

        One alone never is, and none while MX backup is disabled: then all are to go. Raises DatabaseError.
        """
        if not inventory.settings.enabled:
            return frozenset()
        gone = frozenset(self.gone(inventory))
        if len(gone) > FEW:
            gone -= self._names()
        return gone if len(gone) > FEW and 2 * len(gone) > len(self.in_force()) else frozenset()

    def refuse_loss(self, inventory: Inventory) -> None:
        """Raise HostError when rules are lost."""
        for finding in self.findings(inventory):
            raise HostError("{finding}", finding=finding)

    def findings(self, inventory: Inventory) -> list[Finding]:
        """Return an error when rules are lost. Raises DatabaseError."""
        if not (lost := self.lost(inventory)):
            return []
        path = self.host.database("domains")
        return [LOST.found(path, count=len(lost), all=len(self.in_force()), first=min(lost))]

    def settle(self, inventory: Inventory) -> None:
        """Forget what is out of force, or recorded again. Raises DatabaseError."""
        noted = self._names()
        if not noted:
            return
        done = noted - self.in_force().keys() | noted.intersection(rule.name for rule in inventory.rules)

        def change(database: Database) -> None:
            for name in done:
                database.delete(name)

        if done:
            self._noted.update(change)

    def _names(self) -> frozenset[str]:
        try:
            return frozenset(name for name, _ in self._noted.read().of_type(REMOVED))
        except DatabaseMissing:
            return frozenset()
