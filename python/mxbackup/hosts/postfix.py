# SPDX-License-Identifier: GPL-2.0-or-later
"""Postfix without e-smith: the rules stand in tables of our own, which main.cf has to name.

`mxbackup apply` writes and compiles them. It changes main.cf only when that is asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mxbackup.errors import Finding, Message
from mxbackup.esmith import postfix
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.postfix import SettingChange
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import maincf
from mxbackup.hosts.plain import POSTMASTER, Plain
from mxbackup.hosts.postfix_sends import SendsByPostfix
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import RuleSet
from mxbackup.targets import registry, relay_domains
from mxbackup.targets.controlfile import FileChange
from mxbackup.targets.target import Target


class PlainPostfix(SendsByPostfix, Plain):
    """A host with Postfix whose main.cf the administrator writes."""

    first = relay_domains.DOMAINS
    qpsmtpd_signs = ()

    def settings(self, found: Settings) -> Settings:
        """The smart host is relayhost, as main.cf has it; what is local is what Postfix delivers itself."""
        values = postfix.parameters(self.host, "relayhost", *maincf.LOCAL)
        local = replace(found.qmail, names=maincf.local_names(values))
        return replace(found, smarthost=values["relayhost"], qmail=local, administrator=POSTMASTER)

    def names(self, settings: Settings) -> list[str]:
        """The one that it greets with."""
        return [postfix.parameters(self.host, "myhostname")["myhostname"]]

    def targets(self) -> list[Target]:
        """Our tables."""
        return list(registry.POSTFIX)

    def plan(self, inventory: Inventory, known: Known = NOTHING, *, create: bool = False) -> list[FileChange]:
        """All of them."""
        return self.table_changes(self.targets(), inventory, known)

    def carry_out(self, changes: Sequence[FileChange]) -> None:
        """Postfix would notice within seconds, and remember for more what it found: nobody is to wait for that."""
        super().carry_out(changes)
        if any(change.pending or change.stale for change in changes):
            postfix.reload(self.host)

    def findings(self, rules: RuleSet) -> list[Finding]:
        """What main.cf lacks, and what it accepts besides the rules."""
        return maincf.findings(self.host, rules)

    def settings_to_change(self, rules: RuleSet) -> list[SettingChange]:
        """What main.cf lacks."""
        return maincf.changes(self.host, rules)

    def configure(self, changes: Iterable[SettingChange]) -> None:
        """Change main.cf, and have it read again."""
        if values := {change.name: change.after for change in changes}:
            postfix.set_parameters(self.host, values)
            postfix.reload(self.host)

    def stated_public(self, settings: Settings) -> frozenset[str]:
        """Those of proxy_interfaces too."""
        more = self.own_addresses().more
        return settings.public_addresses | {str(network.network_address) for network in more}

    def state_public(self, addresses: Sequence[str]) -> bool:
        """It has to know them by itself, or mail goes in circles while a primary is away."""
        self.configure([SettingChange("proxy_interfaces", "", " ".join(addresses))])
        return True

    def relies_on(self) -> Message | None:
        """Mail is put off where main.cf names a table that is not there."""
        return maincf.still_named(self.host)

    def tells_recipients_apart(self) -> bool:
        """Postfix always can."""
        return True

    def learns_itself(self) -> bool:
        """By address verification, see verify(8)."""
        return True
