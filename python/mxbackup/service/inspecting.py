# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether everything is in force, and what is wrong."""

from dataclasses import dataclass
from pathlib import Path

from mxbackup.errors import Finding, Severity
from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients.register import Knowledge
from mxbackup.rules import Recipients, Rule
from mxbackup.service import draining, knowing, plugin
from mxbackup.service.context import Context
from mxbackup.targets import lint, morercpthosts, qpsmtpd, readers
from mxbackup.targets.draining import Waiting
from mxbackup.targets.lint import publicaddress
from mxbackup.targets.target import TargetStatus


@dataclass(frozen=True)
class Status:
    """The state of MX backup on this server."""

    inventory: Inventory
    targets: list[TargetStatus]
    findings: list[Finding]
    knowledge: dict[str, Knowledge]
    draining: dict[Rule, Waiting]

    @property
    def sound(self) -> bool:
        """Whether every record is a rule without fault, every file holds them, and no mistake is in files and lists."""
        in_force = not any(target.outdated for target in self.targets)
        mistakes = any(finding.severity != Severity.NOTE for finding in self.findings)
        lists = all(known.whole for known in self.knowledge.values())
        records = not self.inventory.invalid and not self.inventory.faults
        return records and in_force and not mistakes and lists


def status(context: Context) -> Status:
    """Return the state of every rule and file. Raises DatabaseError."""
    inventory = context.inventory()
    known = context.recipients.known(inventory.rules)
    current = inventory.settings
    found = [
        *lint.findings(lint.read(context.host), inventory.rules, current),
        *context.removals.findings(inventory),
        *publicaddress.lint(current),
        *plugin.faults(context, inventory),
        *readers.findings(context.host),
        *morercpthosts.lone_names(context.host),
        *context.kind.findings(inventory.rules),
        *_catalogs(context),
    ]
    return Status(
        inventory,
        context.kind.status(inventory, known),
        found,
        knowing.of_known(context, inventory.rules, known),
        draining.removed(context, inventory),
    )


def _catalogs(context: Context) -> list[Finding]:
    if not context.host.database("mxbackup_catalogs").exists():
        return []
    from mxbackup.service import catalogs  # brings the DNS library

    return catalogs.findings(context.host)


def outdated(context: Context, inventory: Inventory) -> list[Path]:
    """Return the mail files that do not hold these rules. Raises DatabaseError."""
    targets = context.kind.status(inventory, context.recipients.known(inventory.rules))
    found = [target for target in targets if target.outdated]
    if any(rule.recipients == Recipients.LEARN for rule in inventory.rules):
        # During a run of `learn` its answers are ahead of the table, and no rule is the worse for that.
        found = [target for target in found if target.target is not qpsmtpd.TARGET]
    return [target.path for target in found]
