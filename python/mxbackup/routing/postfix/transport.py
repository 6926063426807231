# SPDX-License-Identifier: GPL-2.0-or-later
"""Which service and next hop Postfix finds for a name (trivial-rewrite(8), transport(5)). Pure.

Follows resolve.c, transport.c, mail_addr_find.c, dsn_util.c, host_port.c and valid_hostname.c.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.verdict import Route
from mxbackup.smtp import SMTP_PORT

MAILBOX = "postmaster"
ANY_NAME = "*"
UNDELIVERABLE = "Address is undeliverable"
PORTS = 1 << 16
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"(?![0-9.]*$)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_BRACKETED = re.compile(r"\[(ipv6:)?([^]]*)\](?::(.*)|)", re.IGNORECASE | re.DOTALL)
_SERVICES = {"smtp": SMTP_PORT, "smtps": 465, "submissions": 465, "submission": 587}


@dataclass(frozen=True, slots=True)
class Way:
    """The service of master.cf that gets a message, what it is given, and the key of the entry that says so, if any."""

    service: str
    nexthop: str
    key: str | None = None


class Site(NamedTuple):
    """A destination that smtp(8) is given; of one in brackets it looks no MX up."""

    host: str
    port: int
    bracketed: bool


def keys(name: str, postfix: Postfix) -> tuple[str, ...]:
    """Return the keys of the transport table that count for mail to MAILBOX at a name; the first one found decides.

    Tables of patterns are asked for the whole address and for ANY_NAME alone.
    """
    labels = name.lower().split(".")
    dot = "" if postfix.parents_match else "."
    parents = (dot + ".".join(labels[start:]) for start in range(1, len(labels)))
    return (f"{MAILBOX}@{name.lower()}", name.lower(), *parents, ANY_NAME)


def resolve(name: str, table: Mapping[str, str], postfix: Postfix) -> Way:
    """Return where mail for a name that is neither local nor virtual goes.

    `table` holds the entries of transport_maps by key in lower case.
    """
    service, _, fixed = postfix.transport.partition(":")
    usual = Way(service, fixed or postfix.relayhost or name)
    key = next((key for key in keys(name, postfix) if key in table), None)
    if key is None:
        return usual
    service, _, nexthop = table[key].partition(":")
    if not service:  # the service stays
        return Way(usual.service, nexthop or usual.nexthop, key)
    return Way(service, nexthop or (UNDELIVERABLE if service in ("error", "retry") else name), key)


def route(name: str, table: Mapping[str, str], postfix: Postfix) -> Route | None:
    """Return what the table and `relayhost` say of a name, None where neither says anything.

    The host is None where it is found by the MX records of the name itself, and the text as it stands where it is no
    destination of smtp(8).
    """
    way = resolve(name, table, postfix)
    key = "" if way.key in (None, ANY_NAME) else str(way.key).rpartition("@")[2]
    if way.nexthop == name:
        return None if way.key is None else Route(key)
    found = site_of(way.nexthop)
    return Route(key, found.host, found.port) if found else Route(key, way.nexthop)


def site_of(destination: str) -> Site | None:
    """Return what a destination is, None for what smtp(8) takes for a fatal error: mail stays in the queue."""
    if destination.startswith("["):
        found = _BRACKETED.fullmatch(destination)
        if not found or (found[1] and not is_ipv6(found[2])):
            return None
        host, service = found[2], found[3]
    else:
        host, colon, service = destination.rpartition(":")
        if not colon:
            host, service = destination, ""
    number = _port(service or "smtp")
    valid = is_hostname(host, wildcard=False) or is_address(host)
    return Site(host, number, destination.startswith("[")) if valid and number else None


def status_code(text: str) -> str:
    """Return the enhanced status code (RFC 3463) that a text begins with, empty where there is none (dsn_valid)."""
    found = re.match(r"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s|$)", text, re.ASCII)
    return found[1] if found else ""


def is_hostname(text: str, *, wildcard: bool = True) -> bool:
    """Whether Postfix takes a text for the name of a host, which it asks the DNS for."""
    return len(text) <= 255 and bool(_HOSTNAME.fullmatch(text)) and (wildcard or not text.startswith("*"))


def is_address(text: str) -> bool:
    """Whether Postfix takes a text for an address."""
    return is_ipv6(text) if ":" in text else is_ipv4(text)


def is_ipv4(text: str) -> bool:
    """Four numbers up to 255; the first one is 0 only where all are (valid_ipv4_hostaddr)."""
    if not re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", text, re.ASCII):
        return False
    numbers = [int(number[-9:]) for number in text.split(".")]
    return max(numbers) <= 255 and (numbers[0] > 0 or not any(numbers))


def is_ipv6(text: str) -> bool:
    """An address of IPv6, without a zone."""
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return False
    return True


def _port(service: str) -> int:
    """The number of a port; 0 for one that Postfix does not know."""
    if not re.fullmatch(r"[0-9]+", service, re.ASCII):
        return _SERVICES.get(service, 0)
    number = int(service[:9])
    return number if number < PORTS else 0
