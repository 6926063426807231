# SPDX-License-Identifier: GPL-2.0-or-later
"""An owner's look at all mail exchangers of his domain, from any machine; and what has changed since the last one."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from mxbackup.audit import memory
from mxbackup.audit.asking import Auditor, Request
from mxbackup.audit.facts import Audited
from mxbackup.audit.findings import judge
from mxbackup.audit.memory import Memory
from mxbackup.check import collecting
from mxbackup.errors import Finding, HostError, InvalidInput
from mxbackup.esmith import files
from mxbackup.lookup import interfaces
from mxbackup.service.context import Context
from mxbackup.smtp import starttls


@dataclass(frozen=True)
class Audit:
    """What was found out about a domain, and what that means, errors first."""

    facts: Audited
    findings: tuple[Finding, ...]


def audit(context: Context, request: Request, limit: float) -> Audit:
    """Ask all mail exchangers of a domain as a stranger, in `limit` seconds. Never raises for what it finds."""
    negotiate = starttls.negotiate if starttls.available() else None
    facts = Auditor(collecting.dns_at(context.kind), interfaces.interfaces(), negotiate=negotiate).audit(request, limit)
    return Audit(facts, judge(facts))


def default_state(domain: str) -> Path:
    """Return the file in which the last audit of a domain is remembered (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local/state"
    return home / "mxbackup/audit" / f"{domain}.json"


def remembered(path: Path, domain: str) -> Memory | None:
    """Return what the file holds of the last audit, None without a file. Raises InvalidInput where it holds others."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError("{path} cannot be used: {reason}.", path=path, reason=error.strerror) from error
    try:
        return memory.parse(json.loads(content), domain)
    except (ValueError, InvalidInput) as error:
        raise InvalidInput(
            "{path} is not what an audit of {name} has remembered, and stays as it is. Give another, or remove it.",
            path=path,
            name=domain,
        ) from error


def remember(path: Path, found: Memory) -> None:
    """Store an audit for the next one. Raises HostError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, f"{json.dumps(found.json(), indent=1)}\n".encode(), mode=0o600)
    except OSError as error:
        raise HostError("{path} cannot be used: {reason}.", path=path, reason=error.strerror) from error
