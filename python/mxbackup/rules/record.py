# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules from what a person typed, and from a database record and back, as the table of properties has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mxbackup.errors import InvalidInput, InvalidName, InvalidRule
from mxbackup.rules import names
from mxbackup.rules.properties import PROPERTIES, Property
from mxbackup.rules.rule import Rule

RECORD_TYPE = "mxbackup"
ORIGIN = "Origin"  # in a record, the catalog that its rule is followed from; a rule that was made here has none
_BY_NAME = {prop.name: prop for prop in PROPERTIES}


def make(name: str, **typed: str) -> Rule:
    """Return the rule of that name and with these properties, by their names, as a person typed them.

    Raises InvalidInput.
    """
    rule, faults = _read(name, [(_BY_NAME[option], text) for option, text in typed.items()])
    for fault in faults:
        raise fault
    return rule


def from_record(key: str, properties: Mapping[str, str]) -> tuple[Rule, list[InvalidRule]]:
    """Return the rule a database record holds, and the faults that leave it in force.

    Those are in properties that decide nothing about mail; of what is at fault the rule has as much as can stand.
    Raises InvalidInput, which says why the record holds no rule.
    """
    texts = [(prop, text) for prop in PROPERTIES if (text := properties.get(prop.key, "")) or prop.always]
    rule, faults = _read(key, texts)
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
        if changes.get(fault.field) is not None or fault.field not in _standing(key, recorded):
            raise fault
    left = {fault.field for fault in faults}
    return rule, {prop: text for prop, text in to_properties(rule).items() if prop not in left}


def to_properties(rule: Rule) -> dict[str, str | None]:
    """Return the properties that record the rule; None stands for a property that is not to be there."""
    return {prop.key: prop.recorded(rule) for prop in PROPERTIES}


def _read(name: str, texts: Sequence[tuple[Property, str]]) -> tuple[Rule, list[InvalidRule]]:
    """Return the rule and its faults that leave it in force. Raises InvalidInput for any other."""
    parsed = names.parse(name)
    values: dict[str, Any] = {}
    faults = []
    for prop, text in texts:
        try:
            values[prop.name] = prop.parse(text)
        except InvalidRule as fault:
            if prop.at_fault is None:
                raise
            values[prop.name] = prop.at_fault(text)
            faults.append(fault)
    rule = Rule(parsed, **values)
    for prop, _ in texts:
        if prop.unfit is not None and (unfit := prop.unfit(rule)) is not None:
            without: dict[str, Any] = {prop.name: prop.parse(prop.default)}
            rule = replace(rule, **without)
            faults.append(unfit)
    return rule, faults


def _standing(key: str, recorded: Mapping[str, str]) -> set[str]:
    """Return the properties at fault in a record as it stands: all may be when it holds no rule."""
    try:
        return {fault.field for fault in from_record(key, recorded)[1]}
    except InvalidInput:
        return {prop.key for prop in PROPERTIES}
