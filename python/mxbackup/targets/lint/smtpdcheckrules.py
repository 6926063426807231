# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in `smtpd_check_rules`: the first rule that matches counts, and mail that none matches is accepted."""

from collections.abc import Iterator
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.targets.render import BEGIN

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


def lint(path: Path, text: str) -> Iterator[Finding]:
    """Yield what is wrong in the text of the file."""
    lines = text.split("\n")
    closing = next((at for at, line in enumerate(lines) if line.rstrip() == CLOSING_RULE), None)
    if closing is None:
        yield NO_CLOSING_RULE.found(path, line=CLOSING_RULE)
    elif BEGIN in lines[closing:]:
        yield AFTER_CLOSING_RULE.found(path, (lines.index(BEGIN, closing) + 1,), line=CLOSING_RULE)
    if long := tuple(number for number, line in enumerate(lines, 1) if len(line.encode()) > LONGEST):
        yield TOO_LONG.found(path, long, limit=LONGEST)
