# SPDX-License-Identifier: GPL-2.0-or-later
"""`goodrcptto`, where it is in use: the recipients that the plugin check_goodrcptto of qpsmtpd lets pass."""

from mxbackup.esmith.host import QPSMTPD, QPSMTPD_CONFIGS, Host
from mxbackup.rules import RuleSet
from mxbackup.targets.target import Target


class Goodrcptto(Target):
    """Without any entry the plugin is off, and ours would switch it on for all local users."""

    name = "goodrcptto"
    path = QPSMTPD / "goodrcptto"
    copies = tuple(config / "goodrcptto" for config in QPSMTPD_CONFIGS[1:])
    readers = ("qpsmtpd",)

    def share(self, host: Host, rules: RuleSet) -> RuleSet:
        """All rules where there are entries of others, else none; in its copies too."""
        made = [path for path in self.copies if host.expands(path)]
        return rules if all(map(host.others_fill, [self.path, *made])) else RuleSet()


TARGET = Goodrcptto()
