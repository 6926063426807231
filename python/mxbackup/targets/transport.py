# SPDX-License-Identifier: GPL-2.0-or-later
"""`transport` and `transport_hosts`: where Postfix sends the mail of domain rules and of host rules (transport(5))."""

import re
from collections.abc import Mapping
from contextlib import suppress

from mxbackup.errors import HostError
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import Known
from mxbackup.routing.entries import Way, entries, keys, meant_way
from mxbackup.rules import Kind, Rule, RuleSet, route
from mxbackup.targets import block, controlfile
from mxbackup.targets.postfixtable import DIRECTORY, PostfixTable

AS_WITHOUT = ":"
BY_MX = "relay:"  # the MX records of the recipient's own domain, whatever relayhost says


class Transport(PostfixTable):
    """The domain rules that need an entry; those that are draining have their way out alone."""

    name = "transport"
    path = DIRECTORY / "transport"
    kind = Kind.DOMAIN

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """Names, and the next hop of each."""
        routed = RuleSet([*in_force, *inventory.draining]) if inventory.draining else in_force
        current = inventory.settings
        needed = [(rule, relay) for rule, relay in entries(routed, current) if rule.kind == self.kind]
        return {"table": [(key, next_hop(rule, relay, current)) for rule, relay in needed for key in keys(rule)]}


class TransportHosts(Transport):
    """The host rules."""

    name = "transport_hosts"
    path = DIRECTORY / "transport_hosts"
    kind = Kind.HOST
    whole_names = True


DOMAINS, HOSTS = Transport(), TransportHosts()


def written(host: Host) -> dict[str, str]:
    """Return our entries, each with its relay; none of a table that cannot be read, which is told elsewhere."""
    found: dict[str, str] = {}
    for target in (DOMAINS, HOSTS):
        with suppress(HostError):
            lines = block.inside(controlfile.read(host, target.path) or "").splitlines()
            found |= {key: _relay(hop) for key, tab, hop in (line.partition("\t") for line in lines) if tab}
    return found


def _relay(hop: str) -> str:
    """Return the route that `next_hop` made an entry of; empty for one that follows the MX records."""
    named = re.fullmatch(r":\[(.+)\]:([0-9]+)", hop)
    return f"[{named[1]}]:{named[2]}" if named and named[1][-1].isdigit() else f"{named[1]}:{named[2]}" if named else ""


def next_hop(rule: Rule, relay: str, settings: Settings) -> str:
    """Return the entry of a rule for its relay; without a transport the server's own for such mail is used.

    A route is a host, so it is looked up by its address. Neither transport nor next hop is what would be without any
    entry: through relayhost, whatever that is by then (transport(5)).
    """
    match meant_way(rule, settings):
        case Way.ROUTE:
            host, port = route.parts(relay)
            return f":[{host}]:{port}"
        case Way.SMARTHOST:
            return AS_WITHOUT
        case _:
            return BY_MX
