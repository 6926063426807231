# SPDX-License-Identifier: GPL-2.0-or-later
"""What the databases of a server hold of ours: the rules, the records that are none, and the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mxbackup.errors import Finding, FindingKind, InvalidInput, InvalidRule, Message, Severity
from mxbackup.esmith.settings import Settings
from mxbackup.rules import PROPERTIES, Rule, RuleSet, shown

NO_RULE = FindingKind(
    "record-left-out", Severity.ERROR,
    "Left out, the record {key} is no rule: {reason}",
    "To remove it: mxbackup remove {quoted}",
)  # fmt: skip
FAULTY = FindingKind(
    "property-at-fault", Severity.WARNING,
    "{name}: {reason} The rule counts all the same.",
    "To mend it: mxbackup set {key} --{option} {form}",
)  # fmt: skip


@dataclass(frozen=True)
class Invalid:
    """A record of our type that holds no acceptable rule, and why."""

    key: str
    reason: InvalidInput

    @property
    def finding(self) -> Finding:
        """What is wrong, and how to be rid of it in a shell."""
        import shlex

        return NO_RULE.found(key=self.key, quoted=shlex.quote(self.key), reason=self.reason)


@dataclass(frozen=True)
class Fault:
    """What is wrong in the record of a rule that counts all the same."""

    rule: Rule
    reason: InvalidRule

    @property
    def finding(self) -> Finding:
        """What is wrong, and how to mend it in a shell."""
        prop = next(prop for prop in PROPERTIES if prop.key == self.reason.field)
        form = Message(prop.form)
        return FAULTY.found(name=shown(self.rule), reason=self.reason, key=self.rule.name, option=prop.name, form=form)


@dataclass(frozen=True)
class Inventory:
    """All rules; the records left out; the settings they were read with; faults of the rules.

    `draining` are the rules out of force, removed or disabled, whose mail may still wait, and has its way out; also a
    host rule that was a domain rule, as such. `origins` are the names of the catalogs that rules came from, by rule:
    of those that are followed from elsewhere.
    """

    rules: RuleSet
    invalid: list[Invalid]
    settings: Settings
    faults: list[Fault] = field(default_factory=list)
    draining: RuleSet = field(default_factory=RuleSet)
    origins: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def with_draining(self) -> RuleSet:
        """All rules that mail may wait for."""
        return RuleSet([*self.rules, *self.draining]) if self.draining else self.rules
