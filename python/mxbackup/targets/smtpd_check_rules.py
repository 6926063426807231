# SPDX-License-Identifier: GPL-2.0-or-later
"""`smtpd_check_rules` of Obtuse smtpd: the first rule that matches counts, and mail that none matches is accepted."""

from collections.abc import Iterator
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.settings import Settings
from mxbackup.rules import RuleSet
from mxbackup.targets.block import BEGIN
from mxbackup.targets.target import Target

CLOSING_RULE = "noto:ALL:ALL:ALL"
LONGEST = 1000  # characters of a line
_SOURCE = "smtpd_check_rules(5)"

NO_CLOSING_RULE = FindingKind(
    "open-relay", Severity.ERROR,
    'The line "{line}" is missing at the end, so mail for everybody is accepted (open relay).',
    "Add it, or expand the file again.",
    source=_SOURCE,
)  # fmt: skip
AFTER_CLOSING_RULE = FindingKind(
    "after-closing-rule", Severity.ERROR,
    'Our rules stand behind "{line}" and never count.',
    "Move that line to the end.",
    source=_SOURCE,
)  # fmt: skip
TOO_LONG = FindingKind(
    "line-too-long", Severity.ERROR,
    "The line has more than {limit} characters, and smtpd accepts everything where it cannot read a line.",
    "Divide it.",
    source=_SOURCE,
)  # fmt: skip


class SmtpdCheckRules(Target):
    """See smtpd_check_rules(5)."""

    name = "smtpd_check_rules"
    path = Path("/var/spool/smtpd/etc/smtpd_check_rules")
    accepts, accepts_below = r"\*@(\S+)$", r"\*\.(\S+) "

    def lint(self, text: str | None, rules: RuleSet, settings: Settings) -> Iterator[Finding]:
        """Yield where it accepts everything, or our rules do not count."""
        if text is None:
            return
        lines = text.split("\n")
        closing = next((at for at, line in enumerate(lines) if line.rstrip() == CLOSING_RULE), None)
        if closing is None:
            yield NO_CLOSING_RULE.found(self.path, line=CLOSING_RULE)
        elif BEGIN in lines[closing:]:
            yield AFTER_CLOSING_RULE.found(self.path, (lines.index(BEGIN, closing) + 1,), line=CLOSING_RULE)
        sizes = (len(line.encode("utf-8", "surrogateescape")) for line in lines)
        if long := tuple(number for number, size in enumerate(sizes, 1) if size > LONGEST):
            yield TOO_LONG.found(self.path, long, limit=LONGEST)


TARGET = SmtpdCheckRules()
