# SPDX-License-Identifier: GPL-2.0-or-later
"""Why there are no facts to be judged."""

from mxbackup.errors import FindingKind, Severity

NOT_CHECKED = FindingKind(
    "not-checked", Severity.WARNING,
    "{name} was not checked to the end: {reason}.",
    "Check it alone: mxbackup check {name}. More time for all: --limit SECONDS",
)  # fmt: skip
FAILED = FindingKind(
    "check-failed", Severity.WARNING,
    "{name} could not be checked because of a fault in this program: {error}",
    "Please report it, with the lines about {name} in /var/log/messages.",
)  # fmt: skip
