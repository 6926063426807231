# SPDX-License-Identifier: GPL-2.0-or-later
"""What is typed on the command line and goes to other machines: addresses, hosts, names. Wrong use where it may not."""

import ipaddress
import re
from typing import TYPE_CHECKING

import click

from mxbackup.cli.common import _
from mxbackup.rules import names

_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")

if TYPE_CHECKING:
    from mxbackup.lookup.query import Server


def server(text: str) -> "Server":
    """A name server: its address, and its port after a colon."""
    from mxbackup.lookup.query import DNS_PORT, Server

    bracketed = re.fullmatch(r"\[(.+)\](?::([0-9]{1,5}))?", text)
    plain = re.fullmatch(r"([0-9.]+)(?::([0-9]{1,5}))?", text)
    found = bracketed or plain
    ip, port = (found[1], found[2]) if found else (text, None)
    if port and not 0 < int(port) < 65536:
        raise click.UsageError(_('In "{text}" the port must be a number from 1 to 65535.', text=text))
    return Server(address(ip), int(port) if port else DNS_PORT)


def address(text: str) -> str:
    """An IP address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise click.UsageError(_('"{text}" is no IP address.', text=text)) from None


def host(text: str) -> str:
    """Whatever may be connected to: an address, or a name, which may be one of /etc/hosts without any dot."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text if _HOST.fullmatch(text) else names.parse_host(text)


def mailbox(text: str) -> str:
    """An address as it goes between < and >. The domain may be typed in U-labels."""
    local, at, domain = text.rpartition("@")
    if not at or not re.fullmatch(r"[!-;=?-~]{1,64}", local):
        raise click.UsageError(_('"{text}" is no e-mail address. Give one such as postmaster@example.com.', text=text))
    return f"{local}@{names.parse_host(domain)}"


def word(text: str) -> str:
    """What is said in a greeting."""
    if not re.fullmatch(r"[!-~]*", text):
        raise click.UsageError(_('"{text}" is no host name to greet with.', text=text))
    return text


nameserver_option = click.option(
    "--nameserver", "nameservers", multiple=True, metavar="IP[:PORT]",
    callback=lambda *given: [server(text) for text in given[-1]],
    help=_("Ask this name server of the domain."),
)  # fmt: skip
public_option = click.option(
    "--public-address", "public", multiple=True, metavar="IP",
    callback=lambda *given: [address(text) for text in given[-1]],
    help=_("An address that leads to this server (NAT)."),
)  # fmt: skip
