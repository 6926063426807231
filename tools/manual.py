#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Print the manual page mxbackup(1), made from the commands, in the language of the environment.

usage: LC_ALL=LANGUAGE SOURCE_DATE_EPOCH=SECONDS tools/manual.py > mxbackup.1

The page is ASCII, with the names that every roff has for other characters (groff_char(7)), so that the man of any
SME Server shows it, whatever charset it takes pages for.
"""

import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import click
import jinja2

from mxbackup import __version__
from mxbackup.esmith import host
from mxbackup.rules import PROPERTIES
from mxbackup.targets.registry import EXPANDED
from mxbackup.words import lexicon

TEMPLATE = Path(__file__).with_name("manual.1.j2")
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": ":", "\u030a": "o", "\u0327": ","}
NAMES = {
    "\\": r"\e", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", "\xa0": r"\~",
    "«": r"\(Fo", "»": r"\(Fc", "’": r"\(cq", "“": r"\(lq", "”": r"\(rq", "„": r"\(Bq", "ß": r"\(ss", "œ": r"\(oe",
}  # fmt: skip


def roff(text: object) -> str:
    """Return a text that roff prints as it is, in a line of text or within the quotes of a macro's argument.

    Raises UnicodeEncodeError for a character whose name is not known here.
    """
    written = "".join(NAMES.get(char) or _accented(char) for char in str(text))
    return re.sub(r"^\.", r"\&.", written, flags=re.MULTILINE).encode("ascii").decode()


def _accented(char: str) -> str:
    parts = unicodedata.normalize("NFD", char)
    accent = ACCENTS.get(parts[1:])
    return rf"\({accent}{parts[0]}" if accent else char


@dataclass(frozen=True)
class Option:
    """An option as its help names it, the word for its value, its help, and the variable in its place; or empty."""

    names: str
    value: str
    help: str
    variable: str


@dataclass(frozen=True)
class Command:
    """What click knows of a command."""

    context: click.Context

    @property
    def usage(self) -> str:
        """How it is called."""
        return " ".join([self.context.command_path, *self.context.command.collect_usage_pieces(self.context)])

    @property
    def help(self) -> str:
        """Its help text."""
        return self.context.command.help or ""

    @property
    def options(self) -> Iterator[Option]:
        """Its options; --help, which every command has, with the program only."""
        command, below = self.context.command, self.context.parent
        for param in command.params if below else command.get_params(self.context):
            record = param.get_help_record(self.context)
            if isinstance(param, click.Option) and record:
                value = "" if param.is_flag else param.make_metavar(self.context)
                yield Option(record[0].removesuffix(value), value, record[1], str(param.envvar or ""))

    @property
    def examples(self) -> list[str]:
        """The lines of its examples, under their heading."""
        return [line.strip() for line in (self.context.command.epilog or "").removeprefix("\b\n").splitlines()]

    def below(self) -> Iterator["Command"]:
        """Yield the commands of a group, each before its own."""
        if isinstance(self.context.command, click.Group):
            for name in self.context.command.list_commands(self.context):
                command = self.context.command.commands[name]
                found = Command(click.Context(command, info_name=name, parent=self.context))
                yield found
                yield from found.below()


def page(made: date) -> str:
    """Return the page in the language of the environment."""
    lexicon.bind()  # some words are looked up when the commands are made
    from mxbackup.cli import common, mxbackup

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if value is made else roff(value),  # as ISO 8601 has it, for .TH
        autoescape=False,  # noqa: S701 - this is no HTML, and roff() takes its place
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    program = Command(click.Context(mxbackup, info_name="mxbackup", **mxbackup.context_settings))
    facts = {
        "_": common.words.text,
        "cli": common,
        "commands": list(program.below()),
        "date": made,
        "forms": {param.name: param.make_metavar(program.context) for param in mxbackup.commands["add"].params},
        "host": host,
        "program": program,
        "properties": PROPERTIES,
        "targets": EXPANDED.values(),
        "version": __version__,
    }
    return environment.from_string(TEMPLATE.read_text()).render(facts)


if __name__ == "__main__":
    sys.stdout.write(page(datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC).date()))
