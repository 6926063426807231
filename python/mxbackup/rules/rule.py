# SPDX-License-Identifier: GPL-2.0-or-later
"""What a rule is, and which ones can stand on this server."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mxbackup.errors import InvalidRule, RuleExists
from mxbackup.rules import names, route
from mxbackup.rules.localmail import LocalMail
from mxbackup.rules.names import Name


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
    """One name this server is backup MX for, and its properties: `properties` says what each means.

    `route` is `host[:port]`, or empty to follow the MX records; `hold` are days, or None for the server's own time;
    `contact` is a mailbox outside the rule, or empty.
    """

    name: Name
    kind: Kind = Kind.DOMAIN
    route: str = ""
    smarthost: SmartHostUse = SmartHostUse.BYPASS
    recipients: Recipients = Recipients.ANY
    unknown: Unknown = Unknown.ACCEPT
    description: str = ""
    hold: int | None = None
    contact: str = ""

    def covers(self, name: str) -> bool:
        """Whether mail for `someone@name` is accepted because of this rule."""
        return name == self.name or (self.kind == Kind.DOMAIN and name.endswith("." + self.name))


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
    host, port = route.parts(rule.route)
    if host in here.names or (port == route.SMTP_PORT and route.leads_here(host, here)):
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
    host, port = route.parts(rule.route)
    return port != route.SMTP_PORT and route.leads_here(host, here)


def shown(rule: Rule) -> str:
    """The rule's name as people read it."""
    return names.to_unicode(rule.name)


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
