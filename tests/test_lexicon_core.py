# SPDX-License-Identifier: GPL-2.0-or-later
"""How sentences become those of another language, and that none loses its values on the way."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from mxbackup import lexicon
from mxbackup.errors import HostError, InvalidName
from mxbackup.lexicon import Lexicon

PACKAGE = Path(__file__).parents[1] / "python/mxbackup"
CORE = ["names", "rules", "esmithdb", "render", "host", "service"]

GREETING = "Good day, {name}."
FRENCH = Lexicon("fr", {GREETING: "Bonjour, {name}.", "No name.": "Pas de nom."})


def test_a_sentence_is_said_in_the_language_and_else_in_english() -> None:
    assert FRENCH.text(GREETING, name="{Zoé}") == "Bonjour, {Zoé}."
    assert FRENCH.text("Farewell, {name}.", name="Zoé") == "Farewell, Zoé."
    assert Lexicon().text(GREETING, name="Zoé") == "Good day, Zoé."


def test_a_value_may_be_named_like_anything() -> None:
    assert FRENCH.text("{self} {template}", self=1, template=2) == "1 2"


def test_an_error_is_said_with_the_errors_in_it() -> None:
    error = HostError("Not done: {reason}", reason=InvalidName("No name."))
    assert FRENCH.error(error) == "Not done: Pas de nom."


def test_what_the_system_says_is_said_in_the_language() -> None:
    french = Lexicon("fr", {"{path}: {reason}": "{path}\u00a0: {reason}", "Is a directory": "c’est un répertoire"})
    assert french.text("{path}: {reason}", path="x", reason="Is a directory") == "x\u00a0: c’est un répertoire"
    assert french.text("{path}: {reason}", path="x", reason="Never heard") == "x\u00a0: Never heard"
    assert set(lexicon.load("fr").entries) >= lexicon.SYSTEM_REASONS


def test_a_lexicon_is_read_from_its_xml() -> None:
    content = """<?xml version="1.0" encoding="ISO-8859-1"?>
<lexicon lang="fr">
<entry><base>Host</base><trans>Ordinateur</trans></entry>
<entry><base>a &lt; {b}</base><trans>\xe9t\xe9 &amp; {b}</trans></entry>
</lexicon>"""
    assert lexicon.parse(content.encode("latin-1")) == {"Host": "Ordinateur", "a < {b}": "été & {b}"}


def test_the_packaged_lexicons() -> None:
    assert lexicon.load("fr").text("Host") == "Ordinateur"
    assert lexicon.load("fr").language == "fr"
    for language in ("en-us", "de", "../fr"):
        assert lexicon.load(language) == Lexicon("en-us", {})


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en-us"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en-us"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en-us"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8", "LC_ALL": "C"}, "en-us"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, "fr"),
    ],
)
def test_the_language_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert lexicon.language_of_environment() == language


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(sentence) if field is not None}


def test_every_translation_has_the_values_of_its_sentence() -> None:
    entries = lexicon.load("fr").entries
    assert {
        english: french
        for english, french in entries.items()
        if not french or placeholders(french) != placeholders(english)
    } == {}


def sentences(module: str) -> Iterator[tuple[str, set[str]]]:
    """Every sentence of an error that a module raises, with the names of the values that it gives."""
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id[:1].isupper():
            texts = [text.value for text in node.args if isinstance(text, ast.Constant) and isinstance(text.value, str)]
            if texts and " " in texts[-1]:
                yield texts[-1], {str(keyword.arg) for keyword in node.keywords}


@pytest.mark.parametrize("module", CORE)
def test_the_errors_of_the_core_are_all_said_in_french_and_given_their_values(module: str) -> None:
    french = lexicon.load("fr").entries
    found = list(sentences(module))
    assert found
    for sentence, values in found:
        assert sentence in french
        assert placeholders(sentence) == values
