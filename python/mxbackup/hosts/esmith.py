# SPDX-License-Identifier: GPL-2.0-or-later
"""e-smith: files are expanded from templates at events, and our share of each is a fragment.

`morercpthosts` has no template. Each event loads this module: what only some hosts need is imported for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup.errors import HostError
from mxbackup.esmith.host import DATABASES, QPSMTPD, UPDATE
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.hosts.kind import HostKind, status_of
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.targets import controlfile, morercpthosts, registry, smtproutes
from mxbackup.targets.target import Target, TargetStatus

if TYPE_CHECKING:
    from mxbackup.routing.verdict import MailSystem
    from mxbackup.targets.controlfile import FileChange


class Esmith(HostKind):
    """An SME Server, whose qmail sends the mail."""

    command = UPDATE
    by_events = True
    qpsmtpd_signs = (QPSMTPD,)

    def settings(self, found: Settings) -> Settings:
        """Routes of rules count where `smtproutes` is expanded, and read."""
        return replace(found, routes=not found.postfix and self.has(smtproutes.TARGET))

    def names(self, settings: Settings) -> list[str]:
        """e-smith makes `mail` in each local domain."""
        domain = settings.domain_name
        return [f"mail.{domain}", f"{settings.system_name}.{domain}"] if domain else super().names(settings)

    def mail_systems(self) -> "tuple[MailSystem, ...]":
        """All of them have the same; without databases this is some other machine."""
        from mxbackup.routing import qmail_remote

        return (qmail_remote.PATCHED,) if self._exists(DATABASES) else super().mail_systems()

    def prepare(self, event: bool) -> None:
        """The databases are there."""
        if event:
            self.host.require_events()

    def signal(self, event: str, *arguments: str) -> None:
        """Its actions expand the files and restart what reads them."""
        self.host.signal_event(event, *arguments)

    def targets(self) -> list[Target]:
        """Those that this host has templates for."""
        return [target for target in registry.EXPANDED.values() if self.has(target)]

    def has(self, target: Target) -> bool:
        """One alone is told faster than all."""
        return bool(self.files(target))

    def files(self, target: Target) -> list[Path]:
        """Those that are expanded, of two that are one file the first."""
        if not target.expanded:
            return []
        copies = filter(self.host.has_template, target.copies)
        return [path for path in self.host.own([target.path, *copies]) if self.host.expands(path)]

    def plan(self, inventory: Inventory, known: Known = NOTHING, *, create: bool = False) -> "list[FileChange]":
        """`morercpthosts` where it concerns us."""
        return self._more(inventory)

    def expand(self, targets: Sequence[Target], read: Callable[[], tuple[Inventory, Known]]) -> Inventory:
        """With expand-template, beside which our fragments are made."""
        with self.host.expansion_lock() as lock:
            paths = [path for target in targets for path in self.files(target)]
            with self.host.expanding(paths, lock) as hand_over:
                inventory, known = read()
                self.write_before(targets, inventory, known)
                expanded = (target for target in targets if target.expanded)
                hand_over({target.name: self.fragment(target, inventory, known) for target in expanded})
            self.write_after(targets, inventory)
        return inventory

    def write_before(self, targets: Sequence[Target], inventory: Inventory, known: Known) -> None:
        """Write what no template makes, as it has to be while files are expanded. Raises RenderError, HostError.

        Between the two steps of `morercpthosts` a rule that goes from one file to the other stands in both.
        """
        self._write_more(inventory, keep=True)

    def write_after(self, targets: Sequence[Target], inventory: Inventory) -> None:
        """Write what no template makes, as it has to be when files are expanded. Raises RenderError, HostError."""
        self._write_more(inventory)

    def status(self, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Of every target, and `morercpthosts` where it is there or is to be."""
        found = [status for target in registry.EXPANDED.values() for status in self._statuses(target, inventory, known)]
        return [*found, *self._more_status(inventory)]

    def _statuses(self, target: Target, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Of the file of a target, there or not, and of its copies that are there."""
        files = self.files(target)
        absent = [] if target.path in files else [TargetStatus(target, False, False)]
        if not files:
            return absent
        try:
            wanted = self.fragment(target, inventory, known)
        except HostError as reason:
            return [TargetStatus(target, True, False, reason)]
        return [*absent, *(self._file_status(target, path, wanted) for path in files)]

    def _file_status(self, target: Target, path: Path, wanted: str) -> TargetStatus:
        copy = None if path == target.path else path
        try:
            content = self.host.path(path).read_text("utf-8", "surrogateescape")
        except OSError as error:
            reason = HostError("{path} cannot be read: {reason}", path=path, reason=error.strerror or error)
            return TargetStatus(target, True, False, reason, copy)
        return TargetStatus(target, True, wanted in content, copy=copy)

    def _more_status(self, inventory: Inventory) -> list[TargetStatus]:
        try:
            changes = self._more(inventory)
        except HostError as error:
            return [TargetStatus(morercpthosts.TARGET, True, False, error)]
        if not changes or changes[-1].after is None:
            return []
        return [status_of(self.host, changes[0])]

    def _write_more(self, inventory: Inventory, *, keep: bool = False) -> None:
        """Write and compile `morercpthosts` where it concerns us; with `keep` whatever it holds stays accepted."""
        if changes := self._more(inventory, keep=keep):
            controlfile.carry_out(self.host, changes)

    def _more(self, inventory: Inventory, *, keep: bool = False) -> "list[FileChange]":
        """Return `morercpthosts` as it is and as it should be, nothing where it does not concern us. Raises HostError.

        Our rules belong there where the mail program reads it as qmail does. An SME 6 that became an SME 7 has some
        left there: qpsmtpd accepts the names, and would go on when the rules are gone.
        """
        reads, there = self.reads_more(), self._exists(morercpthosts.TARGET.path)
        if not reads and (keep or not there):
            return []
        if reads:
            return [morercpthosts.rest(self.host, inventory, keep=keep)]
        return morercpthosts.without(self.host)
