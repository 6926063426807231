# SPDX-License-Identifier: GPL-2.0-or-later
"""What a target answers: one file that we contribute to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mxbackup.errors import Finding, HostError
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import RuleSet
from mxbackup.targets import block, templates


class Target:
    """One file, in which our share stands between two comments. What a target leaves out is as it is here."""

    name: ClassVar[str]
    path: ClassVar[Path]
    copies: ClassVar[tuple[Path, ...]] = ()  # further files with the same share, where e-smith makes them
    template: ClassVar[str] = ""  # of our share, in templates/; the one of the target's name when empty
    end: ClassVar[str] = block.END  # the closing comment
    expanded: ClassVar[bool] = True  # whether e-smith makes the file, of templates of which one is ours
    own_directory: ClassVar[bool] = False  # whether the directory is ours to make
    compiled: ClassVar[Path | None] = None  # what the mail program reads in its place
    readers: ClassVar[tuple[str, ...]] = ()  # the users as whom the programs run that read it
    accepts: ClassVar[str] = ""  # the pattern of a rule's name in the line by which its mail is accepted
    accepts_below: ClassVar[str] = ""  # the same for what lies below the name

    def share(self, host: Host, rules: RuleSet) -> RuleSet:
        """Return the rules that the file is to hold on this host. Raises HostError."""
        return rules

    def fragment(self, inventory: Inventory, known: Known = NOTHING) -> str:
        """Return our share: whole lines between our comments, of no rule when MX backup is disabled.

        `known` is what is known of recipients. Raises RenderError.
        """
        in_force = inventory.rules if inventory.settings.enabled else RuleSet()
        lines = templates.fill_in(self.template or self.name, **self.values(in_force, inventory, known))
        return f"{block.BEGIN}\n{lines}{self.end}\n"

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """Return what the template makes the lines of."""
        return {"rules": in_force}

    def lint(self, text: str | None, rules: RuleSet, settings: Settings) -> Iterator[Finding]:
        """Yield what is wrong in the text of the file, None where it is missing from its directory."""
        yield from ()

    def compile(self, host: Host) -> None:
        """Have what was written count, where it is not read as it stands. Raises HostError."""

    def stale(self, host: Host) -> bool:
        """Whether what is compiled of the file is anything else. Raises HostError."""
        return False


@dataclass(frozen=True)
class TargetStatus:
    """Whether the host has a target, and whether the file holds what would be rendered now; if not, why.

    `copy` is the path of a copy; None is the target's own.
    """

    target: Target
    present: bool
    current: bool
    reason: HostError | None = None
    copy: Path | None = None

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.copy or self.target.path

    @property
    def outdated(self) -> bool:
        """Whether the host has the target and its file does not hold the rules."""
        return self.present and not self.current
