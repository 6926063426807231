# SPDX-License-Identifier: GPL-2.0-or-later
"""Postfix as the mail system that sends, whatever takes the mail in: its routes, its addresses, its queue."""

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from mxbackup.esmith import postfix
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import maincf
from mxbackup.hosts.kind import NO_ENTRIES, HostKind
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import RuleSet
from mxbackup.targets import controlfile, transport
from mxbackup.targets.controlfile import FileChange
from mxbackup.targets.postfixtable import DIRECTORY
from mxbackup.targets.target import Target

# What only the checks need is imported for them.
if TYPE_CHECKING:
    from mxbackup.lookup.interfaces import Own
    from mxbackup.queue import MailQueue
    from mxbackup.routing.verdict import MailSystem


class SendsByPostfix(HostKind):
    """A host whose mail Postfix sends."""

    way_out = (transport.DOMAINS, transport.HOSTS)

    def table_changes(
        self, targets: Sequence[Target], inventory: Inventory, known: Known = NOTHING
    ) -> list[FileChange]:
        """Return these tables of ours as they are and should be; none before the first rule.

        Empty ones too, for one that main.cf names has to be there. Raises RenderError, HostError.
        """
        if not inventory.rules and not self.host.path(DIRECTORY).exists():
            return []
        rules = inventory.rules if inventory.settings.enabled else ()
        return [controlfile.change(self.host, target, inventory, rules, initial="", known=known) for target in targets]

    def mail_systems(self) -> "tuple[MailSystem, ...]":
        """Postfix, as main.cf has it."""
        from mxbackup.hosts import sending

        return (sending.system(self.host),)

    def routes(self, before: Container[str] = (), after: Mapping[str, str] = NO_ENTRIES) -> Mapping[str, str]:
        """Whatever transport_maps names."""
        from mxbackup.hosts import sending

        return sending.TransportMaps(self.host, before, after)

    def routes_meant(self, rules: RuleSet, settings: Settings) -> dict[str, str]:
        """Those of our two tables."""
        from mxbackup.hosts import sending

        return sending.routes_meant(rules, settings)

    def own_addresses(self) -> "Own":
        """As main.cf has them."""
        from mxbackup.hosts import sending

        return sending.own_addresses(self.host)

    def routes_written(self) -> dict[str, str]:
        """Those of our two tables."""
        return transport.written(self.host)

    @property
    def queue(self) -> "MailQueue":
        """As Postfix tells of it."""
        from mxbackup.queue.postfix import PostfixMailQueue

        return PostfixMailQueue(self.host, self._local_names)

    def _local_names(self) -> frozenset[str]:
        return maincf.local_names(postfix.parameters(self.host, *maincf.LOCAL))
