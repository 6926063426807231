# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules out of the files of mail programs: qmail's `rcpthosts` and `smtproutes`, Obtuse's `smtpd_check_rules`.

qmail-smtpd(8): `dom` in `rcpthosts` is that name only, `.dom` is what lies below it. qmail-remote(8): `dom:relay`
and `.dom:relay` in `smtproutes` likewise. smtpd_check_rules(5): `*@dom` and `*.dom` in an `allow` line.
"""

import re
from collections.abc import Iterable

from mxbackup import rules
from mxbackup.errors import InvalidInput, InvalidRule, Message
from mxbackup.rules import Kind
from mxbackup.rules.names import Name, parse_host
from mxbackup.transfer.entries import Entry, Reading, Remark

CHECK_RULE = re.compile(r"(allow|deny|noto|deny_delay|noto_delay|debug):")

_SEPARATORS = re.compile(r"[ \t,]+")


class _Claims:
    """The lines by the name they are about: for exactly the name, and for what lies below it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.exact: dict[Name, int] = {}
        self.below: dict[Name, int] = {}

    def add(self, line: int, text: str) -> None:
        """Take in `dom` or `.dom`."""
        claimed = self.below if text.startswith(".") else self.exact
        name = self._reading.name(line, text.removeprefix("."))
        if name is not None:
            claimed.setdefault(name, line)

    def settle(self) -> None:
        """Turn each pair into a domain rule, each name alone into a host rule."""
        for name, line in self.exact.items():
            kind = Kind.DOMAIN if name in self.below else Kind.HOST
            self._reading.entries.append(Entry(line, name, {"Kind": kind.value}))
        for name, line in self.below.items():
            if name not in self.exact:
                self._reading.problems.append(Remark(line, f".{name}", _lone(name)))


def read_qmail(lines: Iterable[tuple[int, str]]) -> Reading:
    """Read lines of `rcpthosts` and `smtproutes`, which a colon tells apart, in any mixture.

    A route says where mail goes, not that it is accepted: it is for a rule there is, or that the same text makes.
    """
    reading = Reading()
    claims = _Claims(reading)
    routes: dict[str, tuple[int, str]] = {}
    for number, line in lines:
        key, colon, route = line.partition(":")
        if colon:
            routes[key.strip().lower()] = number, route.strip()
        else:
            claims.add(number, line)
    claims.settle()
    _settle_routes(reading, routes)
    return reading


def read_check_rules(lines: Iterable[tuple[int, str]]) -> Reading:
    """Read lines of `smtpd_check_rules`: those of the form `allow:ALL:ALL:*.dom *@dom`."""
    reading = Reading()
    claims = _Claims(reading)
    for number, line in lines:
        patterns = _allowed_recipients(line)
        if not patterns:
            reading.notes.append(Remark(number, line, Message("This line is no backup MX's.")))
        for pattern in patterns:
            claims.add(number, pattern.removeprefix("*").removeprefix("@"))
    claims.settle()
    return reading


def _allowed_recipients(line: str) -> list[str]:
    """Return the recipient patterns of an `allow` line for all sources and senders, if all are whole domains."""
    fields = line.split(":")
    if len(fields) < 4 or fields[:3] != ["allow", "ALL", "ALL"]:
        return []
    patterns = [pattern for pattern in _SEPARATORS.split(fields[3]) if pattern]
    return patterns if all(re.match(r"\*[@.][^*?@]+\Z", pattern) for pattern in patterns) else []


def _settle_routes(reading: Reading, routes: dict[str, tuple[int, str]]) -> None:
    """Give each name with a route one entry; of equal keys qmail takes the last, and so do we."""
    for bare in dict.fromkeys(key.removeprefix(".") for key in routes):
        line, route = routes.get(bare) or routes[f".{bare}"]
        text = f"{bare}:{route}"
        try:
            if not bare:
                reading.notes.append(Remark(line, text, _default_route()))
                continue
            entry = Entry(line, parse_host(bare), {"Route": rules.parse_route(route) or None}, only_existing=True)
        except InvalidRule as reason:
            reading.problems.append(Remark(line, text, reason.message))
        except InvalidInput as reason:
            reading.notes.append(Remark(line, text, reason.message))
        else:
            below = routes.get(f".{bare}")
            if below is not None and (bare not in routes or below[1] != route):
                reading.problems.append(Remark(below[0], f".{bare}:{below[1]}", _two_routes(bare)))
            else:
                reading.entries.append(entry)


def _lone(name: str) -> Message:
    return Message(
        '".{name}" alone accepts what lies below {name} but not {name} itself, and there is no such rule. '
        'Add a line "{name}" for a rule of kind domain, or take the line out.',
        name=name,
    )


def _default_route() -> Message:
    return Message("The route of all other mail belongs to no rule: it is the smart host of the server.")


def _two_routes(name: str) -> Message:
    return Message(
        'The routes of {name} and of what lies below it differ, and a rule has one. Make the lines "{name}:..." '
        'and ".{name}:..." equal, or take the second out.',
        name=name,
    )
