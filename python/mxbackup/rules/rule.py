# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules: what we are backup MX for, from a database record and back, and which ones can stand together."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from mxbackup.errors import InvalidInput, InvalidName, InvalidRule, RuleExists
from mxbackup.rules import names
from mxbackup.rules.localmail import LocalMail
from mxbackup.rules.names import Name

RECORD_TYPE = "mxbackup"
SMTP_PORT = 25
# C0, DEL and C1; the ends of lines and paragraphs, and what turns the direction of writing (Unicode, UAX 9).
_NOT_IN_REMARKS = re.compile("[|\\\\\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]")


class Kind(StrEnum):
    """How far a rule reaches: the name with everything below it, or exactly the name."""

    DOMAIN = "domain"
    HOST = "host"


class SmartHostUse(StrEnum):
    """Whether the rule's mail goes around the smart host (the default) or through it."""

    BYPASS = "bypass"
    USE = "use"


class Recipients(StrEnum):
    """Which recipients qpsmtpd accepts: all, those of the rule's list, or those the primary says it has."""

    ANY = "any"
    LIST = "list"
    LEARN = "learn"


class Unknown(StrEnum):
    """With LEARN, what happens to recipients that are not known while the primary cannot be asked."""

    ACCEPT = "accept"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Rule:
    """One name this server is backup MX for. `route` is `host[:port]`, or empty to follow the MX records."""

    name: Name
    kind: Kind = Kind.DOMAIN
    route: str = ""
    smarthost: SmartHostUse = SmartHostUse.BYPASS
    recipients: Recipients = Recipients.ANY
    unknown: Unknown = Unknown.ACCEPT
    description: str = ""

    def covers(self, name: str) -> bool:
        """Whether mail for `someone@name` is accepted because of this rule."""
        return name == self.name or (self.kind == Kind.DOMAIN and name.endswith("." + self.name))


def make(
    name: str,
    kind: str = Kind.DOMAIN,
    route: str = "",
    smarthost: str = SmartHostUse.BYPASS,
    description: str = "",
    recipients: str = Recipients.ANY,
    unknown: str = Unknown.ACCEPT,
) -> Rule:
    """Return the rule that these entries, as a person typed them, mean. Raises InvalidInput."""
    parsed = names.parse(name)
    return Rule(parsed, *_choices(kind, route, smarthost, recipients, unknown), _description(description))


def from_record(key: str, properties: Mapping[str, str]) -> tuple[Rule, list[InvalidRule]]:
    """Return the rule a database record holds, and the faults that leave it in force.

    Those are in properties that decide nothing about mail; of what is at fault the rule has as much as can stand.
    Raises InvalidInput, which says why the record holds no rule.
    """
    description, faults = _remark(properties.get("Description", ""))
    rule = make(
        name=key,
        kind=properties.get("Kind", ""),
        route=properties.get("Route", ""),
        smarthost=properties.get("Smarthost", "") or SmartHostUse.BYPASS,
        description=description,
        recipients=properties.get("Recipients", "") or Recipients.ANY,
        unknown=properties.get("Unknown", "") or Unknown.ACCEPT,
    )
    if rule.name != key:
        raise InvalidName('The key "{key}" must be written as "{name}".', key=key, name=rule.name)
    return rule, faults


def revise(
    key: str, recorded: Mapping[str, str], changes: Mapping[str, str | None]
) -> tuple[Rule, dict[str, str | None]]:
    """Return the rule that a record holds after some changes, and the properties to set in it; None removes one.

    A fault that stands in the record and leaves the rule in force stays as it is. Raises InvalidInput for any other.
    """
    merged = {prop: text for prop, text in {**recorded, **changes}.items() if text is not None}
    rule, faults = from_record(key, merged)
    for fault in faults:
        if changes.get(fault.field) is not None:
            raise fault
    left = {fault.field for fault in faults}
    return rule, {prop: text for prop, text in to_properties(rule).items() if prop not in left}


def to_properties(rule: Rule) -> dict[str, str | None]:
    """Return the properties that record the rule; None stands for a property that is not to be there."""
    return {
        "Kind": rule.kind.value,
        "Route": rule.route or None,
        "Smarthost": rule.smarthost.value if rule.smarthost == SmartHostUse.USE else None,
        "Description": rule.description or None,
        "Recipients": rule.recipients.value if rule.recipients != Recipients.ANY else None,
        "Unknown": rule.unknown.value if rule.unknown != Unknown.ACCEPT else None,
    }


def parse_route(text: str) -> str:
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
        host = _route_host(host, text) if not bracketed else _bad_route(text)
    if port is None:
        return host
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise InvalidRule("Route", 'In the route "{route}" the port must be a number from 1 to 65535.', route=text)
    return f"[{host}]:{int(port)}" if address else f"{host}:{int(port)}"


