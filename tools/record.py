#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Print what the record of a rule holds, as Markdown, from the table of properties, in the language of the environment.

usage: LC_ALL=LANGUAGE tools/record.py > docs/record.LANGUAGE.md
"""

import sys
from pathlib import Path

import click
import jinja2

from mxbackup.rules import PROPERTIES
from mxbackup.words import lexicon

TEMPLATE = Path(__file__).with_name("record.md.j2")


def page() -> str:
    """Return the page in the language of the environment."""
    lexicon.bind()  # some words are looked up when the commands are made
    from mxbackup.cli import common, mxbackup

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - our own sentences, in Markdown
        finalize=_cell,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    add = mxbackup.commands["add"]
    forms = {param.name: param.make_metavar(click.Context(add)) for param in add.params}
    facts = {"_": common.words.text, "properties": PROPERTIES, "forms": forms}
    return environment.from_string(TEMPLATE.read_text()).render(facts)


def _cell(value: object) -> str:
    """A text that may stand in a table, where a bar divides the cells."""
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
