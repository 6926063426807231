# SPDX-License-Identifier: GPL-2.0-or-later
"""What is held for each rule, reckoned from the messages of the queue. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from mxbackup.queue.messages import Channel, Message, next_try
from mxbackup.rules.names import sort_key

VERSION = 1  # of the JSON


@dataclass(frozen=True, slots=True)
class Held:
    """What is held for one name: a rule, or a name behind an @ that no rule decides about.

    messages: those with a recipient of it that still waits. recipients: these. bytes: of these messages.
    oldest: the first arrival. next: the next try, None while all of it is in todo, and past where one is due now.
    expires: from when on a try that fails makes the first of them bounce. reason: the last answer, empty if unknown.
    """

    name: str
    messages: int
    recipients: int
    bytes: int
    oldest: int
    next: int | None
    expires: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return what JSON has of it; times in seconds since 1970."""
        return {**asdict(self), "reason": self.reason or None}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is held, by rule and by name without one; the totals are of the rules and count a message once."""

    rules: tuple[Held, ...] = ()
    without_rule: tuple[Held, ...] = ()
    messages: int = 0
    recipients: int = 0
    bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `queue --json` prints; times in seconds since 1970."""
        return {
            "version": VERSION,
            "rules": [held.to_json() for held in self.rules],
            "without_rule": [held.to_json() for held in self.without_rule],
        }


@dataclass(slots=True)
class _Waiting:
    """The messages for one name, and who of them still waits."""

    messages: dict[int, Message] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)


def summarise(
    messages: Iterable[Message],
    rule_of: Callable[[str], str | None],
    now: int,
    expiry: Callable[[Message], int],
    reason: Callable[[Collection[str]], str] = lambda _: "",
    tried: Mapping[int, int] | None = None,
) -> Summary:
    """Return what of the messages is held for each rule, and for each name that has none, sorted by name.

    `rule_of` takes a name in lower case and gives that of the rule that decides about it, `expiry` the time from
    which on a message may bounce, `reason` the last answer to any of some addresses, `tried` the last try of a
    message's remote recipients. What is in todo counts for a rule, but not for a name without: it may be local.
    """
    rule_of = cache(rule_of)
    rules: dict[str, _Waiting] = {}
    others: dict[str, _Waiting] = {}
    for message in messages:
        for to in message.undelivered():
            rule = None if to.channel == Channel.LOCAL else rule_of(to.name)
            if rule is not None:
                _add(rules, rule, message, to.address)
            elif to.channel == Channel.REMOTE:
                _add(others, to.name, message, to.address)

    def held(name: str, waiting: _Waiting) -> Held:
        tries = [next_try(message, now, tried=(tried or {}).get(ident)) for ident, message in waiting.messages.items()]
        return Held(
            name=name,
            messages=len(waiting.messages),
            recipients=len(waiting.addresses),
            bytes=_size(waiting.messages),
            oldest=min(message.arrival for message in waiting.messages.values()),
            next=min((time for time in tries if time is not None), default=None),
            expires=min(expiry(message) for message in waiting.messages.values()),
            reason=reason(waiting.addresses),
        )

    together = {ident: message for waiting in rules.values() for ident, message in waiting.messages.items()}
    return Summary(
        rules=tuple(held(name, rules[name]) for name in sorted(rules, key=sort_key)),
        without_rule=tuple(held(name, others[name]) for name in sorted(others, key=sort_key)),
        messages=len(together),
        recipients=sum(len(waiting.addresses) for waiting in rules.values()),
        bytes=_size(together),
    )


def _add(waiting: dict[str, _Waiting], name: str, message: Message, address: str) -> None:
    of_name = waiting.setdefault(name, _Waiting())
    of_name.messages[message.ident] = message
    of_name.addresses.append(address)


def _size(messages: Mapping[int, Message]) -> int:
    return sum(message.size for message in messages.values())
