# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kind of server answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mxbackup.errors import Finding, HostError, Message
from mxbackup.esmith.host import CONTROL, NEWMRH, Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import RuleSet
from mxbackup.targets import block, qpsmtpd, rcpthosts, smtproutes
from mxbackup.targets.target import Target, TargetStatus

# What only some events or hosts need is imported for them.
if TYPE_CHECKING:
    from mxbackup.esmith.postfix import SettingChange
    from mxbackup.lookup.interfaces import Own
    from mxbackup.queue import MailQueue
    from mxbackup.routing.verdict import MailSystem
    from mxbackup.targets.controlfile import FileChange


NO_ENTRIES: Mapping[str, str] = MappingProxyType({})
QMAIL_REMOTE = Path("/var/qmail/bin/qmail-remote")


class HostKind(ABC):
    """One server of this kind.

    `command` is what a user runs to put the rules into force. `by_events` is whether a change does so by itself, by an
    event of e-smith, so that nobody has to.
    """

    command: ClassVar[str]
    by_events: ClassVar[bool]
    queue_services: ClassVar[tuple[str, ...]] = ("qmail",)  # what the supervisor may call qmail-send
    way_out: ClassVar[tuple[Target, ...]] = (smtproutes.TARGET,)  # what says where mail goes
    qpsmtpd_signs: ClassVar[tuple[Path, ...]]  # what is there where qpsmtpd takes the mail in

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def settings(self, found: Settings) -> Settings:
        """Return what the databases say, with what this kind of server keeps elsewhere. Raises HostError."""

    def names(self, settings: Settings) -> list[str]:
        """Return the names by which the DNS may know this server, the likeliest first. Raises OSError, HostError."""
        return (self._control("me") or b"").decode("latin-1").split()[:1]

    @abstractmethod
    def prepare(self, event: bool) -> None:
        """Make sure that a change can be recorded, and with `event` be signalled. Raises HostError."""

    @abstractmethod
    def signal(self, event: str, *arguments: str) -> None:
        """Signal the event of a change, where there are events. Raises HostError."""

    @abstractmethod
    def targets(self) -> list[Target]:
        """Return the targets that this host has."""

    def files(self, target: Target) -> list[Path]:
        """Return the files here that hold our share of a target."""
        return [target.path]

    def has(self, target: Target) -> bool:
        """Whether this host has a target."""
        return target in self.targets()

    @abstractmethod
    def plan(self, inventory: Inventory, known: Known = NOTHING, *, create: bool = False) -> "list[FileChange]":
        """Return the files that no template makes, as they are and should be, in the order of writing.

        `known` is what is known of recipients. With `create` a missing `rcpthosts`, which makes qmail accept
        everything, is made. Raises HostError.
        """

    def carry_out(self, changes: "Sequence[FileChange]") -> None:
        """Write what `plan` returned, and have it count. Raises HostError; the file it names is then as it was."""
        from mxbackup.targets import controlfile

        controlfile.carry_out(self.host, changes)

    @abstractmethod
    def expand(self, targets: Sequence[Target], read: Callable[[], tuple[Inventory, Known]]) -> Inventory:
        """Put the rules that `read` finds into the files of these targets, and return what it found.

        One waits for another, so that the last one is of the last change.
        Raises what `read` does, RenderError, HostError.
        """

    @abstractmethod
    def status(self, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Return of every file whether it is there and holds what it should, and why not."""

    def findings(self, rules: RuleSet) -> list[Finding]:
        """Return what is wrong in what the mail system is told besides our files. Raises HostError."""
        return []

    def settings_to_change(self, rules: RuleSet) -> "list[SettingChange]":
        """Return what the mail system has to be told for our files to count. Raises HostError."""
        return []

    def configure(self, changes: "Iterable[SettingChange]") -> None:
        """Tell the mail system so. Raises HostError, also where it need not be told anything."""
        raise HostError("Only Postfix has to be told of our files: there is nothing to configure here.")

    def mail_systems(self) -> "tuple[MailSystem, ...]":
        """Return what may send the mail here: a qmail that reads moreipme has the file's name in it.

        Raises HostError.
        """
        from mxbackup.routing import qmail_remote

        try:
            reads = b"control/moreipme" in self.host.path(QMAIL_REMOTE).read_bytes()
        except OSError:
            return qmail_remote.KINDS
        return tuple(dict.fromkeys(replace(qmail, reads_moreipme=reads) for qmail in qmail_remote.KINDS))

    def routes_written(self) -> dict[str, str]:
        """Return the entries of ours that say where mail goes: relay by key, as `routing.entries` has them."""
        return smtproutes.written(self.host)

    @property
    def queue(self) -> "MailQueue":
        """The queue that holds the mail of this server."""
        from mxbackup.queue.qmail import QmailMailQueue

        return QmailMailQueue(self.host, self.queue_services)

    def routes(self, before: Container[str] = (), after: Mapping[str, str] = NO_ENTRIES) -> "Mapping[str, str] | None":
        """Return the entries that say where mail goes, as `mail_systems` take them.

        Those with keys in `before` are left out, those of `after` stand in their place. None where there is no file
        for entries. Raises OSError, HostError.
        """
        from mxbackup.routing import qmail_remote

        content = self._control("smtproutes")
        if content is None:
            return None
        others = {key: to for key, to in qmail_remote.parse_routes(content).items() if key not in before}
        return others | dict(after)

    def routes_meant(self, rules: "RuleSet", settings: Settings) -> dict[str, str]:
        """Return the entries that the rules ask for."""
        from mxbackup.routing import entries

        return entries.table(rules, settings) if settings.routes else {}

    def leave(self, inventory: Inventory) -> str:
        """Return the lines of the host's file by which mail of the draining rules keeps its way when we are erased.

        Empty where none is needed. Raises RenderError, HostError.
        """
        text = smtproutes.TARGET.fragment(inventory)
        return text if block.inside(text) else ""

    def relies_on(self) -> Message | None:
        """Return what goes on relying on our files once we are erased, if anything does. Raises HostError."""
        return None

    def stated_public(self, settings: Settings) -> frozenset[str]:
        """Return the addresses that were stated to lead here from outside. Raises HostError."""
        return settings.public_addresses

    def state_public(self, addresses: Sequence[str]) -> bool:
        """Tell the mail system that these lead here from outside, and no others, if that has a setting for it.

        Returns whether it has; else the settings keep them. Raises HostError.
        """
        return False

    def own_addresses(self) -> "Own":
        """Return the addresses that the mail system may take for its own. Raises OSError, HostError."""
        from mxbackup.lookup import interfaces

        more, less = (interfaces.parse_networks(self._control(name) or b"") for name in ("moreipme", "notipme"))
        return interfaces.Own(interfaces.addresses(), more, less)

    def has_qpsmtpd(self) -> bool:
        """Whether this host has the mail program that can tell recipients apart."""
        return self.has(qpsmtpd.TARGET)

    def tells_recipients_apart(self) -> bool:
        """Whether rules can accept only some recipients here."""
        return self.has_qpsmtpd()

    def learns_itself(self) -> bool:
        """Whether the mail system asks primaries about recipients, and remembers, in our place."""
        return False

    def reads_more(self) -> bool:
        """Whether the mail program reads `morercpthosts.cdb` as qmail-smtpd(8) does, and it can be compiled.

        The `rcpt_ok` of qpsmtpd takes no `.dom` from there. What it leaves on a host is sign enough: with all rules in
        `rcpthosts` either program accepts them.
        """
        return self._exists(NEWMRH) and not any(map(self._exists, self.qpsmtpd_signs))

    def fragment(self, target: Target, inventory: Inventory, known: Known) -> str:
        """Return our share of a target on this host. Raises RenderError, HostError."""
        held = target.share(self.host, inventory.rules)
        if target is rcpthosts.TARGET and self.reads_more():
            from mxbackup.targets import morercpthosts

            held = morercpthosts.in_rcpthosts(self.host, held)
        return target.fragment(replace(inventory, rules=held), known)

    def _control(self, name: str) -> bytes | None:
        path = self.host.path(CONTROL / name)
        return path.read_bytes() if path.exists() else None

    def _exists(self, path: Path) -> bool:
        return self.host.path(path).exists()


def statuses_of(host: Host, first: Target, plan: "Callable[[], Iterable[FileChange]]") -> list[TargetStatus]:
    """Return whether the files of `plan` are as they should be; when it fails, why, as the state of `first`."""
    try:
        return [status_of(host, change) for change in plan()]
    except HostError as error:
        return [TargetStatus(first, True, False, error)]


def status_of(host: Host, change: "FileChange") -> TargetStatus:
    """Return whether a file that no template makes is as it should be."""
    reason = None
    if change.stale:
        from mxbackup.targets import morercpthosts

        try:
            morercpthosts.compiled_names(host)
        except HostError as damage:
            reason = damage
    current = not change.pending and not change.stale
    return TargetStatus(change.target, change.after is not None, current, reason)
