# SPDX-License-Identifier: GPL-2.0-or-later
"""Which addresses lead to this server, and stating those that only its router has (NAT)."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from mxbackup import rules
from mxbackup.check import vantage
from mxbackup.errors import ChangedMeanwhile, InvalidInput
from mxbackup.esmith.database import Database
from mxbackup.esmith.settings import PUBLIC_ADDRESS, SERVICE_KEY
from mxbackup.rules import RuleSet
from mxbackup.rules.localmail import LocalMail
from mxbackup.service.context import Context

MOST = 8


@dataclass(frozen=True)
class Addresses:
    """Those of this machine's interfaces, and those that were stated to lead here from outside."""

    interfaces: tuple[str, ...]
    stated: tuple[str, ...]

    @property
    def told(self) -> bool:
        """Whether one was stated that strangers can reach."""
        return bool(vantage.outside(self.stated))

    @property
    def public(self) -> tuple[str, ...]:
        """Those that strangers can reach, IPv4 first: what was stated, else what the interfaces have."""
        return tuple(vantage.outside(self.stated if self.told else self.interfaces))


def look(context: Context) -> Addresses:
    """Return the addresses of this server. Raises DatabaseError, HostError, OSError."""
    inside = sorted(context.kind.own_addresses().interfaces, key=_order)
    return Addresses(tuple(each for each in inside if not ip_address(each).is_loopback), _stated(context))


def state(context: Context, given: Iterable[str], *, expected: Iterable[str] | None = None, event: bool = True) -> None:
    """Make `given` the addresses that lead here from outside; without any, none is stated any more.

    Raises InvalidInput, DatabaseError, HostError; ChangedMeanwhile when what was stated is not `expected`.
    """
    wanted = list(dict.fromkeys(map(_public, given)))
    if len(wanted) > MOST:
        raise InvalidInput("Give at most {count} addresses.", count=MOST)
    if expected is not None and set(expected) != set(_stated(context)):
        raise ChangedMeanwhile(
            "The public address was changed by someone else meanwhile, and nothing of yours was recorded. "
            "Look at it as it is now, and change it again if need be."
        )
    _refuse_routed_to(context.inventory().rules, frozenset(wanted))
    context.prepare(event)
    text = "" if context.kind.state_public(wanted) else " ".join(wanted)
    context.configuration.update(lambda configuration: _record(configuration, text))
    context.signal(event, "mxbackup-update")


def _stated(context: Context) -> tuple[str, ...]:
    """What is no address comes last: it has no effect, and is told by `status`."""
    settings = context.inventory().settings
    return tuple(sorted(context.kind.stated_public(settings), key=_order))


def _record(configuration: Database, text: str) -> None:
    record = configuration.get(SERVICE_KEY)
    if text or (record and PUBLIC_ADDRESS in record.properties):
        configuration.set(SERVICE_KEY, "service", {PUBLIC_ADDRESS: text or None})


def _refuse_routed_to(known: RuleSet, wanted: frozenset[str]) -> None:
    """A rule whose route leads to this server itself is none: a slip of the hand must not end one."""
    for rule in known:
        try:
            rules.check_local(rule, LocalMail(own_addresses=lambda: wanted))
        except InvalidInput:
            raise InvalidInput(
                "The rule for {name} has the route {route}, so that is not the address of this server. If it is, "
                "change the route first.",
                name=rules.shown(rule),
                route=rule.route,
            ) from None


def _public(text: str) -> str:
    try:
        found = ip_address(text.replace("%", " "))  # behind it stands a link (RFC 4007), which strangers do not have
    except ValueError:
        raise InvalidInput(
            '"{text}" is no IP address. Give the one by which strangers reach this server, such as 111.112.113.114.',
            text=text,
        ) from None
    if vantage.is_inside(text):
        raise InvalidInput(
            "Strangers cannot reach {address}: it is an address of a private network or of the machine itself. Give "
            "the one that the router has on the Internet.",
            address=text,
        )
    return str(found)


def _order(text: str) -> tuple[int, int, str]:
    try:
        found = ip_address(text)
    except ValueError:
        return 9, 0, text
    return found.version, int(found), ""
