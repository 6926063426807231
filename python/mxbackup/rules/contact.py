# SPDX-License-Identifier: GPL-2.0-or-later
"""The contact of a rule: the address of who owns the name, to be written to while its primary is down."""

import re

from mxbackup.errors import InvalidName, InvalidRule
from mxbackup.rules import names
from mxbackup.rules.rule import Rule, shown

# Dot-string of RFC 5321 section 4.1.2, at most 64 octets by section 4.5.3.1.1, without "|", which no record can hold.
# A quoted local part and an address literal, which RFC 5321 has too, are no address that people give.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{}~-]+"
_LOCAL_PART = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")


def parse(text: str) -> str:
    """Return the mailbox (RFC 5321 section 4.1.2), its domain in lower case and A-labels; empty for empty.

    Raises InvalidRule.
    """
    text = text.strip(" \t")
    if not text:
        return ""
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        raise InvalidRule("Contact", '"{value}" is no e-mail address. Give one such as jean@example.org.', value=text)
    try:
        return f"{local}@{names.parse_host(domain)}"
    except InvalidName as error:
        raise InvalidRule("Contact", 'In the address "{value}": {reason}', value=text, reason=error) from error


def inside(rule: Rule) -> InvalidRule | None:
    """Return why the rule's contact cannot be told of an outage: its mail would wait with all the rest."""
    if not rule.covers(rule.contact.rpartition("@")[2]):
        return None
    return InvalidRule(
        "Contact",
        'Mail for "{value}" waits here too while the primary of {name} is down. Give an address somewhere else.',
        value=rule.contact,
        name=shown(rule),
    )
