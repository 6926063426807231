# SPDX-License-Identifier: GPL-2.0-or-later
"""What a follower makes of a catalog: what may be added is its own decision. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mxbackup.catalog.codec import CARRIED, Decoded, LeftOut
from mxbackup.errors import InvalidInput, Message
from mxbackup.rules import Rule, check_local, names
from mxbackup.rules.localmail import LocalMail

DAY = 86_400
# What may go within a day without anybody's word: one rule, or a fifth of all.
_SHARE = 5
_FEW = 1


class When(StrEnum):
    """When rules that come or change are in force: at once, or when somebody has confirmed them."""

    CONFIRM = "confirm"
    AT_ONCE = "at-once"


@dataclass(frozen=True)
class Policy:
    """What of a catalog is taken: names that `only` has, when it has any, and `without` has not; at most `most`.

    Both are patterns: a name, `*.` and a domain for all that lies below it, or `*`.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    most: int = 1000
    when: When = When.CONFIRM

    def wants(self, name: str) -> bool:
        """Whether a rule of the name may be taken."""
        return (not self.only or _match(self.only, name)) and not _match(self.without, name)


def pattern(text: str) -> str:
    """Return a pattern as typed. Raises InvalidInput."""
    found = text.strip(" \t").lower()
    if found == "*":
        return found
    if below := re.fullmatch(r"\*\.(.+)", found):
        return "*." + names.parse_host(f"x.{below[1]}")[2:]
    return names.parse_host(found)


@dataclass(frozen=True)
class Plan:
    """What a catalog asks for: rules to make, to change and to remove, by name; what is left out, and why.

    `unwanted` counts members that the policy does not want. `trouble` says why nothing of it is done.
    """

    added: tuple[Rule, ...] = ()
    changed: tuple[Rule, ...] = ()
    removed: tuple[Rule, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unwanted: int = 0
    trouble: Message | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.added or self.changed or self.removed)


def plan(
    decoded: Decoded,
    policy: Policy,
    followed: Mapping[str, Rule],
    taken: Callable[[str], Message | None],
    local: LocalMail,
) -> Plan:
    """Return what is to be done so that the rules `followed` from the catalog are those that it has.

    `taken` says why a name that is not followed from it is not to be had: a rule was made here, or another catalog
    has it. What each server has to itself stays as it is in rules that change.
    """
    wanted = {name: rule for name, rule in decoded.rules.items() if policy.wants(name)}
    left_out = list(decoded.left_out)
    good: dict[str, Rule] = {}
    for name in sorted(wanted, key=names.sort_key):
        reason = None if name in followed else taken(name)
        if reason is None:
            try:
                check_local(wanted[name], local)
                good[name] = wanted[name]
                continue
            except InvalidInput as error:
                reason = error.message
        left_out.append(LeftOut(name, reason))
    added = [rule for name, rule in good.items() if name not in followed]
    merged = {name: _merged(followed[name], rule) for name, rule in good.items() if name in followed}
    changed = [rule for name, rule in merged.items() if rule != followed[name]]
    removed = [rule for name, rule in followed.items() if name not in good]
    found = Plan(tuple(added), tuple(changed), tuple(removed), tuple(left_out), len(decoded.rules) - len(wanted))
    if len(good) > policy.most:
        reason = Message(
            "The catalog has {count} rules that are wanted here, and at most {limit} are taken: none of them is. "
            "See --only and --most.",
            count=len(good), limit=policy.most,
        )  # fmt: skip
        return replace(found, trouble=reason)
    return found


def unconfirmed(plan: Plan, policy: Policy, all_: int, gone_today: int) -> Plan:
    """Return what of a plan waits for somebody's word; the rest may be done at once.

    `all_` is the number of rules that are followed now, `gone_today` how many went within the last day.
    """
    waits = Plan() if policy.when == When.AT_ONCE else Plan(plan.added, plan.changed)
    going = gone_today + len(plan.removed)
    if plan.removed and going > _FEW and going * _SHARE > all_ + gone_today:
        waits = replace(waits, removed=plan.removed)
    return waits


def without(plan: Plan, waits: Plan) -> Plan:
    """Return the plan less what waits."""
    return replace(
        plan,
        added=() if waits.added else plan.added,
        changed=() if waits.changed else plan.changed,
        removed=() if waits.removed else plan.removed,
    )


def _match(patterns: Iterable[str], name: str) -> bool:
    return any(one in ("*", name) or (one.startswith("*.") and name.endswith(one[1:])) for one in patterns)


def _merged(here: Rule, there: Rule) -> Rule:
    """The rule as it is here, with what the catalog says."""
    said: dict[str, object] = {prop.name: getattr(there, prop.name) for prop in CARRIED}
    return replace(here, **said)  # type: ignore[arg-type]
