# SPDX-License-Identifier: GPL-2.0-or-later
"""qmail without e-smith: our block stands in the administrator's own control files, and `mxbackup apply` writes it."""

from dataclasses import replace
from pathlib import Path

from mxbackup.esmith.host import CONTROL
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.hosts.plain import POSTMASTER, Plain
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.targets import controlfile, morercpthosts, rcpthosts, registry, smtproutes
from mxbackup.targets.controlfile import FileChange
from mxbackup.targets.target import Target


class PlainQmail(Plain):
    """A host with qmail whose files the administrator writes."""

    first = rcpthosts.TARGET
    queue_services = ("qmail", "qmail-send")  # the second in "Life with qmail"
    # What the package of qpsmtpd leaves.
    qpsmtpd_signs = tuple(map(Path, ("/etc/qpsmtpd", "/usr/share/qpsmtpd", "/usr/bin/qpsmtpd-forkserver")))

    def settings(self, found: Settings) -> Settings:
        """The smart host stands in `smtproutes`."""
        return replace(found, smarthost=smtproutes.smarthost(self.host), administrator=POSTMASTER)

    def targets(self) -> list[Target]:
        """Those that stand in control files."""
        return [target for target in registry.ALL if target.path.parent == CONTROL]

    def plan(self, inventory: Inventory, known: Known = NOTHING, *, create: bool = False) -> list[FileChange]:
        """All of them. A rule that goes from one file to another stands in the new one before it leaves the old one."""
        ours = list(inventory.rules) if inventory.settings.enabled else []
        here = morercpthosts.IN_RCPTHOSTS if self.reads_more() else len(ours)
        initial = rcpthosts.made_of_local_names(self.host, create)
        accepting = [
            controlfile.change(self.host, morercpthosts.TARGET, inventory, ours[here:]),
            controlfile.change(self.host, rcpthosts.TARGET, inventory, ours[:here], initial),
        ]
        # The rules are sorted, so all that move go the same way.
        more_names = morercpthosts.names(self.host)
        if any(rule.name in more_names for rule in ours[:here]):
            accepting.reverse()
        others = [target for target in self.targets() if not target.accepts]
        return [*(controlfile.change(self.host, target, inventory, ours) for target in others), *accepting]
