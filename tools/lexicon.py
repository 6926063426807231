#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Find every sentence that the program says to a user, and keep the English lexicon equal to them.

usage: tools/lexicon.py    rewrites en-us.xml, and prints what fr.xml lacks or has too many. Exit status 1 then.
"""

import ast
import sys
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import click
import jinja2
from jinja2 import nodes

PACKAGE = Path(__file__).resolve().parent.parent / "python/mxbackup"
# What the server-manager's menu shows: the comments of the panel's entry.
MENU = {"Configuration", "MX-Backup"}
# Functions whose first text is a sentence; the errors of the package are found by the end of their base's name.
SAYING = {"_", "text", "_cannot"}


def used() -> set[str]:
    """Return every sentence in the sources and templates that is looked up in the lexicon."""
    found, french = set(MENU), entries("fr").keys()
    for tree in _trees():
        found.update(_said(tree))
        # Sentences that are kept in tables: the lexicon tells which texts they are.
        found.update(_known(tree, french))
    # What click says itself: as much of it as is translated.
    for path in Path(click.__file__).parent.glob("*.py"):
        found.update(_known(ast.parse(path.read_text()), french))
    for path in (PACKAGE / "templates/panel").glob("*.html"):
        found.update(_said_in_template(path.read_text()))
    return {sentence for sentence in found if _without_placeholders(sentence)}


def entries(language: str) -> dict[str, str]:
    """Return the lexicon of a language as it is on disk."""
    root = ElementTree.fromstring((PACKAGE / f"locale/{language}.xml").read_bytes())  # noqa: S314 - our own file
    return {entry.findtext("base", ""): entry.findtext("trans", "") for entry in root.iter("entry")}


def english() -> str:
    """Return the English lexicon: every sentence stands for itself."""
    lines = [
        f"<entry><base>{escape(sentence)}</base><trans>{escape(sentence)}</trans></entry>\n"
        for sentence in sorted(used())
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<lexicon lang="en-us">\n{"".join(lines)}</lexicon>\n'


def _known(tree: ast.Module, sentences: Set[str]) -> set[str]:
    return {text for node in ast.walk(tree) for text in _texts(node) if text in sentences}


@cache
def _trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))]


def _said(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAYING and node.args:
                yield from _texts(node.args[0])
            elif name == "Finding":  # code, severity, sentence, advice
                yield from [text for argument in node.args[2:4] for text in _texts(argument)]
            elif name in _errors():
                yield from [text for argument in node.args for text in _texts(argument)][-1:]


@cache
def _errors() -> set[str]:
    """The names of all classes whose base is an error of the package."""
    known = {"MxBackupError"}
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    for _ in bases:
        known |= {name for name, parents in bases.items() if parents & known}
    return known


def _texts(node: ast.AST) -> Iterator[str]:
    """The text of an argument, or both of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _said_in_template(source: str) -> Iterator[str]:
    for call in jinja2.Environment(autoescape=True).parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            yield call.args[0].as_const()


def _without_placeholders(sentence: str) -> str:
    return "".join(part.partition("}")[2] for part in ("}" + sentence).split("{"))


def main() -> int:
    """Rewrite the English lexicon and report on the French one."""
    (PACKAGE / "locale/en-us.xml").write_text(english())
    french, sentences = entries("fr").keys(), used()
    for sentence in sorted(sentences - french):
        print(f"not in fr.xml: {sentence}")
    for sentence in sorted(french - sentences):
        print(f"used nowhere: {sentence}")
    return int(french != sentences)


if __name__ == "__main__":
    sys.exit(main())
