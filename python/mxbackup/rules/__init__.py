# SPDX-License-Identifier: GPL-2.0-or-later
"""What we are backup MX for: names, rules, and which of them decides. Pure.

`names` is the only place that knows what a domain name is, `rule` says what one rule is, `properties` is the table of
what one can say of it, `record` how a database holds it, `ruleset` all rules of a server together, `localmail` which
names are this server's own. Imports `errors` alone.
"""

from mxbackup.rules.properties import PROPERTIES, About, Property, adds_nothing
from mxbackup.rules.record import ORIGIN, RECORD_TYPE, from_record, make, revise, to_properties
from mxbackup.rules.route import parse as parse_route
from mxbackup.rules.rule import (
    Kind,
    Recipients,
    Rule,
    SmartHostUse,
    Unknown,
    check_local,
    check_new,
    shown,
    to_own_port,
)
from mxbackup.rules.ruleset import RuleSet

__all__ = [
    "ORIGIN",
    "PROPERTIES",
    "RECORD_TYPE",
    "About",
    "Kind",
    "Property",
    "Recipients",
    "Rule",
    "RuleSet",
    "SmartHostUse",
    "Unknown",
    "adds_nothing",
    "check_local",
    "check_new",
    "from_record",
    "make",
    "parse_route",
    "revise",
    "shown",
    "to_own_port",
    "to_properties",
]
