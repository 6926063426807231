# SPDX-License-Identifier: GPL-2.0-or-later
"""`relay_domains` and `relay_hosts`: the names for which Postfix accepts mail, of domain rules and of host rules."""

from collections.abc import Mapping

from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients.policies import Known
from mxbackup.routing.entries import keys
from mxbackup.rules import Kind, RuleSet
from mxbackup.targets.postfixtable import DIRECTORY, PostfixTable

VALUE = "mxbackup"  # that there is one counts, not which


class RelayDomains(PostfixTable):
    """The domain rules."""

    name = "relay_domains"
    path = DIRECTORY / "relay_domains"
    kind = Kind.DOMAIN
    accepts, accepts_below = r"^([a-z0-9][^\s:]*)\t", r"^\.(\S+)\t"

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """Names, each with a value."""
        return {"table": [(key, VALUE) for rule in in_force if rule.kind == self.kind for key in keys(rule)]}


class RelayHosts(RelayDomains):
    """The host rules, which reach no further than the name."""

    name = "relay_hosts"
    path = DIRECTORY / "relay_hosts"
    kind = Kind.HOST
    whole_names = True


DOMAINS, HOSTS = RelayDomains(), RelayHosts()
