# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules out of force whose mail still waits: their entries in `smtproutes` stay until the queue holds nothing for them.

They are known from these places. What a command removes is noted, whole, in an e-smith database of our own: a record in
`domains` would keep its name from becoming a local domain, and its pseudonyms accepted. What goes otherwise (MX backup
disabled, a record deleted by hand or no longer valid, a domain rule made a host rule) is in our block of `smtproutes`,
which loses no entry before `service.draining` finds that nothing waits. What has no entry there is in the files that
accept mail until the event takes it out of them: `leaving`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from mxbackup import rules
from mxbackup.errors import DatabaseMissing, InvalidInput, QueueError
from mxbackup.esmith.database import Database
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.rules import Kind, Rule, RuleSet, SmartHostUse

DATABASE = "mxbackup_draining"
DRAINING = "draining"


@dataclass(frozen=True)
class Waiting:
    """How many messages wait, or why that cannot be told: then they may."""

    messages: int = 0
    trouble: QueueError | None = None

    def __bool__(self) -> bool:
        return self.messages > 0 or self.trouble is not None


NOTHING = Waiting()


class Draining:
    """What was removed or disabled on one host, and may have mail that waits."""

    def __init__(self, host: Host, written: Callable[[], Mapping[str, str]]) -> None:
        """`written` returns the entries of ours that say where mail goes: relay by key."""
        self.written = written
        self._noted = host.store(DATABASE)

    def rules(self, inventory: Inventory) -> RuleSet:
        """Return the rules out of force whose way out stays, beside those in force. Raises DatabaseError.

        Not those whose mail a rule in force decides about by now, or this server keeps; none where no routes count.
        """
        if not inventory.settings.routes:
            return RuleSet()
        in_force = inventory.rules if inventory.settings.enabled else RuleSet()
        removed = (rule for rule in self._removed() if not in_force.nearest(rule.name))
        found = [*self._left(inventory.rules, in_force), *removed]
        return RuleSet(rule for rule in found if inventory.settings.local.delivers(rule.name) is None)

    def leaving(self, inventory: Inventory, gone: Mapping[str, Kind]) -> RuleSet:
        """Return the draining rules, and those that are gone from the database and not from the mail files yet."""
        if not inventory.settings.routes:
            return inventory.draining
        in_force = inventory.rules if inventory.settings.enabled else RuleSet()
        # Without an entry their mail goes to the smart host, if there is one.
        way = SmartHostUse.USE if inventory.settings.smarthost else SmartHostUse.BYPASS
        found = []
        for name, kind in gone.items():
            if not in_force.nearest(name) and inventory.settings.local.delivers(name) is None:
                with suppress(InvalidInput):  # not written by us
                    found.append(rules.make(name, kind=kind, smarthost=way))
        return RuleSet([*found, *inventory.draining]) if found else inventory.draining

    def note(self, *removed: Rule) -> None:
        """Remember rules that are removed while mail waits for them. Raises DatabaseError."""

        def change(noted: Database) -> None:
            for rule in removed:
                noted.delete(rule.name)
                noted.set(rule.name, DRAINING, rules.to_properties(rule))

        if removed:
            self._noted.update(change)

    def forget(self, ended: Collection[str]) -> None:
        """Forget rules that were noted. Raises DatabaseError."""

        def change(noted: Database) -> None:
            for name in ended:
                noted.delete(name)

        if self._noted.path.exists():
            self._noted.update(change)

    def noted(self) -> frozenset[str]:
        """Return the names of the rules that are noted. Raises DatabaseError."""
        return frozenset(rule.name for rule in self._removed())

    def _removed(self) -> Iterator[Rule]:
        try:
            records = list(self._noted.read().of_type(DRAINING))
        except DatabaseMissing:
            return
        for key, record in records:
            with suppress(InvalidInput):  # edited by hand; what the block has of it counts
                yield rules.from_record(key, record.properties)[0]

    def _left(self, recorded: RuleSet, in_force: RuleSet) -> Iterator[Rule]:
        """Yield the rules that our block of smtproutes holds and that are not in force, or not as far as there."""
        written = self.written()
        for rule in in_force:
            if rule.kind == Kind.HOST and f".{rule.name}" in written and not in_force.covering(rule.name):
                yield replace(rule, kind=Kind.DOMAIN)
        for key in written.keys() - in_force.names():
            if not key.startswith(".") and not in_force.covering(key):
                kind = Kind.DOMAIN if f".{key}" in written else Kind.HOST
                with suppress(InvalidInput):  # not written by us
                    yield recorded.get(key) or rules.make(key, kind=kind, route=written[key])
