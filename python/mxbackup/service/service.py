# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user does with rules: the verbs behind the command, the panel and the event actions."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup import rules
from mxbackup.errors import (
    ChangedMeanwhile,
    DatabaseMissing,
    HostError,
    InvalidInput,
    InvalidRule,
    MxBackupError,
    UnknownRule,
)
from mxbackup.esmith import settings
from mxbackup.esmith.database import Database, Record, Store
from mxbackup.esmith.host import CONTROL, Host
from mxbackup.esmith.inventory import Fault, Invalid, Inventory
from mxbackup.esmith.settings import SERVICE_KEY, Settings
from mxbackup.recipients.policies import Known
from mxbackup.recipients.register import Knowledge, Register, knowledge
from mxbackup.rules import RECORD_TYPE, Recipients, Rule, localmail, names
from mxbackup.rules.localmail import LocalMail
from mxbackup.service.outcomes import CarriedOver, Change, Expansion, Removal, Status
from mxbackup.targets import render
from mxbackup.targets.mailfiles import MailFiles
from mxbackup.targets.removals import Removals

# Templates and events call this module at each change: what only some verbs need is imported by them.
if TYPE_CHECKING:
    from mxbackup.recipients.learning import Learned
    from mxbackup.targets.lint import Finding
    from mxbackup.targets.qmailcontrol import FileChange
    from mxbackup.transfer.entries import Entry
    from mxbackup.transfer.merging import Merged


