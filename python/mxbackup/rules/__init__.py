# SPDX-License-Identifier: GPL-2.0-or-later
"""What we are backup MX for: names, rules, and which of them decides. Pure.

`names` is the only place that knows what a domain name is, `rule` what one rule is and how a record holds it,
`ruleset`
all rules of a server together, `localmail` which names are this server's own. Imports `errors` alone.
"""

from mxbackup.rules.rule import (
    RECORD_TYPE,
    Kind,
    Recipients,
    Rule,
    SmartHostUse,
    Unknown,
    adds_nothing,
    check_local,
    check_new,
    from_record,
    make,
    parse_route,
    revise,
    shown,
    to_own_port,
    to_properties,
)
from mxbackup.rules.ruleset import RuleSet

__all__ = [
    "RECORD_TYPE",
    "Kind",
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
