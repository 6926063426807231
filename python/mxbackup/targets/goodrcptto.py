# SPDX-License-Identifier: GPL-2.0-or-later
"""`goodrcptto`, where it is in use: the recipients that the plugin check_goodrcptto of qpsmtpd lets pass."""

from mxbackup.esmith.host import QPSMTPD, Host
from mxbackup.rules import RuleSet
from mxbackup.targets.target import Target


class Goodrcptto(Target):
    """Without any entry the plugin is off, and ours would switch it on for all local users."""

    name = "goodrcptto"
    path = QPSMTPD / "goodrcptto"
    readers = ("qpsmtpd",)

    def share(self, host: Host, rules: RuleSet) -> RuleSet:
        """All rules where there are entries of others, else none."""
        return rules if host.others_fill(self.path) else RuleSet()


TARGET = Goodrcptto()
