# SPDX-License-Identifier: GPL-2.0-or-later
"""What the databases of a server hold of ours: the rules, the records that are none, and the settings."""

from dataclasses import dataclass, field
from functools import cached_property

from mxbackup import rules
from mxbackup.errors import InvalidInput, InvalidRule
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule, names


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
