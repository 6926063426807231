# SPDX-License-Identifier: GPL-2.0-or-later
"""What main.cf says about where mail goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Postfix:
    """The parameters that decide where mail goes (postconf(5)), with their defaults.

    `transport` is relay_transport for a name of relay_domains, default_transport for any other. `parents_match`:
    `transport_maps` stands in parent_domain_matches_subdomains, so that in it `dom` covers what lies below it and
    `.dom` nothing, otherwise `.dom` does. `types` are those of the records of addresses that inet_protocols allows.
    `dns` and `native` are what smtp_host_lookup has; by the second `hosts` (/etc/hosts) count. `mx` is not
    smtp_dns_support_level=disabled, which makes look-ups `native` alone. `preference` is the family of
    smtp_address_preference. `smtp_services` are the names in master.cf whose command is smtp.
    """

    transport: str = "smtp"
    relayhost: str = ""
    fallback_relay: str = ""
    parents_match: bool = False
    types: tuple[str, ...] = ("A", "AAAA")
    mx: bool = True
    dns: bool = True
    native: bool = False
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    ignore_mx_failure: bool = False
    defer_without_address: bool = False
    best_mx_transport: str = ""
    soft_bounce: bool = False
    address_limit: int = 5
    balance: bool = True
    preference: str = "any"
    smtp_services: frozenset[str] = frozenset({"smtp", "relay"})


DEFAULTS = Postfix()