def check_new(rule: Rule, existing: Iterable[Rule], here: LocalMail) -> None:
    """Raise InvalidRule (RuleExists) when `rule` cannot stand beside the rules and the local mail of this server."""
    if any(rule.name == other.name for other in existing):
        raise RuleExists("name", 'There is a rule for "{name}" already. Change that one.', name=shown(rule))
    check_local(rule, here)


def check_local(rule: Rule, here: LocalMail) -> None:
    """Raise InvalidRule when the rule names, or routes to, this server itself."""
    if line := here.delivers(rule.name):
        raise _local(rule, line)
    if not rule.route:
        return
    host, port = _route_parts(rule.route)
    if host in here.names or (port == SMTP_PORT and _leads_here(host, here)):
        raise InvalidRule(
            "Route",
            'The route "{route}" leads back to this server, and the mail would go in circles. '
            "Give the primary's own name or address.",
            route=rule.route,
        )


def to_own_port(rule: Rule, here: LocalMail) -> bool:
    """Whether the route leads to another port of this server, where another mail server may listen, or none."""
    if not rule.route:
        return False
    host, port = _route_parts(rule.route)
    return port != SMTP_PORT and _leads_here(host, here)


def adds_nothing(rule: Rule, cover: Rule) -> bool:
    """Whether the rule's mail would fare the same by `cover`, the domain rule that it lies below."""
    own_list = rule.recipients == Recipients.LIST  # each rule has its own
    return not own_list and _treatment(rule) == _treatment(cover)


def shown(rule: Rule) -> str:
    """The rule's name as people read it."""
    return names.to_unicode(rule.name)


def _treatment(rule: Rule) -> tuple[str, SmartHostUse, Recipients, Unknown]:
    return rule.route, rule.smarthost, rule.recipients, rule.unknown


@lru_cache  # rules by the hundred thousand have few settings
def _choices(
    kind: str, route: str, smarthost: str, recipients: str, unknown: str
) -> tuple[Kind, str, SmartHostUse, Recipients, Unknown]:
    return _kind(kind), parse_route(route), _smarthost(smarthost), _recipients(recipients), _unknown(unknown)


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise InvalidRule("Kind", 'The kind "{kind}" is unknown. Give "domain" or "host".', kind=text) from None


def _smarthost(text: str) -> SmartHostUse:
    try:
        return SmartHostUse(text)
    except ValueError:
        raise InvalidRule(
            "Smarthost", 'The smart host setting "{value}" is unknown. Give "bypass" or "use".', value=text
        ) from None


def _recipients(text: str) -> Recipients:
    try:
        return Recipients(text)
    except ValueError:
        raise InvalidRule(
            "Recipients", 'The recipients setting "{value}" is unknown. Give "any", "list" or "learn".', value=text
        ) from None


def _unknown(text: str) -> Unknown:
    try:
        return Unknown(text)
    except ValueError:
        raise InvalidRule(
            "Unknown",
            'The setting for unknown recipients "{value}" is unknown. Give "accept" or "defer".',
            value=text,
        ) from None


def _description(text: str) -> str:
    """The host's library gives "|" and "\\" meanings of their own; the rest would spoil a line or its direction."""
    text = text.strip() if text else ""
    if _NOT_IN_REMARKS.search(text):
        raise InvalidRule("Description", 'The description must be one line without "|", "\\" and control characters.')
    return text


def _remark(text: str) -> tuple[str, list[InvalidRule]]:
    """Return a recorded description as far as it can stand, and what is wrong with it."""
    try:
        return _description(text), []
    except InvalidRule as fault:
        return " ".join(_NOT_IN_REMARKS.sub(" ", text).split()), [fault]


def _local(rule: Rule, line: str) -> InvalidRule:
    if line == rule.name:
        return InvalidRule(
            "name",
            '"{name}" is a local domain of this server, which delivers its mail itself. '
            "Remove the domain first if another server is to be its primary.",
            name=shown(rule),
        )
    return InvalidRule(
        "name",
        '"{name}" is a local domain of this server: it delivers that mail itself because of the line "{line}" in '
        'virtualdomains. Take the line out, or add the exception "{exception}".',
        name=shown(rule),
        line=line,
        exception=f"{rule.name}:",
    )


def _route_parts(route: str) -> tuple[str, int]:
    """Return host and port of a route that `parse_route` made."""
    host, _, port = route.partition(":")
    return host.strip("[]"), int(port or SMTP_PORT)


def _leads_here(host: str, here: LocalMail) -> bool:
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


def _route_host(host: str, route: str) -> str:
    try:
        return names.parse_host(host)
    except InvalidInput:
        return _bad_route(route)


def _bad_route(route: str) -> str:
    raise InvalidRule(
        "Route",
        'The route "{route}" is not understood. Give a host name or an IPv4 address, with a port if need be: '
        "mail.example.com, mail.example.com:26, 192.0.2.1 or [192.0.2.1]:26.",
        route=route,
    )
