# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogues of a checkout: compiled as `make setup` does, and everything that is said is looked up in them."""

import sys
from functools import cache
from pathlib import Path
from string import Formatter

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mxbackup.words.lexicon import CATALOGUES, Lexicon


def compile_changed() -> None:
    """Compile every catalogue whose source is newer, for whoever runs pytest alone."""
    for source in CATALOGUES.glob("*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            with compiled.open("wb") as file:
                write_mo(file, _read(source))


@cache  # the conftest that asks is imported twice, and a watcher of the watcher would see nothing
def watch_sentences() -> list[str]:
    """Return a list that from now on takes every sentence that our code says and no catalogue knows."""
    known = {message.id for message in _read(CATALOGUES / "fr/LC_MESSAGES/mxbackup.po")}
    unknown: list[str] = []
    text = Lexicon.text

    def watched(self: Lexicon, template: str, /, **params: object) -> str:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        says = any(text for text, *_ in Formatter().parse(template))
        if says and template not in known and caller.startswith(("mxbackup.", "jinja2.")):
            unknown.append(template)
        return text(self, template, **params)

    Lexicon.text = watched  # type: ignore[method-assign]
    return unknown


def _read(source: Path) -> Catalog:
    with source.open("rb") as file:
        return read_po(file)
