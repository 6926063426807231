# SPDX-License-Identifier: GPL-2.0-or-later
"""A route, `host[:port]` as qmail's smtproutes takes it (qmail-remote(8)): from what a person typed, and its parts."""

import ipaddress
import re

from mxbackup.errors import InvalidInput, InvalidRule
from mxbackup.rules import names
from mxbackup.rules.localmail import LocalMail

SMTP_PORT = 25


def parse(text: str) -> str:
    """Return `host[:port]` as qmail's smtproutes takes it (qmail-remote(8)); empty for empty.

    The host is a name of two labels or more, or an IPv4 address, in brackets when a port follows.
    Raises InvalidRule.
    """
    text = text.strip(" \t")
    if not text:
        return ""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    host, port = bracketed.groups() if bracketed else _split_port(text)
    address = _ipv4(host)
    if address is None:
        host = _host(host, text) if not bracketed else _bad(text)
    if port is None:
        return host
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise InvalidRule("Route", 'In the route "{route}" the port must be a number from 1 to 65535.', route=text)
    return f"[{host}]:{int(port)}" if address else f"{host}:{int(port)}"


def parts(route: str) -> tuple[str, int]:
    """Return host and port of a route that `parse` made."""
    host, _, port = route.partition(":")
    return host.strip("[]"), int(port or SMTP_PORT)


def leads_here(host: str, here: LocalMail) -> bool:
    """Whether the host of a route is an address of this server."""
    address = _ipv4(host)
    if address is None:
        return False
    return address.is_loopback or address.is_unspecified or host in here.own_addresses()


def _split_port(text: str) -> tuple[str, str | None]:
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _ipv4(host: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(host)
    except ValueError:
        return None


def _host(host: str, route: str) -> str:
    try:
        return names.parse_host(host)
    except InvalidInput:
        return _bad(route)


def _bad(route: str) -> str:
    raise InvalidRule(
        "Route",
        'The route "{route}" is not understood. Give a host name or an IPv4 address, with a port if need be: '
        "mail.example.com, mail.example.com:26, 192.0.2.1 or [192.0.2.1]:26.",
        route=route,
    )
