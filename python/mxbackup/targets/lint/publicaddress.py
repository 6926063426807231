# SPDX-License-Identifier: GPL-2.0-or-later
"""What PublicAddress in our record of the `configuration` database holds besides IP addresses."""

import ipaddress
from collections.abc import Iterator

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.host import DATABASES
from mxbackup.esmith.settings import Settings

CONFIGURATION = DATABASES / "configuration"
BAD_PUBLIC_ADDRESS = FindingKind(
    "bad-public-address", Severity.WARNING,
    '"{text}" in PublicAddress is no IP address and has no effect.',
    "State it again: mxbackup address ADDRESS",
)  # fmt: skip


def lint(settings: Settings) -> Iterator[Finding]:
    """Yield each of it."""
    for text in sorted(settings.public_addresses):
        if not _is_address(text):
            yield BAD_PUBLIC_ADDRESS.found(CONFIGURATION, text=text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
