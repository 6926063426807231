# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verbs of `service` answer: plain values that the faces show."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup.esmith.expansion import Target
from mxbackup.esmith.inventory import Invalid, Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule
from mxbackup.targets.status import TargetStatus

if TYPE_CHECKING:
    from mxbackup.recipients.register import Knowledge
    from mxbackup.targets.lint import Finding
    from mxbackup.transfer.entries import Remark


@dataclass(frozen=True)
class Change:
    """What a change did: the rule as it now stands, the domain rule that covers it, if any, and the settings."""

    rule: Rule
    covered_by: Rule | None
    settings: Settings


@dataclass(frozen=True)
class Removal:
    """What a removal did: the key of the record, and the domain rule by which its mail stays accepted, if any."""

    key: str
    covered_by: Rule | None = None


@dataclass(frozen=True)
class Expansion:
    """The targets that were expanded, and the records left out of them."""

    targets: list[Target]
    left_out: list[Invalid]


@dataclass(frozen=True)
class Status:
    """The state of MX backup on this server."""

    inventory: Inventory
    targets: list[TargetStatus]
    findings: "list[Finding]"
    knowledge: "dict[str, Knowledge]"

    @property
    def sound(self) -> bool:
        """Whether every record is a rule without fault, every file holds them, and no mistake is in files and lists."""
        from mxbackup.targets.lint import Level

        in_force = not any(target.outdated for target in self.targets)
        mistakes = any(finding.level != Level.NOTE for finding in self.findings)
        lists = all(known.whole for known in self.knowledge.values())
        records = not self.inventory.invalid and not self.inventory.faults
        return records and in_force and not mistakes and lists


@dataclass(frozen=True)
class CarriedOver:
    """What was taken over from the old contrib: rules made, pairs left in its record, files of it removed."""

    added: list[Rule]
    left: "list[Remark]"
    removed: list[Path]
