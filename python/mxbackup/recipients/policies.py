# SPDX-License-Identifier: GPL-2.0-or-later
"""Which recipients qpsmtpd accepts for each rule: the sorted table that its plugin searches. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mxbackup.rules import Kind, Recipients, Rule, RuleSet

# As long as answers of a primary count, in seconds.
GOOD_LIFE = 31 * 86400
BAD_LIFE = 3 * 3600


class Answer(NamedTuple):
    """What a primary said of one recipient, `local@host` in lower case, and when, in seconds since 1970."""

    address: str
    good: bool
    asked: int

    @property
    def host(self) -> str:
        """The host of the address."""
        return self.address.rpartition("@")[2]

    @property
    def until(self) -> int:
        """When the answer no longer counts, in seconds since 1970."""
        return self.asked + (GOOD_LIFE if self.good else BAD_LIFE)


class Primary(NamedTuple):
    """Where the primary of a rule is asked, `address:port`, and whether it says yes to everything."""

    target: str
    accepts_all: bool = False


NOWHERE = Primary("-")


@dataclass(frozen=True)
class Known:
    """What is known of recipients. `lists` are by the rule's name, only whole ones; `primaries` by `primary_key`."""

    lists: Mapping[str, Collection[str]] = field(default_factory=dict)
    primaries: Mapping[str, Primary] = field(default_factory=dict)
    answers: Collection[Answer] = ()


NOTHING = Known()


def table(rules: RuleSet, known: Known) -> list[tuple[str, str]]:
    """Return key and value of every line of the plugin's file, sorted bytewise; the plugin says what they mean."""
    lines: dict[str, str] = {}
    for rule in rules:
        lines[rule.name] = own = policy(rule, known)
        if rule.kind == Kind.DOMAIN:
            lines["." + rule.name] = _policy_below(rule, own)
        if rule.recipients == Recipients.LIST:
            listed = known.lists.get(rule.name, ())
            lines |= {f"<{one}>": "good" for one in listed if rules.nearest(one.rpartition("@")[2]) is rule}
    for answer, _ in counting(rules, known):
        lines[f"<{answer.address}>"] = f"{'good' if answer.good else 'bad'} {answer.until}"
    # All are ASCII, so the order of characters is that of bytes.
    return [(key, lines[key]) for key in sorted(lines)]


def counting(rules: RuleSet, known: Known) -> Iterator[tuple[Answer, Rule]]:
    """Yield the answers, and the rule of each, whose primary, with the route of now, is known.

    Those of another primary are no answers.
    """
    for answer in known.answers:
        rule = rules.nearest(answer.host)
        if rule and rule.recipients == Recipients.LEARN and primary_key(rule) in known.primaries:
            yield answer, rule


def primary_key(rule: Rule) -> str:
    """Return what a primary is known by: with another route the rule has another primary."""
    return f"{rule.name} {rule.route}".rstrip()


def policy(rule: Rule, known: Known) -> str:
    """Return the words that say what the plugin does with mail to the rule's own name.

    A list that is not there, or not whole, refuses nobody for good.
    """
    match rule.recipients:
        case Recipients.ANY:
            return "any"
        case Recipients.LIST:
            return "list" if known.lists.get(rule.name) else "defer"
        case Recipients.LEARN:
            primary = known.primaries.get(primary_key(rule), NOWHERE)
            return "any" if primary.accepts_all else f"learn {primary.target} {rule.unknown}"


def _policy_below(rule: Rule, own: str) -> str:
    """Without a route, the hosts below a name may have other primaries than the name, so none is given."""
    return f"learn - {rule.unknown}" if rule.recipients == Recipients.LEARN and not rule.route else own
