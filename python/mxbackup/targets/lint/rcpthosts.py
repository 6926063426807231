# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in `rcpthosts` and `morercpthosts`: qmail-smtpd(8)."""

import re
from collections.abc import Iterator
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.targets.lint import controllines

NO_RCPTHOSTS = FindingKind(
    "open-relay", Severity.ERROR,
    "The file is missing, and qmail accepts the mail of the whole world then (open relay).",
    "Expand it, on a server without e-smith: mxbackup apply --create",
    source="qmail-smtpd(8)",
)  # fmt: skip
NOT_A_NAME = FindingKind(
    "not-a-name", Severity.WARNING,
    'qmail does not take the line: it is neither a name nor ".name".',
    "Mend it or take it out.",
    source="qmail rcpthosts.c",
)  # fmt: skip

_ENTRY = re.compile(rf"\.?{controllines.HOST}\Z")


def missing(path: Path) -> Finding:
    """Return that there is no such file."""
    return NO_RCPTHOSTS.found(path)


def lint(path: Path, text: str) -> Iterator[Finding]:
    """Yield what is wrong in the text of either file."""
    return controllines.dead(path, text, _ENTRY, NOT_A_NAME)
