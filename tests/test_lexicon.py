# SPDX-License-Identifier: GPL-2.0-or-later
"""The lexicons: complete in both languages, nothing unused, placeholders kept, and transcoded for the legacy build."""

import re
import string
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mxbackup import lexicon
from mxbackup.errors import InvalidName, MxBackupError
from tools.lexicon import MENU, PACKAGE, english, entries, used

TRANSCODE = Path(__file__).parents[1] / "tools/transcode"


def test_french_has_every_sentence_and_no_other() -> None:
    assert entries("fr").keys() == used()


def test_english_is_as_the_sentences_are() -> None:
    assert (PACKAGE / "locale/en-us.xml").read_text() == english(), "run tools/lexicon.py"


def test_the_sources_and_templates_are_searched() -> None:
    said = used()
    assert said >= MENU
    assert "Create a new MX backup rule" in said  # in a template
    assert "The name is empty. Give a domain name such as example.com." in said  # an error
    assert "The database {path} cannot be changed: {reason}." in said  # by way of a function
    assert "Remove a rule: its mail is refused from then on." in said  # a help text
    assert "MX backup is disabled." in said  # one of two


@pytest.mark.parametrize("sentence", sorted(entries("fr")))
def test_placeholders_are_kept(sentence: str) -> None:
    assert placeholders(entries("fr")[sentence]) <= placeholders(sentence)


# Headers of a mail, which stay plain ASCII where they can.
SUBJECTS = {"MX backup: error for {names}", "MX backup: well again: {names}"}


@pytest.mark.parametrize("sentence", sorted(entries("fr").keys() - SUBJECTS))
def test_french_punctuation_is_not_torn_off(sentence: str) -> None:
    assert not re.search(r" [:;!?»](\s|$)|« |\w'\w", entries("fr")[sentence])


def placeholders(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence)}


def test_an_error_within_an_error_is_translated() -> None:
    inner = InvalidName("The name is empty. Give a domain name such as example.com.")
    outer = MxBackupError("Left out, the record {key} is no rule: {reason}", key="x", reason=inner)
    assert lexicon.load("fr").error(outer) == (
        "Laissé de côté, l’enregistrement x n’est pas une règle\u00a0: Le nom est vide. "
        "Donnez un nom de domaine comme exemple.com."
    )


def test_what_is_not_translated_is_said_in_english() -> None:
    assert lexicon.load("fr").text("Unheard of: {it}.", it="x") == "Unheard of: x."
    assert lexicon.load("de").text("Domain") == "Domain"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_transcoding_keeps_every_entry(tmp_path: Path, language: str, charset: str) -> None:
    source, target = PACKAGE / f"locale/{language}.xml", tmp_path / "deep/mxbackup"
    subprocess.run([sys.executable, TRANSCODE, source, charset, target], check=True)
    content = target.read_bytes()
    assert content.startswith(
        f'<?xml version="1.0" encoding="{charset.upper()}"?>\n<lexicon lang="{language}">'.encode()
    )
    assert ElementTree.canonicalize(content.decode(charset).partition("?>")[2]) == ElementTree.canonicalize(
        source.read_text().partition("?>")[2]
    )


def test_transcoding_byte_by_byte(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text('<?xml version="1.0" encoding="UTF-8"?>\n<trans>règle « cœur » 5 €</trans>\n', "utf-8")
    subprocess.run([sys.executable, TRANSCODE, source, "iso-8859-1", target], check=True)
    assert target.read_bytes() == (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<trans>r\xe8gle \xab c&#339;ur \xbb 5 &#8364;</trans>\n'
    )


def test_a_file_without_declaration_is_not_transcoded(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("<trans/>")
    done = subprocess.run([sys.executable, TRANSCODE, source, "utf-8", tmp_path / "target"], check=False)
    assert (done.returncode, (tmp_path / "target").exists()) == (1, False)
