# SPDX-License-Identifier: GPL-2.0-or-later
"""From where a mail server was asked: what it says to strangers is heard from outside its network alone."""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from mxbackup.lookup.interfaces import Interface
from mxbackup.smtp.client import Dialogue

_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]", re.IGNORECASE)
# Addresses that no stranger has: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291, and those of the machine itself.
_INSIDE = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
         "192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)  # fmt: skip


class Vantage(StrEnum):
    """Where this machine stands, as a mail server sees it."""

    OUTSIDE = "outside"
    SERVER = "server"  # it is that server
    NETWORK = "network"  # it is in the server's network
    INSIDE = "inside"  # the server sees an address that no stranger has


def is_inside(address: str) -> bool:
    """Whether an address leads nowhere from the Internet, as IPv6 may say it of one of IPv4, too."""
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in _INSIDE)


def outside(addresses: Iterable[str]) -> list[str]:
    """Return those that a server elsewhere can see, sorted, IPv4 first; what is no address is left out."""
    found = [address for text in addresses for address in _parsed(text)]
    seen = (address for address in found if not is_inside(str(address)))
    return [str(address) for address in sorted(seen, key=lambda address: (address.version, int(address)))]


def _parsed(text: str) -> list[IPv4Address | IPv6Address]:
    try:
        return [ip_address(text)]
    except ValueError:
        return []


def before(addresses: Iterable[str], interfaces: Collection[Interface]) -> Vantage:
    """Return where we stand to a server at these addresses, before it is asked."""
    found = [ip_address(address) for address in addresses]
    if any(address.is_loopback for address in found) or any(interface.ip in found for interface in interfaces):
        return Vantage.SERVER
    inside = any(address in interface.network for interface in interfaces for address in found)
    return Vantage.NETWORK if inside else Vantage.OUTSIDE


def of(dialogue: Dialogue, interfaces: Collection[Interface]) -> Vantage:
    """Return where we stand to the server of a dialogue, by its address and by what it says of ours."""
    if not dialogue.address:
        return Vantage.OUTSIDE
    known = before([dialogue.address], interfaces)
    if known != Vantage.OUTSIDE:
        return known
    seen = seen_as(dialogue)
    return Vantage.INSIDE if seen and (is_inside(seen) or seen == dialogue.address) else Vantage.OUTSIDE


def seen_as(dialogue: Dialogue) -> str:
    """Return the address that the server calls us by in its greeting, as many do; empty if it does not.

    What it repeats of our own greeting says nothing.
    """
    said = _LITERAL.findall("".join(dialogue.greeting.lines[:1]))
    for text in said[-1:]:
        with suppress(ValueError):
            address = str(ip_address(text))
            ours = {f"{verb} [{kind}{text}]" for verb in ("EHLO", "HELO") for kind in ("", "IPv6:")}
            return "" if ours.intersection(dialogue.transcript) else address
    return ""
