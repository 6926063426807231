# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks what the world is told about the mail of a name. Each function raises TimeIsUp or TooMany."""

from mxbackup.check.published import Exchanger
from mxbackup.lookup import answers, mtasts
from mxbackup.lookup.clock import Clock
from mxbackup.lookup.nameservers import Dns

POLICY_LIMIT = 5.0  # seconds


def exchanger(dns: Dns, preference: int, name: str, *, ipv6: bool) -> Exchanger:
    """Return what is known of the host in an MX record; `ipv6` is whether its addresses of that kind are used."""
    if not name or answers.literal(name):
        return Exchanger(preference, name)
    alias = bool(dns.lookup(name, "CNAME").records)
    return Exchanger(preference, name, dns.lookup(name, "A"), dns.lookup(name, "AAAA"), alias, ipv6)


def policy(dns: Dns, name: str, clock: Clock) -> tuple[mtasts.Policy | None, str]:
    """Return the name's MTA-STS policy, and why an announced one is not to be had: `no-tls` or `unreadable`."""
    if not mtasts.announced(dns.lookup(f"_mta-sts.{name}", "TXT").records):
        return None, ""
    host = mtasts.host_of(name)
    addresses = (*dns.lookup(host, "A").records, *dns.lookup(host, "AAAA").records)
    try:
        return mtasts.fetch(name, addresses, Clock(POLICY_LIMIT, clock)), ""
    except mtasts.NoTls:
        return None, "no-tls"
    except mtasts.Unreadable:
        clock.left()  # raises where it might have been read in all of its time
        return None, "unreadable"
