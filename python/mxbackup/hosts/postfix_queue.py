# SPDX-License-Identifier: GPL-2.0-or-later
"""Postfix as the mail system that sends, whatever takes the mail in: its routes, its addresses, its queue."""

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from mxbackup.esmith import postfix
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import maincf
from mxbackup.hosts.kind import NO_ENTRIES, HostKind
from mxbackup.rules import RuleSet
from mxbackup.targets import transport

# What only the checks need is imported for them.
if TYPE_CHECKING:
    from mxbackup.lookup.interfaces import Own
    from mxbackup.queue import MailQueue
    from mxbackup.routing.verdict import MailSystem


class PostfixQueue(HostKind):
    """A host whose mail Postfix sends."""

    way_out = (transport.DOMAINS, transport.HOSTS)

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
