# SPDX-License-Identifier: GPL-2.0-or-later
"""What is held for each rule, reckoned from the messages of the queue. Pure."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from mxbackup.queue.holding import Holds, expiry
from mxbackup.queue.messages import Channel, Message, waiting
from mxbackup.rules.names import sort_key


@dataclass(frozen=True, slots=True)
class Held:
    """What is held for one name: a rule, or a name behind an @ that no rule decides about.

    messages: those with a recipient of it that still waits. recipients: these. bytes: of these messages.
    oldest: the first arrival. next: the next try, None while all of it has just come, and past where one is due now.
    expires: from when on a try that fails makes the first of them bounce. reason: the last answer, empty if unknown.
    frozen: how many of the messages are on hold, and not tried.
    """

    name: str
    messages: int
    recipients: int
    bytes: int
    oldest: int
    next: int | None
    expires: int
    reason: str
    frozen: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what JSON has of it; times in seconds since 1970. `frozen` only where anything is."""
        told = {**asdict(self), "reason": self.reason or None}
        return told if self.frozen else {key: value for key, value in told.items() if key != "frozen"}


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
            "rules": [held.to_json() for held in self.rules],
            "without_rule": [held.to_json() for held in self.without_rule],
        }


@dataclass(slots=True)
class _Waiting:
    """The messages for one name, and who of them still waits."""

    messages: dict[int | str, Message] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)


def summarise(
    messages: Iterable[Message],
    rule_of: Callable[[str], str | None],
    holds: Holds,
    reason: Callable[[Collection[str]], str] = lambda _: "",
) -> Summary:
    """Return what of the messages is held for each rule, and for each name that has none, sorted by name.

    `rule_of` takes a name in lower case and gives that of the rule that decides about it, `reason` the last answer to
    any of some addresses. What has just come counts for a rule, but not for a name without: it may be local.
    """
    rule_of = cache(rule_of)
    rules: dict[str, _Waiting] = {}
    others: dict[str, _Waiting] = {}
    for message in messages:
        for to in waiting(message.recipients):
            rule = None if to.channel == Channel.LOCAL else rule_of(to.name)
            if rule is not None:
                _add(rules, rule, message, to.address)
            elif to.channel == Channel.REMOTE:
                _add(others, to.name, message, to.address)

    def held(name: str, of_name: _Waiting) -> Held:
        together = of_name.messages.values()
        return Held(
            name=name,
            messages=len(together),
            recipients=len(of_name.addresses),
            bytes=_size(together),
            oldest=min(message.arrival for message in together),
            next=min((message.next for message in together if message.next is not None), default=None),
            expires=min(expiry(message, holds) for message in together),
            reason=reason(of_name.addresses),
            frozen=sum(message.frozen for message in together),
        )

    of_rules = {ident: message for of_name in rules.values() for ident, message in of_name.messages.items()}
    return Summary(
        rules=tuple(held(name, rules[name]) for name in sorted(rules, key=sort_key)),
        without_rule=tuple(held(name, others[name]) for name in sorted(others, key=sort_key)),
        messages=len(of_rules),
        recipients=sum(len(of_name.addresses) for of_name in rules.values()),
        bytes=_size(of_rules.values()),
    )


def _add(names: dict[str, _Waiting], name: str, message: Message, address: str) -> None:
    of_name = names.setdefault(name, _Waiting())
    of_name.messages[message.ident] = message
    of_name.addresses.append(address)


def _size(messages: Iterable[Message]) -> int:
    return sum(message.size for message in messages)