class Service:
    """The verbs. `host` is asked to signal an event after each change, unless `event` is False."""

    def __init__(self, domains: Store, configuration: Store, host: Host) -> None:
        self.domains = domains
        self.configuration = configuration
        self.host = host
        self.files = MailFiles(host)
        self.recipients = Register(host)
        self.removals = Removals(host)

    @classmethod
    def below(cls, root: Path) -> "Service":
        """Return the service of the host whose paths begin at `root`."""
        host = Host(root)
        return cls(Store(host.database("domains")), Store(host.database("configuration")), host)

    def inventory(self) -> Inventory:
        """Read all rules. Raises DatabaseError; an invalid record is listed, and stops no other."""
        domains = self._domains()
        current = self._settings(domains)
        valid: list[Rule] = []
        invalid: list[Invalid] = []
        faults: list[Fault] = []
        for key, record in domains.of_type(RECORD_TYPE):
            try:
                rule, found = rules.from_record(key, record.properties)
                rules.check_local(rule, current.local)
                valid.append(rule)
                faults += (Fault(rule, reason) for reason in found)
            except InvalidInput as reason:
                invalid.append(Invalid(key, reason))
        valid.sort(key=lambda rule: names.sort_key(rule.name))
        return Inventory(valid, invalid, current, faults)

    def fragment(self, target: str) -> str:
        """Return the text of one target as it should be now. Raises DatabaseError, RenderError, HostError."""
        return self.files.fragment(target, *self._read_whole())

    def get(self, name: str) -> Rule:
        """Return one rule. Raises UnknownRule, or InvalidInput when its record holds none."""
        domains = self.domains.read()
        key = _key(domains, name)
        return _read(domains, key)

    def stamp(self, name: str) -> str:
        """Return what tells the record as it stands from any other, to be given back as `expected`.

        Raises UnknownRule.
        """
        domains = self.domains.read()
        return _stamp(domains, _key(domains, name))

    def add(self, rule: Rule, *, event: bool = True) -> Change:
        """Record a new rule. Raises InvalidRule, DatabaseError, HostError."""

        def change(domains: Database) -> Change:
            near = list(_near(domains, rule.name))
            current = self._settings(domains)
            rules.check_new(rule, near, current.local)
            _refuse_other_record(domains, rule)
            domains.set(rule.name, RECORD_TYPE, rules.to_properties(rule))
            return Change(rule, rules.covering(rule.name, near), current)

        self._prepare(event)
        done = self.domains.update(change)
        self._signal(event, "mxbackup-create", rule.name)
        return done

    def change(
        self, name: str, properties: Mapping[str, str | None], *, expected: str = "", event: bool = True
    ) -> Change:
        """Change some properties of a rule; None removes one. Mends an invalid record if that makes it a rule.

        Raises UnknownRule, InvalidInput, DatabaseError, HostError; ChangedMeanwhile when the record is not the
        one whose stamp is `expected`.
        """

        def change(domains: Database) -> Change:
            key = _key(domains, name)
            _refuse_stale(domains, key, expected)
            rule, recorded = rules.revise(key, _record(domains, key, name).properties, properties)
            current = self._settings(domains)
            rules.check_local(rule, current.local)
            domains.set(key, RECORD_TYPE, recorded)
            return Change(rule, rules.covering(rule.name, _near(domains, rule.name)), current)

        self._prepare(event)
        done = self.domains.update(change)
        self._signal(event, "mxbackup-modify", done.rule.name)
        return done

    def remove(self, name: str, *, expected: str = "", event: bool = True) -> Removal:
        """Remove a rule, or a record that holds none. Raises UnknownRule and the like.

        Raises ChangedMeanwhile when the record is not the one whose stamp is `expected`.
        """

        def change(domains: Database) -> Removal:
            key = _key(domains, name)
            _refuse_stale(domains, key, expected)
            domains.delete(key)
            on = self._settings(domains).enabled
            return Removal(key, rules.covering(key, _near(domains, key)) if on else None)

        self._prepare(event)
        done = self.domains.update(change)
        self.removals.note([done.key])
        self._signal(event, "mxbackup-delete", done.key)
        return done

    def enable(self, on: bool, *, event: bool = True) -> None:
        """Switch MX backup on or off for all rules, which stay recorded. Raises DatabaseError, HostError."""
        status = "enabled" if on else "disabled"
        self._prepare(event)
        self.configuration.update(lambda database: database.set(SERVICE_KEY, "service", {"status": status}))
        self._signal(event, "mxbackup-update")

    def import_rules(
        self,
        entries: "Sequence[Entry]",
        *,
        event: bool = True,
        dry_run: bool = False,
        progress: Callable[[int], object] = bool,
    ) -> "Merged":
        """Make or change the rules that the entries speak of: all of them, or none when there is a problem.

        Tells what was done, or with `dry_run` what would be. Raises DatabaseError, HostError.
        """
        from mxbackup.transfer import merging

        def change(domains: Database) -> "Merged":
            trial = Database(dict(domains.raw))
            merged = merging.merge(trial, self._settings(domains).local, entries, progress)
            if not merged.problems and not dry_run:
                domains.raw.update(trial.raw)
            return merged

        if dry_run:
            return change(self.domains.read() if self.domains.path.exists() else Database())
        self._prepare(event)
        merged = self.domains.update(change)
        if not merged.problems and (merged.added or merged.changed):
            self._signal(event, "mxbackup-update")
        return merged

    def carry_over(self, *, event: bool = True) -> CarriedOver:
        """Make rules of what the contrib of 2004 to 2019 recorded, and remove what is left of it.

        What cannot be a rule stays in its record. Done a second time it changes nothing.
        Raises DatabaseError, HostError.
        """
        from mxbackup.transfer import merging
        from mxbackup.transfer.formats import oldcontrib

        old = oldcontrib.old_rules(self.configuration.read())
        reading = oldcontrib.decode(old or "")

        def change(domains: Database) -> "Merged":
            known = {key for key, _ in domains.of_type(RECORD_TYPE)}
            new = [entry for entry in reading.entries if entry.name not in known]
            return merging.merge(domains, self._settings(domains).local, new)

        self._prepare(event)
        removed = self.host.remove(oldcontrib.LEFTOVERS)
        if old is None:
            return CarriedOver([], [], removed)
        merged = self.domains.update(change)
        left = [*reading.notes, *reading.problems, *merged.notes, *merged.problems]
        rest = oldcontrib.without(old, {remark.line for remark in left})

        def forget(configuration: Database) -> None:
            if oldcontrib.old_rules(configuration) == old:
                configuration.set(SERVICE_KEY, "service", {oldcontrib.PROPERTY: rest})

        self.configuration.update(forget)
        if merged.added or removed:
            self._signal(event, "mxbackup-update")
        return CarriedOver(merged.added, left, removed)

    def status(self) -> Status:
        """Return the state of every rule and file. Raises DatabaseError."""
        from mxbackup.targets import lint, qmailcontrol, readers

        inventory, known = self._read()
        targets = self.files.status(inventory, known)
        current = inventory.settings
        found = lint.findings(lint.read(self.host), inventory.rules, current, routes=current.routes)
        found += [
            *self.removals.findings(inventory),
            *lint.of_settings(current),
            *self.plugin_faults(inventory),
            *readers.findings(self.host),
            *qmailcontrol.lone_names(self.host),
        ]
        return Status(inventory, targets, found, knowledge(inventory.rules, known))

    def plugin_faults(self, inventory: Inventory) -> "list[Finding]":
        """Return why qpsmtpd does not ask our plugin about the recipients of the rules in force, if that is so."""
        if not inventory.settings.enabled or not self.files.has_qpsmtpd():
            return []
        from mxbackup.targets import qpsmtpdplugin

        return qpsmtpdplugin.findings(self.host, inventory.rules)

    def load_plugin(self) -> str:
        """Have qpsmtpd load our plugin; return what was used to restart it, empty without it. Raises HostError."""
        from mxbackup.targets import qpsmtpdplugin

        before = qpsmtpdplugin.note(self.host)
        used = self.host.load_plugin()
        if used and self.host.live:
            qpsmtpdplugin.await_loaded(self.host, before)
        return used

    def load_missing_plugin(self) -> str:
        """Have qpsmtpd load our plugin where rules need it and it is not loaded; return as `load_plugin` does.

        A server that is stopped stays so. Raises DatabaseError, HostError.
        """
        if not self.files.has_qpsmtpd():
            return ""
        from mxbackup.targets import qpsmtpdplugin

        faults = self.plugin_faults(self.inventory())
        return self.load_plugin() if {fault.code for fault in faults} - {qpsmtpdplugin.SILENT} else ""

    def outdated(self, inventory: Inventory) -> list[Path]:
        """Return the mail files that do not hold these rules. Raises DatabaseError."""
        targets = self.files.status(inventory, self.recipients.known(inventory.rules))
        found = [target.target.path for target in targets if target.outdated]
        if any(rule.recipients == Recipients.LEARN for rule in inventory.rules):
            # During a run of `learn` its answers are ahead of the table, and no rule is the worse for that.
            return [path for path in found if path != render.TARGETS["qpsmtpd"].path]
        return found

    def expand(self) -> Expansion:
        """Expand every target this host has. Raises DatabaseError, RenderError or HostError."""
        targets = self.files.targets()
        inventory = self.files.expand(targets, self._read_whole)
        self.removals.settle(inventory)
        return Expansion(targets, inventory.invalid)

    def confirm(self, *, event: bool = True) -> list[str]:
        """Let the rules go that are in force and gone from the database; return their names.

        Signals the event that does so; on a host without e-smith `apply` does. Raises DatabaseError, HostError.
        """
        self._prepare(event)
        lost = sorted(self.removals.lost(self.inventory()))
        if lost:
            self.removals.note(lost)
            self._signal(event, "mxbackup-update")
        return lost

    def apply(self, *, create: bool = False, dry_run: bool = False) -> "list[FileChange]":
        """Write the rules into qmail's control files on a host without e-smith; return what was, or would be, done.

        With `create` a missing `rcpthosts` is made. Raises DatabaseError or HostError.
        """
        from mxbackup.targets import qmailcontrol

        if not self.host.plain:
            raise HostError(
                "This is no plain qmail: the files of an SME Server are expanded from templates. "
                "Run: signal-event mxbackup-update"
            )
        if self._before_first_rule():
            raise DatabaseMissing(
                "There is no database {path}. The first rule makes it: mxbackup add example.com",
                path=self.domains.path,
            )
        with nullcontext() if dry_run else self.host.expansion_lock():
            inventory = self.inventory()
            changes = qmailcontrol.plan(self.host, inventory.rules, inventory.settings, create=create)
            if not dry_run:
                self.removals.refuse_loss(inventory)
                qmailcontrol.carry_out(self.host, changes)
                self.removals.settle(inventory)
        return changes

    def import_recipients(self, name: str, text: str, *, event: bool = True) -> tuple[Rule, int]:
        """Make the addresses of a text, one a line, the list of a rule; return the rule and their number.

        Nothing is changed when a line is no address of the rule. Raises InvalidInput, DatabaseError, HostError.
        """
        from mxbackup.recipients import lists

        rule = self.get(name)
        addresses = lists.parse(text, rule, self.inventory().rules)
        self._prepare(event)
        self.recipients.replace(rule, addresses)
        self._signal(event, "mxbackup-modify", rule.name)
        return rule, len(addresses)

    def knowledge(self, rules: Sequence[Rule]) -> dict[str, Knowledge]:
        """Return what is known of the recipients of these rules, by the rule's name. Raises DatabaseError."""
        return knowledge(rules, self.recipients.known(rules))

    def lacks_list(self, rule: Rule) -> bool:
        """Whether all mail of the rule is put off here for want of the list of its recipients. Raises DatabaseError."""
        listed = rule.recipients == Recipients.LIST and self.files.has_qpsmtpd()
        return listed and not self.knowledge([rule])[rule.name].whole

    def learn(self) -> "Learned | None":
        """Ask the primaries about recipients and put the answers into force; None where no rule learns.

        Raises DatabaseError, HostError.
        """
        inventory = self.inventory()
        wanted = any(rule.recipients == Recipients.LEARN for rule in inventory.rules)
        if not (inventory.settings.enabled and wanted and self.files.has_qpsmtpd()):
            return None
        from mxbackup.recipients import learning  # brings the DNS library and SQLite, slow to load

        done = learning.run(self.host, inventory.rules, inventory.settings)
        if not self.removals.lost(inventory):  # said by `status`, and no news every five minutes
            self.files.expand([render.TARGETS["qpsmtpd"]], self._read_whole)
        return done

    def _read(self) -> tuple[Inventory, Known]:
        inventory = self.inventory()
        return inventory, self.recipients.known(inventory.rules)

    def _read_whole(self) -> tuple[Inventory, Known]:
        """Read what is to be put into force. Raises HostError when rules were lost."""
        inventory, known = self._read()
        self.removals.refuse_loss(inventory)
        return inventory, known

    def _domains(self) -> Database:
        """Without e-smith nobody but us makes the database, with the first rule."""
        return Database() if self._before_first_rule() else self.domains.read()

    def _before_first_rule(self) -> bool:
        return self.host.plain and not self.domains.path.exists()

    def _settings(self, domains: Database) -> Settings:
        """A host without `configuration` has the defaults; an unreadable one is an error."""
        configuration = self.configuration.read() if self.configuration.path.exists() else Database()
        found = settings.from_databases(configuration, domains)
        if not found.postfix:
            found = replace(found, qmail=self._local_mail(found.public_addresses))
        if not self.host.plain:
            routes = not found.postfix and render.TARGETS["smtproutes"] in self.files.targets()
            return replace(found, routes=routes)
        from mxbackup.targets import qmailcontrol

        return replace(found, smarthost=qmailcontrol.smarthost(self.host))

    def _local_mail(self, public: frozenset[str]) -> LocalMail:
        """What qmail keeps here; the addresses are found when a route has one, for sockets are slow to load."""

        def own_addresses() -> frozenset[str]:
            from mxbackup.lookup import interfaces

            return interfaces.addresses() | public

        return replace(localmail.at(self.host.path(CONTROL)), own_addresses=own_addresses)

    def _prepare(self, event: bool) -> None:
        if self.host.plain:
            self.host.make_database_directory()
        elif event:
            self.host.require_events()

    def _signal(self, event: bool, name: str, *arguments: str) -> None:
        if event and not self.host.plain:
            self.host.signal_event(name, *arguments)


