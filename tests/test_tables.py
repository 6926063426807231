# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules as CSV and JSON, and back."""

import csv
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mxbackup.errors import InvalidInput
from mxbackup.esmith.database import Database
from mxbackup.rules import Kind, Rule, SmartHostUse
from mxbackup.rules.localmail import LocalMail
from mxbackup.rules.names import Name
from mxbackup.transfer import merging, recognise
from mxbackup.transfer.entries import Reading
from mxbackup.transfer.formats import tables
from mxbackup.transfer.recognise import Form
from tests.strategies import RULE_SETS

RULES = [
    Rule(Name("dupontnet.com"), route="mail.dupontnet.com:26", description='dit "Dupont, Jean"'),
    Rule(Name("xn--t-9fab.fr"), Kind.HOST, smarthost=SmartHostUse.USE, description="été; printemps"),
]


def rules_of(reading: Reading) -> list[Rule]:
    """The rules that a reading makes in an empty database."""
    assert (reading.notes, reading.problems) == ([], [])
    return merging.merge(Database(), LocalMail(), reading.entries).added


def test_json_says_what_a_rule_has() -> None:
    assert tables.write_json(RULES) == (
        '{\n  "rules": [\n    {\n      "name": "dupontnet.com",\n      "kind": "domain",\n'
        '      "route": "mail.dupontnet.com:26",\n      "description": "dit \\"Dupont, Jean\\""\n    },\n'
        '    {\n      "name": "xn--t-9fab.fr",\n      "kind": "host",\n'
        '      "smarthost": "use",\n      "description": "été; printemps"\n    }\n  ]\n}\n'
    )


def test_json_has_numbers_as_numbers() -> None:
    text = '{"rules": [{"name": "a.example", "kind": "host", "hold": 14, "contact": "jean@b.example"}]}'
    (made,) = rules_of(tables.read_json(text))
    assert made == Rule(Name("a.example"), Kind.HOST, hold=14, contact="jean@b.example")
    assert json.loads(tables.write_json([made])) == json.loads(text)


def test_csv_has_a_heading_and_quotes_what_needs_it() -> None:
    assert tables.write_csv(RULES) == (
        "name,kind,route,smarthost,description,recipients,unknown,hold,contact\r\n"
        'dupontnet.com,domain,mail.dupontnet.com:26,,"dit ""Dupont, Jean""",,,,\r\n'
        "xn--t-9fab.fr,host,,use,été; printemps,,,,\r\n"
    )


@given(RULE_SETS)
def test_what_was_exported_as_json_comes_back(rules: list[Rule]) -> None:
    text = tables.write_json(rules)
    assert recognise.recognise(text) == Form.JSON
    assert sorted(rules_of(tables.read_json(text)), key=str) == sorted(rules, key=str)


@given(RULE_SETS)
def test_what_was_exported_as_csv_comes_back(rules: list[Rule]) -> None:
    text = tables.write_csv(rules)
    assert recognise.recognise(text) == Form.CSV
    assert sorted(rules_of(tables.read_csv(text)), key=str) == sorted(rules, key=str)


SPREADSHEET = st.text(st.sampled_from("'=+-@\uff1d\",;a "), max_size=6).map(str.strip)


@given(SPREADSHEET)
@example("=1+1")
@example("'=1+1")
@example("''@SUM(A1)")
@example("'a")
def test_no_cell_is_a_formula_and_each_comes_back_unchanged(description: str) -> None:
    rule = Rule(Name("dupontnet.com"), description=description)
    text = tables.write_csv([rule])
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\uff1d"))] == []
    assert rules_of(tables.read_csv(text)) == [rule]
    assert rules_of(tables.read_json(tables.write_json([rule]))) == [rule]


def test_a_formula_is_written_behind_an_apostrophe() -> None:
    rule = Rule(Name("dupontnet.com"), description="=HYPERLINK(A1)")
    assert tables.write_csv([rule]).splitlines()[1] == "dupontnet.com,domain,,,'=HYPERLINK(A1),,,,"


@pytest.mark.parametrize("text", ['{"rules": %s}' % ("9" * 5000), "[%s]" % ("9" * 5000)])
def test_a_number_of_thousands_of_digits_is_an_error(text: str) -> None:
    with pytest.raises(InvalidInput, match="This begins like JSON and is none: it holds a number that is too long"):
        tables.read_json(text)


def test_an_empty_cell_removes_the_property_but_leaves_the_kind() -> None:
    (entry,) = tables.read_csv("name,kind,route\ndupontnet.com,,\n").entries
    assert entry.properties == {"Route": None}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("dupontnet.com,domain,,,\n", 1, "There are more cells than columns (4)."),
        ("name,kind\n\nasso.fr,domain\n", 3, '"asso.fr" is a public suffix, under which strangers register their '
         "names. Give the name of one domain, such as example.asso.fr."),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_taken(text: str, line: int, reason: str) -> None:
    reading = tables.read_csv(text)
    assert [(remark.line, str(remark.reason)) for remark in reading.problems] == [(line, reason)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('"dupontnet.com"', "A rule must be an object whose values are texts or numbers."),
        ('{"name": "dupontnet.com", "hold": true}', "A rule must be an object whose values are texts or numbers."),
        ('{"name": "dupontnet.com", "via": "x"}', "The key via is unknown."),
        ('{"kind": "host"}', "The name is empty. Give a domain name such as example.com."),
    ],
)
def test_an_object_that_is_no_rule(row: str, reason: str) -> None:
    assert [str(remark.reason) for remark in tables.read_json(f"[{row}]").problems] == [reason]


@pytest.mark.parametrize("text", ['{"rules": 1}', '{"domains": []}', "[" * 100_000, '"rules"', ""])
def test_json_without_rules_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        tables.read_json(text)


def test_csv_with_an_open_quote_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^Line 2 is no CSV: a quotation mark has no end\.$"):
        tables.read_csv('name,kind\n"dupontnet.com,domain\n')
