# SPDX-License-Identifier: GPL-2.0-or-later
"""Page and schema of the JSON are those of the types; the fixture `mxbackup` holds all that is printed to it."""

import json
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from mxbackup.audit import findings as audit_findings
from mxbackup.audit.facts import Audited
from mxbackup.cli import mxbackup as command_line
from mxbackup.cli.documents import DOCUMENTS
from mxbackup.words import about_audits, lexicon
from tests import schema, test_audit
from tests.scratch import PACKAGE
from tools import documents

Run = Callable[..., tuple[int, str, str]]


def takes_json(command: click.Command) -> bool:
    """Whether a command, or one of its group, has --json."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return any(param.name == "as_json" for param in command.params) or any(map(takes_json, inner))


def test_every_command_with_json_is_described() -> None:
    commands = [name for name, command in command_line.commands.items() if takes_json(command)]
    assert set(commands) == {name for name in DOCUMENTS if name not in ("show-draining", "check-replay")}


def test_the_files_are_those_of_the_types() -> None:
    assert json.loads(documents.SCHEMA.read_text()) == documents.schema()
    for language, path in documents.FILES.items():
        assert path.read_text() == documents.page(language), "make words"


def test_no_command_imports_the_types() -> None:
    """They bring half of the program."""
    asked = "import sys, mxbackup.cli; sys.exit('mxbackup.cli.documents' in sys.modules)"
    subprocess.run([sys.executable, "-c", asked], env={"PYTHONPATH": str(PACKAGE)}, check=True)


HISTORY = {"version": 1, "events": [], "damaged_lines": 0}


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        (HISTORY, []),
        ({**HISTORY, "other": 1}, ["Additional properties are not allowed ('other' was unexpected)"]),
        ({**HISTORY, "version": 2}, ["1 was expected"]),
        ({**HISTORY, "events": None}, ["None is not of type 'array'"]),
        ({"version": 1, "events": []}, ["'damaged_lines' is a required property"]),
    ],
)
def test_the_schema_forbids_what_it_does_not_say(document: object, wrong: list[str]) -> None:
    assert schema.judge(["history"], document) == wrong


def test_a_command_that_prints_something_else_fails(mxbackup: Run) -> None:
    with pytest.raises(AssertionError):
        schema.hold(["queue", "--json"], json.dumps(HISTORY))


@pytest.mark.parametrize("facts", [facts for facts, _ in test_audit.ROWS])
def test_audits(facts: Audited) -> None:
    told = about_audits.to_json(facts, audit_findings.judge(facts), lexicon.load("en-us"))
    assert schema.judge(["audit"], {"version": 1, **told}) == []