def _key(domains: Database, name: str) -> str:
    """Return the key of our record that `name` means: exactly as typed, or as a domain name."""
    key = name
    if key not in domains:
        key = names.parse_host(name)
    _record(domains, key, name)
    return key


def _record(domains: Database, key: str, asked: str) -> Record:
    """Return our record of that key. Raises UnknownRule, which names it as it was asked for."""
    record = domains.get(key)
    if record is None or record.type != RECORD_TYPE:
        raise UnknownRule('There is no rule for "{name}". See: mxbackup list', name=asked)
    return record


def _stamp(domains: Database, key: str) -> str:
    return hashlib.sha256(domains.raw[key.encode("utf-8", "surrogateescape")]).hexdigest()


def _refuse_stale(domains: Database, key: str, expected: str) -> None:
    if expected and expected != _stamp(domains, key):
        raise ChangedMeanwhile(
            '"{name}" was changed by someone else meanwhile, and nothing of yours was recorded. '
            "Look at it as it is now, and change it again if need be.",
            name=names.to_unicode(key),
        )


def _read(domains: Database, key: str) -> Rule:
    return rules.from_record(key, _record(domains, key, key).properties)[0]


def _near(domains: Database, name: str) -> Iterator[Rule]:
    """The valid rules for the name and for the domains it lies in."""
    for key in (name, *names.parents(name)):
        try:
            yield _read(domains, key)
        except MxBackupError:
            continue


def _refuse_other_record(domains: Database, rule: Rule) -> None:
    record = domains.get(rule.name)
    if record is not None:
        raise InvalidRule(
            "name",
            'The domains database has a record "{name}" of type "{type}" already. Remove that one first.',
            name=rule.name,
            type=record.type,
        )
