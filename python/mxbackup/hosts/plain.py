# SPDX-License-Identifier: GPL-2.0-or-later
"""A server without e-smith: there are no events, and `mxbackup apply` writes what `plan` says."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from mxbackup.esmith.inventory import Inventory
from mxbackup.hosts.kind import HostKind, statuses_of
from mxbackup.recipients.policies import Known
from mxbackup.targets.target import Target, TargetStatus

# Who has a mailbox on every server that takes mail (RFC 5321 section 4.5.1); admin is e-smith's.
POSTMASTER = "postmaster"


class Plain(HostKind):
    """What is the same whatever the mail system is. `first` is the target that is told of when `plan` fails."""

    command = "mxbackup apply"
    by_events = False
    first: ClassVar[Target]

    def prepare(self, event: bool) -> None:
        """Nobody else makes the directory of the databases."""
        self.host.make_database_directory()

    def signal(self, event: str, *arguments: str) -> None:
        """There are no events."""

    def expand(self, targets: Sequence[Target], read: Callable[[], tuple[Inventory, Known]]) -> Inventory:
        """In the order of `plan`."""
        with self.host.expansion_lock():
            inventory, known = read()
            self.carry_out([change for change in self.plan(inventory, known) if change.target in targets])
        return inventory

    def status(self, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Of what `plan` tells."""
        return statuses_of(self.host, self.first, lambda: self.plan(inventory, known))
