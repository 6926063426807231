# SPDX-License-Identifier: GPL-2.0-or-later
"""What Postfix on a host is told of where mail goes: its parameters, its transport tables, its own addresses.

What master.cf says otherwise for one service is not looked at.
"""

import re
import socket
from collections.abc import Container, Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path

from mxbackup.esmith import postfix
from mxbackup.esmith.host import Host
from mxbackup.esmith.settings import Settings
from mxbackup.hosts.maincf import items
from mxbackup.lookup import interfaces
from mxbackup.lookup.interfaces import Own
from mxbackup.routing.entries import entries, keys
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.postfix.system import System
from mxbackup.routing.postfix.transport import ANY_NAME, MAILBOX
from mxbackup.rules import Kind, RuleSet
from mxbackup.targets import transport

PARAMETERS = (
    "relay_transport", "relayhost", "smtp_fallback_relay", "parent_domain_matches_subdomains", "inet_protocols",
    "smtp_dns_support_level", "disable_dns_lookups", "smtp_host_lookup", "ignore_mx_lookup_error",
    "smtp_defer_if_no_mx_address_found", "best_mx_transport", "soft_bounce", "smtp_mx_address_limit",
    "smtp_balance_inet_protocols", "smtp_address_preference",
)  # fmt: skip
# What a Postfix does that does not have these parameters (postconf(5): they are there since 2.11 and 3.3).
EARLIER = {"smtp_dns_support_level": "", "smtp_balance_inet_protocols": "no"}
ETC_HOSTS = Path("/etc/hosts")
# Maps of patterns, which are asked for a whole address only, not for a name (DICT_FLAG_PATTERN).
_PATTERNS = re.compile(r"(?:proxy:)?(?:(?:pipemap|unionmap):\{\s*)?(?:regexp|pcre|cidr):")


def system(host: Host) -> System:
    """Return Postfix with its parameters, for the names of rules: these stand in relay_domains. Raises HostError."""
    said = EARLIER | postfix.parameters(host, *PARAMETERS)
    protocols = items(said["inet_protocols"])
    look_ups = items(said["smtp_host_lookup"])
    level = said["smtp_dns_support_level"] or ("disabled" if said["disable_dns_lookups"] == "yes" else "enabled")
    native = "native" in look_ups or level == "disabled"
    return System(
        Postfix(
            transport=said["relay_transport"],
            relayhost=said["relayhost"],
            fallback_relay=said["smtp_fallback_relay"],
            parents_match="transport_maps" in items(said["parent_domain_matches_subdomains"]),
            types=tuple(kind for kind, name in (("A", "ipv4"), ("AAAA", "ipv6")) if {name, "all"} & set(protocols)),
            mx=level != "disabled",
            dns="dns" in look_ups and level != "disabled",
            native=native,
            hosts=_etc_hosts(host) if native else {},
            ignore_mx_failure=said["ignore_mx_lookup_error"] == "yes",
            defer_without_address=said["smtp_defer_if_no_mx_address_found"] == "yes",
            best_mx_transport=said["best_mx_transport"],
            soft_bounce=said["soft_bounce"] == "yes",
            address_limit=int(said["smtp_mx_address_limit"]),
            balance=said["smtp_balance_inet_protocols"] == "yes",
            preference=said["smtp_address_preference"],
            smtp_services=postfix.services(host, "smtp"),
        )
    )


class TransportMaps(Mapping[str, str]):
    """The entries of transport_maps, looked up one by one as Postfix does: see `HostKind.routes`. Has no length."""

    def __init__(self, host: Host, before: Container[str], after: Mapping[str, str]) -> None:
        """Raises HostError, as each look-up does."""
        self._host = host
        self._maps = items(postfix.parameters(host, "transport_maps")["transport_maps"])
        self._before = before
        self._known: dict[str, str | None] = dict(after)

    def __getitem__(self, key: str) -> str:
        if key not in self._known:
            self._known[key] = None if key in self._before else self._look_up(key)
        found = self._known[key]
        if found is None:
            raise KeyError(key)
        return found

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        raise TypeError("the tables of Postfix cannot be listed")

    def __len__(self) -> int:
        raise TypeError("the tables of Postfix cannot be counted")

    def _look_up(self, key: str) -> str | None:
        whole = "@" in key or key == ANY_NAME
        asked = (table for table in self._maps if whole or not _PATTERNS.match(table))
        return next((found for table in asked if (found := postfix.look_up(self._host, table, key)) is not None), None)


def routes_meant(rules: RuleSet, settings: Settings) -> dict[str, str]:
    """Return the entries that the rules ask for. Those of a host rule count for whole addresses only."""
    in_force = rules if settings.enabled else RuleSet()
    return {
        key if rule.kind == Kind.DOMAIN else f"{MAILBOX}@{key}": transport.next_hop(rule, relay, settings)
        for rule, relay in entries(in_force, settings)
        for key in keys(rule)
    }


def own_addresses(host: Host) -> Own:
    """Return those of inet_interfaces, and with them those of proxy_interfaces. Raises HostError."""
    said = postfix.parameters(host, "inet_interfaces", "proxy_interfaces")
    here = interfaces.addresses() | interfaces.addresses_of_ipv6()
    match said["inet_interfaces"]:
        case "all":
            found = here
        case "loopback-only":
            found = frozenset(address for address in here if ip_address(address).is_loopback)
        case named:
            found = frozenset(address for item in items(named) for address in _addresses(item))
    proxies = (address for item in items(said["proxy_interfaces"]) for address in _addresses(item))
    return Own(found, tuple(map(ip_network, proxies)))


def _addresses(item: str) -> list[str]:
    """The addresses of a host in main.cf, which may stand in brackets; none where it cannot be looked up."""
    try:
        found = socket.getaddrinfo(item.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found]


def _etc_hosts(host: Host) -> dict[str, tuple[str, ...]]:
    """The names of hosts(5), in lower case, each with its addresses."""
    path = host.path(ETC_HOSTS)
    found: dict[str, tuple[str, ...]] = {}
    for line in path.read_text("latin-1").splitlines() if path.exists() else ():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found[name.lower()] = (*found.get(name.lower(), ()), address)
    return found
