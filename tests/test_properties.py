# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of the properties of a rule, and that everything follows it."""

from dataclasses import fields

import click
import pytest

from mxbackup import rules
from mxbackup.cli import change_commands
from mxbackup.errors import InvalidRule
from mxbackup.panel.forms import ADVANCED, SIMPLE
from mxbackup.rules import PROPERTIES, Property, Rule
from mxbackup.rules.names import Name
from mxbackup.transfer.formats import tables

PLAIN = Rule(Name("dupontnet.com"))
NAMES = [prop.name for prop in PROPERTIES]

each = pytest.mark.parametrize("prop", PROPERTIES, ids=NAMES)


def test_each_field_of_a_rule_has_a_row() -> None:
    assert {"name", *NAMES} == {field.name for field in fields(Rule)}
    assert len(set(NAMES)) == len(NAMES)


@each
def test_the_text_of_a_default_means_it(prop: Property) -> None:
    assert (prop.text(PLAIN), prop.parse(prop.default)) == (prop.default, getattr(PLAIN, prop.name))
    assert prop.recorded(PLAIN) == (prop.default if prop.always else None)


@each
def test_choices_are_all_values_and_what_the_usage_says(prop: Property) -> None:
    values = [choice.value for choice in prop.choices]
    if values:
        assert values == list(type(values[0]))
        assert (prop.form, values[0]) == ("|".join(values), prop.default)
        assert [prop.parse(value) for value in values] == values


@each
def test_what_a_fault_leaves_is_a_value(prop: Property) -> None:
    for text in ("|", "\\", "x\ny"):
        properties = {"Kind": "domain", prop.key: text}
        if prop.at_fault is None:
            with pytest.raises(InvalidRule):
                rules.from_record("dupontnet.com", properties)
        else:
            made, faults = rules.from_record("dupontnet.com", properties)
            assert [fault.field for fault in faults] == [prop.key]
            assert prop.parse(prop.text(made)) == getattr(made, prop.name)


def options(command: click.Command) -> list[str]:
    return [param.name or "" for param in command.params if isinstance(param, click.Option)]


def test_command_form_and_tables_follow_it() -> None:
    assert options(change_commands.add) == [*NAMES, "event", "dry_run"]
    assert options(change_commands.set_) == [*NAMES, "event", "dry_run"]
    assert sorted(prop.name for prop in (*SIMPLE, *ADVANCED)) == sorted(NAMES)
    assert ("name", *NAMES) == tables.COLUMNS
