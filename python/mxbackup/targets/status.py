# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a file holds our share as it should be."""

from dataclasses import dataclass

from mxbackup.errors import HostError
from mxbackup.esmith.expansion import Target


@dataclass(frozen=True)
class TargetStatus:
    """Whether the host has a target, and whether the file holds what would be rendered now; if not, why."""

    target: Target
    present: bool
    current: bool
    reason: HostError | None = None

    @property
    def outdated(self) -> bool:
        """Whether the host has the target and its file does not hold the rules."""
        return self.present and not self.current
