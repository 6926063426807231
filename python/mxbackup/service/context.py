# SPDX-License-Identifier: GPL-2.0-or-later
"""What every verb needs: the host, its databases, the rules in them, and the event that follows a change."""

from dataclasses import replace
from pathlib import Path

from mxbackup import rules
from mxbackup.errors import HostError, InvalidInput
from mxbackup.esmith import settings
from mxbackup.esmith.database import Database
from mxbackup.esmith.host import CONTROL, Host
from mxbackup.esmith.inventory import Fault, Invalid, Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import kind_of
from mxbackup.recipients.register import Register
from mxbackup.rules import ORIGIN, RECORD_TYPE, Rule, RuleSet, localmail
from mxbackup.rules.localmail import LocalMail
from mxbackup.targets.draining import Draining
from mxbackup.targets.removals import Removals


class Context:
    """One server: its host and kind, databases, lists of recipients, what was removed and what of that drains."""

    def __init__(self, host: Host, *, ended: bool = False) -> None:
        """With `ended` MX backup counts as disabled, whatever the database says of it."""
        self.host = host
        self._ended = ended
        self.domains = host.store("domains")
        self.configuration = host.store("configuration")
        self.kind = kind_of(host)
        self.recipients = Register(host)
        self.removals = Removals(host)
        self.draining = Draining(host, self.kind.routes_written)

    @classmethod
    def below(cls, root: Path) -> "Context":
        """Return the context of the server whose paths begin at `root`."""
        return cls(Host(root))

    def rehearsed(self) -> "Context":
        """Return the context of the same server on which every verb changes nothing."""
        from mxbackup.esmith.rehearsal import Rehearsal

        return Context(Rehearsal(self.host.root), ended=self._ended)

    def require_server(self) -> None:
        """Raise HostError on a machine that holds no rules, for it is no mail server."""
        if not self.host.is_server:
            raise HostError(
                "This machine holds no rules: neither SME Server nor qmail nor Postfix is here. Run this on your "
                "server. Here you can run: mxbackup probe, mxbackup audit, and mxbackup check with a name"
            )

    def inventory(self) -> Inventory:
        """Read all rules. Raises DatabaseError; an invalid record is listed, and stops no other."""
        # Without e-smith nobody but us makes the database, with the first rule.
        domains = Database() if self.before_first_rule() else self.domains.read()
        current = self.settings(domains)
        valid: list[Rule] = []
        invalid: list[Invalid] = []
        faults: list[Fault] = []
        origins: dict[str, str] = {}
        for key, record in domains.of_type(RECORD_TYPE):
            try:
                rule, found = rules.from_record(key, record.properties)
                rules.check_local(rule, current.local)
                valid.append(rule)
                faults += (Fault(rule, reason) for reason in found)
                if origin := record.properties.get(ORIGIN):
                    origins[key] = origin
            except InvalidInput as reason:
                invalid.append(Invalid(key, reason))
        inventory = Inventory(RuleSet(valid), invalid, current, faults, origins=origins)
        return replace(inventory, draining=self.draining.rules(inventory))

    def before_first_rule(self) -> bool:
        """Whether this is a host without e-smith that no rule was made on."""
        return not self.kind.by_events and not self.domains.path.exists()

    def settings(self, domains: Database) -> Settings:
        """Return the settings beside these domains. Raises DatabaseError; without `configuration` they are defaults."""
        configuration = self.configuration.read() if self.configuration.path.exists() else Database()
        found = settings.from_databases(configuration, domains)
        if not found.postfix:
            found = replace(found, qmail=self._local_mail(found.public_addresses))
        return self.kind.settings(replace(found, enabled=False) if self._ended else found)

    def prepare(self, event: bool) -> None:
        """Make sure that a change can be recorded, and with `event` be signalled. Raises HostError."""
        self.kind.prepare(event)

    def signal(self, event: bool, name: str, *arguments: str) -> None:
        """Signal an event, with `event` and where there is e-smith. Raises HostError."""
        if event:
            self.kind.signal(name, *arguments)

    def _local_mail(self, public: frozenset[str]) -> LocalMail:
        """What qmail keeps here; the addresses are found when a route has one, for sockets are slow to load."""

        def own_addresses() -> frozenset[str]:
            from mxbackup.lookup import interfaces

            return interfaces.addresses() | public

        return replace(localmail.at(self.host.path(CONTROL)), own_addresses=own_addresses)
