# SPDX-License-Identifier: GPL-2.0-or-later
"""Where mail for a name goes: smtproutes, else its MX records, else its address, as qmail-remote does."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Where the packages of the contrib lie, of which dnspython is the only one used.
LIBRARY = "/usr/share/mxbackup/lib"
PATIENCE = 10.0  # seconds for one question to the DNS


def routing(control: Path) -> Callable[[str], list[tuple[str, int]]]:
    """Return what gives a name's addresses and ports, the best first, reading smtproutes anew for each."""

    def route(name: str) -> list[tuple[str, int]]:
        relay = relay_for(name, (control / "smtproutes").read_text() if (control / "smtproutes").exists() else "")
        host, _, port = relay.rpartition(":") if relay and not relay.endswith("]") and ":" in relay else (relay, "", "")
        hosts = [host.strip("[]")] if host else _exchangers(name)
        return [(address, int(port or 25)) for host in hosts for address in _addresses(host)]

    return route


def relay_for(name: str, smtproutes: str) -> str:
    """Return what smtproutes gives for a name: the name itself, then its suffixes, then the default."""
    lines = (line.rstrip(" \t") for line in smtproutes.split("\n") if not line.startswith("#"))
    routes = {key.lower(): relay for key, colon, relay in (line.partition(":") for line in lines) if colon}
    suffixes = [name[at:] for at, char in enumerate(name) if char == "." and at]
    return next((routes[key] for key in (name, *suffixes, "") if key in routes), "")


def _exchangers(name: str) -> list[str]:
    records = _ask(name, "MX")
    best = sorted((record.preference, record.exchange.to_text(omit_final_dot=True)) for record in records)
    return [host for _, host in best] or [name]


def _addresses(host: str) -> list[str]:
    if host.replace(".", "").isdigit():
        return [host]
    return [record.address for record in _ask(host, "A")]


def _ask(name: str, kind: str) -> list[Any]:
    """Return the records of a name. Raises OSError when there is no answer."""
    if LIBRARY not in sys.path and os.path.isdir(LIBRARY):
        sys.path.append(LIBRARY)
    try:
        resolver = importlib.import_module("dns.resolver")
    except ImportError as error:
        raise OSError("no dnspython") from error
    try:
        return list(resolver.resolve(name + ".", kind, lifetime=PATIENCE))
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return []
    except resolver.NoResolverConfiguration as error:
        raise OSError("no name server") from error
    except Exception as error:  # whatever dnspython makes of a fault: to be tried again
        raise OSError(str(error)) from error
