# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogues: every sentence in every language, nothing else, placeholders kept; and how sentences are found."""

import ast
import gettext
import re
import runpy
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog, Message

from mxbackup.errors import InvalidName, MxBackupError
from mxbackup.words import lexicon, outage_mail
from tools import words

TOP = Path(__file__).parents[1]
ENTRY = TOP / "root/etc/e-smith/web/functions/mxbackup"
CATALOGUES = words.catalogues()
MESSAGES = [(language, message) for language, path in CATALOGUES.items() for message in words.read(path) if message.id]


@pytest.fixture(scope="module")
def template() -> Catalog:
    return words.template()


def ids(catalogue: Catalog) -> set[tuple[str, ...]]:
    return {words.originals(message) for message in catalogue if message.id}


def name(value: object) -> str:
    return words.originals(value)[0] if isinstance(value, Message) else str(value)


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_language_has_every_sentence_and_no_other(language: str, template: Catalog) -> None:
    assert ids(words.read(CATALOGUES[language])) == ids(template), "run make words, and translate what it prints"
    assert words.untranslated(words.read(CATALOGUES[language])) == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_the_catalogue_is_as_the_tool_writes_it(language: str, template: Catalog) -> None:
    assert CATALOGUES[language].read_bytes() == words.update(CATALOGUES[language], template), "run make words"


def test_there_are_three_languages() -> None:
    assert lexicon.languages() == ("en-us", "de", "fr")
    assert list(CATALOGUES) == ["de", "fr"]


@pytest.mark.parametrize(("language", "message"), MESSAGES, ids=name)
def test_placeholders_are_kept(language: str, message: Message) -> None:
    known = [placeholders(original) for original in words.originals(message)]
    for translation in words.translations(message):
        assert placeholders(translation) in known
    python_format = re.compile(r"%\(\w+\)s")
    assert python_format.findall(words.translations(message)[0]) == python_format.findall(name(message))


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


# A blank where none may break the line or none at all, straight quotes, an English decimal point.
MISPRINTS = {
    "fr": re.compile(
        r""" [:;!?»](?:\s|$)|« |«(?!\u00a0)|(?<!\u00a0)»|\S(?<!\u00a0)[:;!?](?: |$)|\w'\w|"|[“”]|\d\.\d+ ?s\b"""
    ),
    "de": re.compile(r""" [:;!?](?:\s|$)|[«»”"]|\w'\w|\d\.\d+ ?s\b"""),
}
# Headers of a mail stay plain ASCII where they can, and policies of MTA-STS are English.
AS_IT_IS = re.compile("|".join([*map(re.escape, outage_mail.SUBJECTS.values()), r".*\bmx: .*"]))


@pytest.mark.parametrize("language", ["fr", "de"])
def test_quotation_marks_and_blanks_are_those_of_the_language(language: str) -> None:
    texts = [(place, text) for place, text in said(language) if not AS_IT_IS.fullmatch(place)]
    assert [(place, text) for place, text in texts if MISPRINTS[language].search(text)] == []


def said(language: str) -> list[tuple[str, str]]:
    """Every sentence of a language with what it says, and the paragraphs of its pages without what is code."""
    texts = [
        (name(message), text) for of, message in MESSAGES if of == language for text in words.translations(message)
    ]
    pages = [*TOP.glob(f"docs/**/*.{language}.md"), *TOP.glob(f"docs/manual/{language}/*.md")]
    pages += [*([TOP / "LISEZMOI.md"] if language == "fr" else [])]
    for page in (page.read_text() for page in pages):
        if "<!-- Made by" not in page:
            prose = re.sub(r"^```.*?^```$|^ {4}[^\n]*$|`[^`]*`", "", page, flags=re.MULTILINE | re.DOTALL)
            texts += [(paragraph[:40], paragraph) for paragraph in prose.split("\n\n")]
    return texts


@pytest.mark.parametrize(("language", "column"), [("fr", 2), ("de", 4)])
def test_each_thing_has_one_word(language: str, column: int) -> None:
    never = [
        re.compile(rf"\b{re.escape(word)}".replace(r"\ ", r"s? "), re.IGNORECASE)
        for row in re.findall(r"^\|(.*)\|$", (TOP / "CONTRIBUTING.md").read_text(), re.MULTILINE)[2:]
        for word in filter(None, map(str.strip, row.split("|")[column].split(",")))
    ]
    texts = [(place, " ".join(text.replace("’", "'").split())) for place, text in said(language)]
    assert len(never) > 20
    assert [(word.pattern, place, text) for place, text in texts for word in never if word.search(text)] == []


