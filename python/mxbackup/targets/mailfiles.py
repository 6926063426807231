# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that the mail programs of one host read: putting our share into them, and telling whether it is there."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mxbackup.errors import HostError
from mxbackup.esmith.expansion import Target
from mxbackup.esmith.host import MORERCPTHOSTS, NEWMRH, Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients.policies import Known
from mxbackup.rules import RuleSet
from mxbackup.targets import render
from mxbackup.targets.status import TargetStatus

# Each expansion loads this module: what only some hosts need is imported for them.
if TYPE_CHECKING:
    from mxbackup.targets.qmailcontrol import FileChange


class MailFiles:
    """The targets of a host, and `morercpthosts`, which no template makes."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def targets(self) -> list[Target]:
        """Return the targets that this host has."""
        return [target for target in render.TARGETS.values() if self.host.expands(target.path)]

    def has_qpsmtpd(self) -> bool:
        """Whether this host has the mail program that can tell recipients apart."""
        return render.TARGETS["qpsmtpd"] in self.targets()

    def fragment(self, target: str, inventory: Inventory, known: Known) -> str:
        """Return the text of a target; of the rules, `rcpthosts` has no more than its share.

        Raises RenderError, HostError.
        """
        held = inventory.rules
        if target == "goodrcptto" and not self.host.others_fill(render.TARGETS[target].path):
            # Without any entry check_goodrcptto is off, and ours would switch it on for all local users.
            held = RuleSet()
        if target == "rcpthosts" and self.host.path(NEWMRH).exists():
            from mxbackup.targets import qmailcontrol

            if qmailcontrol.reads_more(self.host):
                held = qmailcontrol.in_rcpthosts(self.host, held)
        return render.fragment(target, held, inventory.settings, known)

    def expand(self, targets: Sequence[Target], read: Callable[[], tuple[Inventory, Known]]) -> Inventory:
        """Expand targets with the rules that `read` finds, and return those.

        One expansion waits for another, so that the last one is of the last change.
        Raises what `read` does, RenderError, HostError.
        """
        with self.host.expansion_lock() as lock:
            with self.host.expanding(targets, lock) as hand_over:
                inventory, known = read()
                # Between its two steps a rule that goes from one file to the other stands in both.
                self._write_more(inventory, keep=True)
                hand_over({target: self.fragment(target.name, inventory, known) for target in targets})
            self._write_more(inventory)
        return inventory

    def status(self, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Return of every file whether it is there and holds what it should, and why not."""
        if self.host.plain:
            return self._plain_status(inventory)
        present = {target.name for target in self.targets()}
        found = [
            self._target_status(target, inventory, known) if name in present else TargetStatus(target, False, False)
            for name, target in render.TARGETS.items()
        ]
        return [*found, *self._more_status(inventory)]

    def _plain_status(self, inventory: Inventory) -> list[TargetStatus]:
        """Without e-smith the targets are the control files that `apply` writes."""
        from mxbackup.targets import qmailcontrol

        try:
            changes = qmailcontrol.plan(self.host, inventory.rules, inventory.settings)
        except HostError as error:
            return [TargetStatus(Target("rcpthosts", qmailcontrol.RCPTHOSTS), True, False, error)]
        return [self._change_status(change) for change in changes]

    def _target_status(self, target: Target, inventory: Inventory, known: Known) -> TargetStatus:
        try:
            wanted = self.fragment(target.name, inventory, known)
            content = self.host.path(target.path).read_text("utf-8", "surrogateescape")
        except OSError as error:
            reason = HostError("{path} cannot be read: {reason}", path=target.path, reason=error.strerror or error)
            return TargetStatus(target, True, False, reason)
        except HostError as reason:
            return TargetStatus(target, True, False, reason)
        return TargetStatus(target, True, wanted in content)

    def _more_status(self, inventory: Inventory) -> list[TargetStatus]:
        """`morercpthosts` where it concerns us, when it is there or is to be."""
        try:
            changes = self._more(inventory)
        except HostError as error:
            return [TargetStatus(Target("morercpthosts", MORERCPTHOSTS), True, False, error)]
        if not changes or changes[-1].after is None:
            return []
        return [self._change_status(changes[0])]

    def _change_status(self, change: "FileChange") -> TargetStatus:
        from mxbackup.targets import qmailcontrol

        reason = None
        if change.stale:
            try:
                qmailcontrol.compiled_names(self.host)
            except HostError as damage:
                reason = damage
        current = not change.pending and not change.stale
        return TargetStatus(Target(change.path.name, change.path), change.after is not None, current, reason)

    def _write_more(self, inventory: Inventory, *, keep: bool = False) -> None:
        """Write and compile `morercpthosts` where it concerns us; with `keep` whatever it holds stays accepted."""
        if changes := self._more(inventory, keep=keep):
            from mxbackup.targets import qmailcontrol

            qmailcontrol.carry_out(self.host, changes)

    def _more(self, inventory: Inventory, *, keep: bool = False) -> "list[FileChange]":
        """Return `morercpthosts` as it is and as it should be, nothing where it does not concern us. Raises HostError.

        Our rules belong there where the mail program reads it as qmail does. An SME 6 that became an SME 7 has some
        left there: qpsmtpd accepts the names, and would go on when the rules are gone.
        """
        if not self.host.path(NEWMRH).exists() and not self.host.path(MORERCPTHOSTS).exists():
            return []
        from mxbackup.targets import qmailcontrol

        reads = qmailcontrol.reads_more(self.host)
        if not reads and (keep or not self.host.path(MORERCPTHOSTS).exists()):
            return []
        if reads:
            return [qmailcontrol.more(self.host, inventory.rules, inventory.settings, keep=keep)]
        return qmailcontrol.without_more(self.host)
