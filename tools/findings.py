#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write docs/findings.md, the list of all that can be found, and the same in French, from the code and its catalogues.

usage: PYTHONPATH=python:. tools/findings.py
"""

import pkgutil
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import groupby
from pathlib import Path

import jinja2

import mxbackup
from mxbackup.errors import FindingKind, Sentence, Severity
from tools import words

TOP = words.TOP
TEMPLATE = Path(__file__).with_name("findings.md.j2")
FILES: Mapping[str, Path] = {"en": TOP / "docs/findings.md", "fr": TOP / "docs/findings.fr.md"}


def kinds() -> list[FindingKind]:
    """Return every kind of finding, sorted by id, the worst first."""
    for module in pkgutil.walk_packages(mxbackup.__path__, "mxbackup."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    return sorted(
        FindingKind.registered, key=lambda kind: (kind.id, list(Severity).index(kind.severity), kind.sentence)
    )


def text(language: str) -> str:
    """Return the list in one of the languages of FILES."""
    said = translator(language)

    def severities(kind: FindingKind) -> str:
        return ", ".join(said(severity.value) for severity in (kind.severity, kind.milder) if severity)

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown of our own sentences
        trim_blocks=True,
    )
    environment.globals.update(_=said, severities=severities, shown=lambda sentence: _shown(said(sentence)))
    template = environment.from_string(TEMPLATE.read_text())
    return template.render(findings=[(id_, list(of_id)) for id_, of_id in groupby(kinds(), lambda kind: kind.id)])


def translator(language: str) -> Callable[[Sentence], str]:
    """Return what says a sentence in one of the languages of FILES."""
    if language == "en":
        return str
    catalogue = words.read(words.catalogues()[language])
    return lambda sentence: str(catalogue[sentence].string)


def _shown(sentence: str) -> str:
    """A sentence in Markdown, with its placeholders in italics."""
    return re.sub(r"\{(\w+)\}", r"*\1*", sentence)


def main() -> None:
    """Write all files."""
    for language, path in FILES.items():
        path.write_text(text(language))


if __name__ == "__main__":
    main()
