# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of our own plugin of qpsmtpd: which recipients are accepted."""

from collections.abc import Mapping

from mxbackup.esmith.host import QPSMTPD, QPSMTPD_CONFIGS
from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients import policies
from mxbackup.recipients.policies import Known
from mxbackup.rules import RuleSet
from mxbackup.targets.target import Target


class Qpsmtpd(Target):
    """It is sorted bytewise to its last line, for the plugin searches it."""

    name = "qpsmtpd"
    path = QPSMTPD / "mxbackup"
    copies = tuple(config / "mxbackup" for config in QPSMTPD_CONFIGS[1:])
    template = "table"
    end = "~ END mxbackup"
    readers = ("qpsmtpd",)

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """Keys and policies."""
        return {"table": policies.table(in_force, known)}


TARGET = Qpsmtpd()
