# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of a control file that qmail does not take."""

import re
from collections.abc import Iterator
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity

HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_SOURCE = "qmail control.c (control_readfile)"

CARRIAGE_RETURN = FindingKind(
    "carriage-return", Severity.WARNING,
    "qmail does not take the line: it ends in a carriage return, as Windows writes it.",
    "Remove it.",
    source=_SOURCE,
)  # fmt: skip
LEADING_BLANK = FindingKind(
    "leading-blank", Severity.WARNING,
    "qmail does not take the line: it begins with a blank.",
    "Remove the blank.",
    source=_SOURCE,
)  # fmt: skip
INLINE_COMMENT = FindingKind(
    "inline-comment", Severity.WARNING,
    "qmail does not take the line: a comment must stand on a line of its own, with # at its start.",
    source=_SOURCE,
)  # fmt: skip


def dead(path: Path, text: str, pattern: str, otherwise: FindingKind) -> Iterator[Finding]:
    """Yield what is wrong with lines that do not match `pattern`.

    Only trailing blanks go, and # makes a comment in column 0.
    `otherwise` is what is wrong when it is nothing that happens everywhere.
    """
    entry = re.compile(pattern)
    dead_lines: dict[FindingKind, list[int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        content = line.rstrip(" \t")
        if content and not content.startswith("#") and not entry.match(content):
            dead_lines.setdefault(_why(content, entry, otherwise), []).append(number)
    for why, numbers in dead_lines.items():
        yield why.found(path, tuple(numbers))


def _why(content: str, entry: re.Pattern[str], otherwise: FindingKind) -> FindingKind:
    if "\r" in content:
        return CARRIAGE_RETURN
    if content[0] in " \t" and entry.match(content.lstrip()):
        return LEADING_BLANK
    return INLINE_COMMENT if re.search(r"[ \t]#|\S#", content) else otherwise
