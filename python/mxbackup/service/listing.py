# SPDX-License-Identifier: GPL-2.0-or-later
"""The lists of recipients, looked at and changed: as a whole, and address by address.

A damaged list is only replaced: with some of its addresses lost, their mail would be refused for good.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mxbackup.errors import ChangedMeanwhile, InvalidInput
from mxbackup.recipients import lists
from mxbackup.rules import Rule, names
from mxbackup.service import changing
from mxbackup.service.context import Context


@dataclass(frozen=True)
class RecipientList:
    """The list of a rule, sorted; a `damaged` one is empty."""

    rule: Rule
    addresses: tuple[str, ...]
    damaged: bool = False

    @property
    def stamp(self) -> str:
        """What tells this list from any other."""
        return _stamp(None if self.damaged else self.addresses)


@dataclass(frozen=True)
class ListChange:
    """What a change did: how many addresses there are, which came and went, and which were not there to go."""

    rule: Rule
    count: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    absent: tuple[str, ...] = ()


def look(context: Context, name: str) -> RecipientList:
    """Return the list of a rule. Raises UnknownRule, InvalidInput, DatabaseError."""
    rule = changing.get(context, name)
    found = context.recipients.of(rule)
    return RecipientList(rule, tuple(sorted(found or ())), damaged=found is None)


def replace(context: Context, name: str, text: str, *, expected: str = "", event: bool = True) -> ListChange:
    """Make the addresses of a text the list of a rule; nothing is changed when a part of it is no address of the rule.

    Raises BadLines or another InvalidInput, UnknownRule, DatabaseError, HostError; ChangedMeanwhile when the list is
    not the one whose stamp is `expected`.
    """
    rule = changing.get(context, name)
    addresses = lists.parse(text, rule, context.inventory().rules)

    def wanted(before: frozenset[str] | None) -> set[str]:
        if expected and expected != _stamp(before):
            raise ChangedMeanwhile(
                "The list of {name} was changed by someone else meanwhile, and nothing of yours was recorded. "
                "Look at it as it is now, and change it again if need be.",
                name=names.to_unicode(rule.name),
            )
        return addresses

    return _change(context, rule, wanted, event)


def add(context: Context, name: str, text: str, *, event: bool = True) -> ListChange:
    """Add the addresses of a text to the list of a rule. Raises as `replace` does."""
    rule = changing.get(context, name)
    addresses = lists.parse(text, rule, context.inventory().rules)
    return _change(context, rule, lambda before: _whole(before, rule) | addresses, event)


def remove(context: Context, name: str, given: Iterable[str], *, event: bool = True) -> ListChange:
    """Take addresses off the list of a rule, which must not be empty then. Raises as `replace` does."""
    rule = changing.get(context, name)
    known = context.inventory().rules
    addresses = {lists.address(entry.strip(), rule, known) for entry in given}
    absent: set[str] = set()

    def wanted(before: frozenset[str] | None) -> frozenset[str]:
        whole = _whole(before, rule)
        absent.update(addresses - whole)
        if whole and not whole - addresses:
            raise InvalidInput(
                "The list of {name} would be empty then, and all its mail put off. To accept every recipient: "
                "mxbackup set {name} --recipients any",
                name=rule.name,
            )
        return whole - addresses

    return _change(context, rule, wanted, event, absent)


def _change(
    context: Context,
    rule: Rule,
    wanted: Callable[[frozenset[str] | None], Iterable[str]],
    event: bool,
    absent: Iterable[str] = (),
) -> ListChange:
    context.prepare(event)
    before, after = context.recipients.change(rule, lambda standing: frozenset(wanted(standing)))
    context.signal(event, "mxbackup-modify", rule.name)
    return ListChange(
        rule, len(after), tuple(sorted(after - before)), tuple(sorted(before - after)), tuple(sorted(absent))
    )


def _whole(before: frozenset[str] | None, rule: Rule) -> frozenset[str]:
    if before is None:
        raise InvalidInput(
            "The list of {name} is damaged: some of its addresses are lost. Give all of them again: "
            "mxbackup recipients import {name} FILE",
            name=rule.name,
        )
    return before


def _stamp(addresses: Iterable[str] | None) -> str:
    text = "damaged" if addresses is None else "\n".join(sorted(addresses))
    return hashlib.sha256(text.encode()).hexdigest()
