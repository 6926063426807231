# SPDX-License-Identifier: GPL-2.0-or-later
"""qmail without e-smith: our block stands in the administrator's own control files, and `mxbackup apply` writes it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mxbackup.errors import HostError
from mxbackup.esmith.expansion import Target
from mxbackup.esmith.host import MORERCPTHOSTS
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.hosts.kind import HostKind, status_of
from mxbackup.recipients.policies import Known
from mxbackup.targets import qmailcontrol
from mxbackup.targets.qmailcontrol import FileChange
from mxbackup.targets.status import TargetStatus


class PlainQmail(HostKind):
    """A host with qmail whose files the administrator writes."""

    command = "mxbackup apply"
    by_events = False
    # What the package of qpsmtpd leaves.
    qpsmtpd_signs = tuple(map(Path, ("/etc/qpsmtpd", "/usr/share/qpsmtpd", "/usr/bin/qpsmtpd-forkserver")))

    def settings(self, found: Settings) -> Settings:
        """The smart host stands in `smtproutes`."""
        return replace(found, smarthost=qmailcontrol.smarthost(self.host))

    def prepare(self, event: bool) -> None:
        """Nobody else makes the directory of the databases."""
        self.host.make_database_directory()

    def signal(self, event: str, *arguments: str) -> None:
        """There are no events."""

    def targets(self) -> list[Target]:
        """Those that stand in control files."""
        return [Target(path.name, path) for path in (qmailcontrol.SMTPROUTES, MORERCPTHOSTS, qmailcontrol.RCPTHOSTS)]

    def plan(self, inventory: Inventory, *, create: bool = False) -> list[FileChange]:
        """All of them."""
        rules, draining = inventory.rules, inventory.draining
        more = self.reads_more()
        return qmailcontrol.plan(self.host, rules, inventory.settings, draining, more=more, create=create)

    def expand(self, targets: Sequence[Target], read: Callable[[], tuple[Inventory, Known]]) -> Inventory:
        """In the order of `plan`."""
        with self.host.expansion_lock():
            inventory, _ = read()
            wanted = {target.path for target in targets}
            qmailcontrol.carry_out(self.host, [change for change in self.plan(inventory) if change.path in wanted])
        return inventory

    def status(self, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Of what `plan` tells."""
        try:
            changes = self.plan(inventory)
        except HostError as error:
            return [TargetStatus(Target("rcpthosts", qmailcontrol.RCPTHOSTS), True, False, error)]
        return [status_of(self.host, change) for change in changes]
