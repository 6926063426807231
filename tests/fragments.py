# SPDX-License-Identifier: GPL-2.0-or-later
"""Our share of a target, from rules and settings alone."""

from collections.abc import Iterable

from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import Rule, RuleSet
from mxbackup.targets import registry


def fragment(target: str, rules: Iterable[Rule], settings: Settings, known: Known = NOTHING) -> str:
    return registry.expanded(target).fragment(Inventory(RuleSet(rules), [], settings), known)
