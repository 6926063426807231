# SPDX-License-Identifier: GPL-2.0-or-later
"""What main.cf of Postfix has to say for our tables to count, and what it says besides (postconf(5))."""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith import postfix
from mxbackup.esmith.host import POSTFIX, Host
from mxbackup.esmith.postfix import SettingChange
from mxbackup.targets import postfixtable, relay_domains, transport
from mxbackup.targets.postfixtable import DIRECTORY, PostfixTable

PATH = POSTFIX / "main.cf"
LOCAL = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains")
RESTRICTIONS = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
# Which parameter has to name which of our tables; the one for hosts first, for it is the quicker one.
NEEDED: Mapping[str, tuple[PostfixTable, ...]] = {
    "relay_domains": (relay_domains.HOSTS, relay_domains.DOMAINS),
    "transport_maps": (transport.HOSTS, transport.DOMAINS),
}
# The prefixes of the largest networks that are private, by version of IP (RFC 1918, RFC 4193).
LARGEST = {4: 8, 6: 7}

NOT_NAMED = FindingKind(
    "postfix-not-configured", Severity.ERROR,
    "{parameter} does not name our tables, so the rules are not in force.",
    "To have it done: mxbackup apply --configure; to see it first, add --dry-run.",
    source="postconf(5)",
)  # fmt: skip
MX_BACKUP = FindingKind(
    "permit-mx-backup", Severity.WARNING,
    "permit_mx_backup in {parameter} accepts mail for every name whose MX records lead here, whatever the rules say.",
    "Take it out, and make rules for those names.",
    source="postconf(5)",
)  # fmt: skip
OPEN_NETWORK = FindingKind(
    "open-relay", Severity.ERROR,
    "mynetworks holds {network}: everybody there may send mail to anywhere through this server (open relay).",
    "Name your own networks there, and no other.",
    source="postconf(5)",
)  # fmt: skip
REFUSED_RECIPIENTS = FindingKind(
    "relay-recipients", Severity.ERROR,
    "relay_recipient_maps is set, so recipients of the rules that stand in none of its tables are refused.",
    "Add them there, or leave it empty.",
    source="postconf(5)",
)  # fmt: skip

_ITEM = re.compile(r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|[^\s,{}])+")


def items(value: str) -> list[str]:
    """Return the items of a list in main.cf; what stands in braces is one."""
    return _ITEM.findall(value)


def local_names(values: Mapping[str, str]) -> frozenset[str]:
    """Return the names that Postfix delivers itself, of the values of the parameters LOCAL; not those in tables."""
    found = (item for name in LOCAL for item in items(values.get(name, "")))
    return frozenset(item.lower() for item in found if ":" not in item and "/" not in item)


def changes(host: Host) -> list[SettingChange]:
    """Return what is to be changed for our tables to count. What else stands there stays. Raises HostError."""
    expanded, written = (postfix.parameters(host, *NEEDED, expanded=way) for way in (True, False))
    kind = postfixtable.table_type(host)
    found = []
    for name, tables in NEEDED.items():
        ours = [table.lookup(kind) for table in tables]
        before = written[name] if expanded[name] else ""  # a default may be empty, and long
        if set(ours) - set(items(expanded[name])):
            found.append(SettingChange(name, before, _with(ours, before)))
    return found


def findings(host: Host) -> list[Finding]:
    """Return what is missing, and what accepts mail besides the rules, or refuses it. Raises HostError."""
    missing = [NOT_NAMED.found(PATH, parameter=change.name) for change in changes(host)]
    values = postfix.parameters(host, *RESTRICTIONS, "mynetworks", "relay_recipient_maps")
    return [*missing, *_besides(values)]


def _besides(values: Mapping[str, str]) -> Iterator[Finding]:
    for name in RESTRICTIONS:
        if "permit_mx_backup" in items(values.get(name, "")):
            yield MX_BACKUP.found(PATH, parameter=name)
    for network in filter(_is_open, items(values["mynetworks"])):
        yield OPEN_NETWORK.found(PATH, network=network)
    if values["relay_recipient_maps"]:
        yield REFUSED_RECIPIENTS.found(PATH)


def _is_open(item: str) -> bool:
    """Whether an item of mynetworks holds more than any private network; a table is not looked into."""
    try:
        network = ipaddress.ip_network(re.sub(r"[][]", "", item), strict=False)
    except ValueError:
        return False
    return network.prefixlen < LARGEST[network.version]


def _with(ours: list[str], written: str) -> str:
    """Return a list with our tables first, so that none before them decides, and once."""
    found = items(written)
    others = [item for item in found if f":{DIRECTORY}/" not in item]
    return " ".join([*ours, *([written] if others == found and found else others)])
