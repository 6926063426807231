# SPDX-License-Identifier: GPL-2.0-or-later
"""What we are backup MX for: names, rules, and which of them can stand together. Pure.

`names` is the only place that knows what a domain name is, `rule` what one rule is and how a record holds it,
`localmail` which names are this server's own. Imports `errors` alone.
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
    covering,
    from_record,
    make,
    parse_route,
    revise,
    shown,
    to_own_port,
    to_properties,
)

__all__ = [
    "RECORD_TYPE",
    "Kind",
    "Recipients",
    "Rule",
    "SmartHostUse",
    "Unknown",
    "adds_nothing",
    "check_local",
    "check_new",
    "covering",
    "from_record",
    "make",
    "parse_route",
    "revise",
    "shown",
    "to_own_port",
    "to_properties",
]
