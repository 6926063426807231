# SPDX-License-Identifier: GPL-2.0-or-later
"""`morercpthosts`: more names for which qmail-smtpd(8) accepts mail, compiled. No template makes it: we do.

Where the mail program reads it as qmail does, it holds our rules from the fiftieth on.
"""

from collections.abc import Iterator

from mxbackup.errors import Finding, FindingKind, HostError, Severity
from mxbackup.esmith.host import CONTROL, MORERCPTHOSTS, NEWMRH, Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.rules import RuleSet, localmail
from mxbackup.targets import block, cdb, controlfile
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.controlfile import FileChange
from mxbackup.targets.rcpthosts import Rcpthosts

CDB = CONTROL / "morercpthosts.cdb"
# Many times what a million rules take.
LARGEST_CDB = 256 << 20
# qmail-smtpd(8): the most used names in `rcpthosts`, the others, from 50 on, in `morercpthosts`.
IN_RCPTHOSTS = 50

NO_SOURCE = FindingKind(
    "no-source", Severity.WARNING,
    "It accepts names that stand in no morercpthosts ({count}, the first is {first}).",
    "Write them there, or remove it: rm {path}",
    source="qmail-newmrh(8)",
)  # fmt: skip


class Morercpthosts(Rcpthosts):
    """Its lines are those of `rcpthosts`."""

    name = "morercpthosts"
    path = MORERCPTHOSTS
    expanded = False
    compiled = CDB

    def lint(self, text: str | None, rules: RuleSet, settings: Settings) -> Iterator[Finding]:
        """Yield lines that are not taken; nothing is wrong where it is missing."""
        if text is not None:
            yield from super().lint(text, rules, settings)

    def compile(self, host: Host) -> None:
        """See qmail-newmrh(8)."""
        host.run_newmrh()

    def stale(self, host: Host) -> bool:
        """qmail believes what is compiled whatever its date, so contents are compared, lower-case as qmail-newmrh."""
        source = host.path(self.path)
        if not source.exists():
            return False
        try:
            compiled = compiled_names(host)
        except HostError:
            return True
        return compiled != {name.lower() for name in localmail.entries(source)}


TARGET = Morercpthosts()


def in_rcpthosts(host: Host, rules: RuleSet) -> RuleSet:
    """Return which of the sorted rules `rcpthosts` is to hold: the first ones, and those not compiled elsewhere yet.

    So no name is refused when its template is expanded before this file is written. Raises HostError.
    """
    compiled = set() if TARGET.stale(host) else names(host)
    ours = list(rules)
    return RuleSet([*ours[:IN_RCPTHOSTS], *(rule for rule in ours[IN_RCPTHOSTS:] if rule.name not in compiled)])


def rest(host: Host, inventory: Inventory, *, keep: bool = False) -> FileChange:
    """Return the file as it is and as it should be: with the sorted rules after the first ones.

    With `keep` also with those of the first that it holds now, until `rcpthosts` holds them. Raises HostError.
    """
    ours = list(inventory.rules)
    kept = names(host) if keep else set()
    first = [rule for rule in ours[:IN_RCPTHOSTS] if rule.name in kept]
    return controlfile.change(host, TARGET, inventory, [*first, *ours[IN_RCPTHOSTS:]])


def without(host: Host) -> list[FileChange]:
    """Return the changes by which our rules leave the file, none where it has no block of ours.

    The block goes last: as long as it is there, an emptied file may not be compiled yet. Raises HostError.
    """
    emptied = controlfile.with_block(host, TARGET, f"{BEGIN}\n{END}\n")
    gone = controlfile.with_block(host, TARGET, "")
    return [emptied, FileChange(TARGET, emptied.after, gone.after)] if gone.pending else []


def names(host: Host) -> set[str]:
    """Return the lines of our block."""
    return set(block.inside(controlfile.read(host, TARGET.path) or "").split("\n"))


def compiled_names(host: Host) -> frozenset[str]:
    """Return what is accepted by `morercpthosts.cdb`, nothing where it is not there. Raises HostError."""
    try:
        with host.path(CDB).open("rb") as file:
            content = file.read(LARGEST_CDB)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise HostError("{path} cannot be read: {reason}.", path=CDB, reason=error.strerror) from error
    try:
        return frozenset(key.decode(localmail.CHARSET) for key in cdb.keys(content))
    except cdb.Damaged:
        raise HostError(
            "{path} is damaged, and qmail takes no names from it. Compile it again: {command}",
            path=CDB,
            command=NEWMRH,
        ) from None


def lone_names(host: Host) -> list[Finding]:
    """Return a warning where `morercpthosts.cdb` accepts names though there is nothing that it could be made of."""
    if host.path(TARGET.path).exists():
        return []
    try:
        names = sorted(compiled_names(host))
    except HostError:
        names = []
    return [NO_SOURCE.found(CDB, count=len(names), first=names[0])] if names else []