def test_the_menu_shows_what_the_entry_says() -> None:
    shown = re.findall(r"^# (?:heading|description) +: (.*)$", ENTRY.read_text(), re.MULTILINE)
    assert shown == list(finish_install()["MENU"])


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize(
    ("language", "heading"), [("en-us", "Configuration"), ("fr", "Configuration"), ("de", "Konfiguration")]
)
def test_the_lexicon_of_the_menu(language: str, heading: str, charset: str) -> None:
    assert finish_install()["lexicon"](language, lexicon.load(language).catalogue, charset).decode(charset) == (
        f'<?xml version="1.0" encoding="{charset.upper()}"?>\n'
        f'<lexicon lang="{language}">\n'
        f"<entry><base>Configuration</base><trans>{heading}</trans></entry>\n"
        "<entry><base>MX-Backup</base><trans>MX-Backup</trans></entry>\n"
        "</lexicon>\n"
    )


def test_what_the_charset_of_the_menu_lacks_becomes_references() -> None:
    class Greek(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return "Ρ & été"

    content: bytes = finish_install()["lexicon"]("el", Greek(), "iso-8859-1")
    assert b"<trans>&#929; &amp; \xe9t\xe9</trans>" in content


def finish_install() -> dict[str, Any]:
    return runpy.run_path(str(TOP / "tools/finish-install"))


SOURCE = '''
class Mistake(Exception):
    def __init__(self, field: str, template: Sentence, **params): ...

class Worse(Mistake):
    """Not a sentence."""
    status: int = 3

@dataclass
class Finding:
    code: str
    message: Sentence
    advice: Sentence = "By default."

def text(self, template: Sentence, /, **params: object) -> str: ...
def told(good: bool) -> Sentence:
    return "Good." if good else "Bad."

_ = words.text
_("One {x}.", x="no")
_("Two." if x else "Three.")
f"{_('In a template.')} no"
raise Worse("no", "An error.")
Finding("no", "A message.", advice="An advice.")
TABLE: Mapping[str, Sentence] = {"no": "A value."}
KEYS: dict[Sentence, str] = {"A key.": "no"}
SET: frozenset[Sentence] = frozenset({"In a set."})
said: Sentence = "Two " "strings."
_(f"no {x}")
print("no")
'''
FOUND = [
    *("By default.", "Good.", "Bad.", "One {x}.", "Two.", "Three.", "In a template.", "An error.", "A message."),
    *("An advice.", "A value.", "A key.", "In a set.", "Two strings."),
]


def test_what_is_declared_as_a_sentence_is_found_wherever_it_is_given() -> None:
    tree = ast.parse(SOURCE)
    assert found([tree]) == sorted(FOUND)


def found(trees: Iterable[ast.Module]) -> list[str]:
    trees = list(trees)
    places = words.Places(trees)
    return sorted(str(text.value) for tree in trees for text in words.sentences(tree, places))


def test_a_new_sentence_is_fuzzy_until_somebody_has_looked(tmp_path: Path) -> None:
    path = tmp_path / "fr/LC_MESSAGES/mxbackup.po"
    path.parent.mkdir(parents=True)
    old, new = Catalog("fr"), Catalog()
    old.add("The rule {name} is gone.", "La règle {name} a disparu.")
    path.write_bytes(words.written(old))
    for sentence in ("The rule {name} has gone.", "Something else altogether"):
        new.add(sentence)
    path.write_bytes(words.update(path, new))
    assert [(message.id, message.string) for message in words.untranslated(words.read(path))] == [
        ("Something else altogether", ""),
        ("The rule {name} has gone.", "La règle {name} a disparu."),
    ]


def test_an_error_within_an_error_is_translated() -> None:
    inner = InvalidName("The name is empty. Give a domain name such as example.com.")
    outer = MxBackupError("Left out, the record {key} is no rule: {reason}", key="x", reason=inner)
    assert lexicon.load("fr").error(outer) == (
        "Écarté, l’enregistrement x n’est pas une règle\u00a0: Le nom est vide. "
        "Donnez un nom de domaine comme exemple.com."
    )
