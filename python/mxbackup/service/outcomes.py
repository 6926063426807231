# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verbs of `service` answer: plain values that the faces show."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mxbackup import rules
from mxbackup.errors import HostError, InvalidInput, InvalidRule
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule, names
from mxbackup.targets.render import Target

if TYPE_CHECKING:
    from mxbackup.recipients.register import Knowledge
    from mxbackup.targets.lint import Finding
    from mxbackup.transfer.entries import Remark


@dataclass(frozen=True)
class Invalid:
    """A record of our type that holds no acceptable rule, and why."""

    key: str
    reason: InvalidInput


@dataclass(frozen=True)
class Fault:
    """What is wrong in the record of a rule that counts all the same."""

    rule: Rule
    reason: InvalidRule


@dataclass(frozen=True)
class Inventory:
    """All rules, sorted by name; the records left out; the settings they were read with; faults of the rules."""

    rules: list[Rule]
    invalid: list[Invalid]
    settings: Settings
    faults: list[Fault] = field(default_factory=list)

    def covering(self, name: str) -> Rule | None:
        """Return the domain rule below which the name lies, nearest first, or None."""
        near = [self._by_name[up] for up in names.parents(name) if up in self._by_name]
        return rules.covering(name, near)

    @cached_property
    def _by_name(self) -> dict[str, Rule]:
        return {rule.name: rule for rule in self.rules}


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
class TargetStatus:
    """Whether the host has a target, and whether the file holds what would be rendered now; if not, why."""

    target: Target
    present: bool
    current: bool
    reason: HostError | None = None

    @property
    def outdated(self) -> bool:
        """Whether the host has the target and its file does not hold the rules."""
        return self.present and not self.current


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
