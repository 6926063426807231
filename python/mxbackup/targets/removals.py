# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that are in force and gone from the database: removed by a command, or lost with the end of a damaged file.

What was removed is kept in the e-smith database `mxbackup_removed` until the mail files are without it. It can be lost:
then somebody has to confirm.
"""

import re
from collections.abc import Collection
from contextlib import suppress

from mxbackup.errors import DatabaseMissing, Finding, FindingKind, HostError, Severity
from mxbackup.esmith.database import Database, Store
from mxbackup.esmith.expansion import END
from mxbackup.esmith.host import MORERCPTHOSTS, Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.rules import Kind
from mxbackup.targets.render import BEGIN, TARGETS

DATABASE = "mxbackup_removed"
REMOVED = "removed"
ACCEPTING = (TARGETS["rcpthosts"].path, MORERCPTHOSTS, TARGETS["smtpd_check_rules"].path)
# One rule that is gone is what `db domains delete` and the event do on purpose.
FEW = 1

LOST = FindingKind(
    "rules-lost", Severity.ERROR,
    "Rules that are in force are gone from the database ({count} of {all}, the first is {first}), and no command "
    "removed them. The mail files stay as they are.",
    "If the database is damaged, restore it from a backup; if the rules are to go, run: mxbackup apply --confirm",
)  # fmt: skip

_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n(.*?)^{re.escape(END)}$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"^([a-z0-9][^\s:]*)$|\*@(\S+)$", re.MULTILINE)
_BELOW = re.compile(r"^\.(\S+)$|\*\.(\S+) ", re.MULTILINE)


class Removals:
    """What was removed on one host, and what is gone without that."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._noted = Store(host.database(DATABASE), lambda lines: None, disposable=True)

    def in_force(self) -> dict[str, Kind]:
        """Return the names of the rules that the mail files hold in our blocks, and how far each reaches."""
        found: dict[str, Kind] = {}
        for path in ACCEPTING:
            with suppress(OSError):  # not on this host, or told elsewhere
                text = self.host.path(path).read_bytes().decode("utf-8", "surrogateescape")
                for block in _BLOCK.findall(text):
                    found |= dict.fromkeys(_matches(_NAME, block), Kind.HOST)
                    found |= dict.fromkeys(found.keys() & set(_matches(_BELOW, block)), Kind.DOMAIN)
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


def _matches(pattern: re.Pattern[str], block: str) -> list[str]:
    return [name or other for name, other in pattern.findall(block)]
