# SPDX-License-Identifier: GPL-2.0-or-later
"""e-smith with Postfix (SME 11): qpsmtpd takes the mail in, and Postfix, whose main.cf is expanded too, sends it.

Routes stand in tables of our own, as on a plain Postfix. A fragment of main.cf's template names them, before what the
host's other fragments name there. Who the recipients are is decided by qpsmtpd, from which Postfix gets the mail.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith import postfix
from mxbackup.esmith.host import UPDATE
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.hosts import maincf
from mxbackup.hosts.esmith import Esmith
from mxbackup.hosts.kind import statuses_of
from mxbackup.hosts.postfix_sends import SendsByPostfix
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import RuleSet
from mxbackup.targets import controlfile, registry, relay_domains
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.controlfile import FileChange
from mxbackup.targets.postfixtable import NAMING
from mxbackup.targets.target import Target, TargetStatus

# Stands for a smart host: rules have their entries for the way around it before there is one.
SOME_SMARTHOST = "any"

NOT_EXPANDED = FindingKind(
    "postfix-not-configured", Severity.ERROR,
    "{parameter} does not name our tables, so mail of the rules is not sent their way.",
    "Run: {command}",
    source="postconf(5)",
)  # fmt: skip
NO_TEMPLATE = FindingKind(
    "postfix-not-configured", Severity.ERROR,
    "{parameter} does not name our tables, so mail of the rules is not sent their way, and no template makes the file.",
    "Add this line where the file is made, or by hand, then run postfix reload: {line}",
    source="postconf(5)",
)  # fmt: skip


class EsmithPostfix(SendsByPostfix, Esmith):
    """An SME Server whose Postfix sends the mail."""

    def settings(self, found: Settings) -> Settings:
        """The routes of rules count: our tables have them."""
        return replace(found, routes=True)

    def targets(self) -> list[Target]:
        """Those of qpsmtpd, and the tables."""
        return [*super().targets(), *registry.POSTFIX_QUEUE, NAMING]

    def files(self, target: Target) -> list[Path]:
        """What main.cf is to say comes by its template, where there is one."""
        if target is not NAMING:
            return super().files(target)
        return [maincf.PATH] if self._makes_main_cf() else []

    def plan(self, inventory: Inventory, known: Known = NOTHING, *, create: bool = False) -> list[FileChange]:
        """Besides, the tables, and last what names them."""
        return [*super().plan(inventory, known), *self._tables(inventory, known)]

    def write_before(self, targets: Sequence[Target], inventory: Inventory, known: Known) -> None:
        """The tables have to be there before main.cf names them."""
        super().write_before(targets, inventory, known)
        controlfile.carry_out(
            self.host, [change for change in self._tables(inventory, known) if change.target in targets]
        )

    def write_after(self, targets: Sequence[Target], inventory: Inventory) -> None:
        """What Postfix found it remembers for a while, and main.cf it reads once."""
        super().write_after(targets, inventory)
        if not {NAMING, *registry.POSTFIX_QUEUE}.isdisjoint(targets):
            postfix.reload(self.host)

    def leave(self, inventory: Inventory) -> str:
        """The tables stay, and hold nothing else; main.cf goes on to name them as it does."""
        if not inventory.draining:
            return ""
        controlfile.carry_out(self.host, self._tables(inventory, NOTHING))
        name = "transport_maps"
        return f"{name} = {postfix.parameters(self.host, name, expanded=False)[name]}\n"

    def status(self, inventory: Inventory, known: Known) -> list[TargetStatus]:
        """Of the tables too."""
        tables = statuses_of(self.host, relay_domains.DOMAINS, lambda: self._tables(inventory, known))
        return [*super().status(inventory, known), *tables]

    def findings(self, rules: RuleSet) -> list[Finding]:
        """What main.cf lacks, and what it accepts besides the rules."""
        missing = maincf.tables_to_name(self.host) if rules else []
        kind = NOT_EXPANDED if self._makes_main_cf() else NO_TEMPLATE
        return [
            *(
                kind.found(maincf.PATH, parameter=it.name, command=UPDATE, line=f"{it.name} = {it.after}")
                for it in missing
            ),
            *maincf.besides(self.host),
        ]

    def routes_meant(self, rules: RuleSet, settings: Settings) -> dict[str, str]:
        """Those of our two tables."""
        return super().routes_meant(rules, _with_smarthost(settings))

    def _tables(self, inventory: Inventory, known: Known) -> list[FileChange]:
        around = replace(inventory, settings=_with_smarthost(inventory.settings))
        tables = self.table_changes(registry.POSTFIX_QUEUE, around, known)
        if not tables:
            return []
        lines = "".join(f"{name} = {' '.join(ours)}\n" for name, ours in maincf.naming(self.host).items())
        return [*tables, controlfile.with_block(self.host, NAMING, f"{BEGIN}\n{lines}{END}\n", initial="")]

    def _makes_main_cf(self) -> bool:
        return self.host.has_template(maincf.PATH) and self.host.expands(maincf.PATH)


def _with_smarthost(settings: Settings) -> Settings:
    return replace(settings, smarthost=settings.smarthost or SOME_SMARTHOST)
