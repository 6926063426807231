# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual page: made of the commands, sound for the real man(1) and mandoc(1), and all in one language."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxbackup import cli
from mxbackup.rules import PROPERTIES
from mxbackup.words import lexicon
from tests.scratch import run_python
from tools import manual

LANGUAGES = ("C", *lexicon.languages()[1:])
TOOL = Path(manual.__file__)


@cache
def page(language: str) -> str:
    done = run_python(str(TOOL), environment={"LC_ALL": language, "SOURCE_DATE_EPOCH": "1078866000"})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def shown(source: str, *options: str) -> str:
    """What groff prints of a page or a text, on a terminal so wide that no line is broken."""
    command = ["groff", "-Tutf8", "-ww", "-P-cbou", "-rLL=900n", *options]
    done = subprocess.run(command, input=source.encode("ascii"), capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, f"{path} {name}")


def section(source: str, command: str) -> str:
    """The source of one command's part of the page."""
    found = re.search(rf'^\.SS "{command} \[.*?(?=^\.S[SH])', source, re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


def test_a_command_in_english() -> None:
    assert (
        section(page("C"), "mxbackup recipients import")
        == r""".SS "mxbackup recipients import [OPTIONS] NAME [FILE]"
Make the addresses in FILE, one a line, the list of NAME. Without FILE, read standard input. An address stands for what is added to it too: jean for jean\-news and jean+news.
.TP
.BI "\-\-no\-event" ""
Change the database only: expand no file, restart nothing.
.TP
.BI "\-\-dry\-run" ""
Show what would change, and change nothing.
.PP
Examples:
.RS 4
.nf
mxbackup recipients import dupontnet.com addresses.txt
.fi
.RE
"""  # noqa: E501 - as it is in the file
    )


def test_a_command_in_french() -> None:
    assert (
        section(page("fr"), "mxbackup recipients import")
        == r""".SS "mxbackup recipients import [OPTIONS] NOM [FICHIER]"
Les adresses de FICHIER, une par ligne, deviennent la liste de NOM. Sans FICHIER, l\(cqentr\('ee standard est lue. Une adresse vaut aussi pour ce qui y est ajout\('e\~: jean pour jean\-infos et jean+infos.
.TP
.BI "\-\-no\-event" ""
Modifier seulement la base\~: ne r\('eg\('en\('erer aucun fichier, ne rien red\('emarrer.
.TP
.BI "\-\-dry\-run" ""
Montrer ce qui changerait, sans rien changer.
.PP
Exemples\~:
.RS 4
.nf
mxbackup recipients import dupontnet.com addresses.txt
.fi
.RE
"""  # noqa: E501 - as it is in the file
    )


def test_a_command_in_german() -> None:
    assert (
        section(page("de"), "mxbackup recipients import")
        == r""".SS "mxbackup recipients import [OPTIONS] NAME [DATEI]"
Die Adressen in DATEI, eine je Zeile, zur Liste von NAME machen. Ohne DATEI wird die Standardeingabe gelesen. Eine Adresse steht auch f\(:ur das, was ihr angef\(:ugt ist: jean f\(:ur jean\-news und jean+news.
.TP
.BI "\-\-no\-event" ""
Nur die Datenbank \(:andern: keine Datei erzeugen, nichts neu starten.
.TP
.BI "\-\-dry\-run" ""
Zeigen, was sich \(:andern w\(:urde, und nichts \(:andern.
.PP
Beispiele:
.RS 4
.nf
mxbackup recipients import dupontnet.com addresses.txt
.fi
.RE
"""  # noqa: E501 - as it is in the file
    )


HEADINGS = {
    "C": "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, COMMANDS, THE RECORD, EXIT STATUS, ENVIRONMENT, FILES, SEE ALSO",
    "fr": "NOM, SYNOPSIS, DESCRIPTION, OPTIONS, COMMANDES, L’ENREGISTREMENT, CODE DE RETOUR, "
    "ENVIRONNEMENT, FICHIERS, VOIR AUSSI",
    "de": "NAME, ÜBERSICHT, BESCHREIBUNG, OPTIONEN, BEFEHLE, DER EINTRAG, EXIT-STATUS, UMGEBUNG, DATEIEN, SIEHE AUCH",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sections(language: str) -> None:
    assert ", ".join(re.findall(r"^(\w.*[^)\n])$", shown(page(language), "-man"), re.MULTILINE)) == HEADINGS[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_every_option_is_in_the_page(language: str) -> None:
    program, *parts = re.split(r"^   (?=mxbackup )", shown(page(language), "-man"), flags=re.MULTILINE)
    described = {"mxbackup": program} | {part.partition(" [")[0]: part for part in parts}
    known = dict(commands(cli.mxbackup, "mxbackup"))
    assert described.keys() == known.keys()
    for path, command in known.items():
        for option in command.params:
            if isinstance(option, click.Option):
                assert re.search(rf"^ +{option.opts[-1]}( |$)", described[path], re.MULTILINE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_property_and_every_choice_is_in_the_page(language: str) -> None:
    keys = [prop.key for prop in PROPERTIES]
    start = rf"^ {{7}}(?=(?:{'|'.join(keys)}) \S+$)"
    _, *described = re.split(start, shown(page(language), "-man"), flags=re.MULTILINE)
    assert [part.split()[0] for part in described] == keys
    for part, prop in zip(described, PROPERTIES, strict=True):
        assert re.findall(r"^ {14}([a-z]+) +[A-Z]", part, re.MULTILINE) == [choice.value for choice in prop.choices]


def test_the_page_has_nothing_in_another_language() -> None:
    """What click says itself, too: some of it when the commands are made."""
    for sentence in ("Show", "Print", "default:", "Examples"):
        assert sentence in page("C")
        assert not [language for language in lexicon.languages()[1:] if sentence in page(language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_real_programs_have_nothing_to_say_against_it(language: str, tmp_path: Path) -> None:
    file = tmp_path / "mxbackup.1"
    file.write_text(page(language))
    lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", file], capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stdout) == (0, "")
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert (
        subprocess.run(["lexgrog", file], capture_output=True, text=True, check=True).stdout.count("mxbackup - ") == 1
    )


def test_the_day_is_that_of_the_source() -> None:
    assert '.TH MXBACKUP 1 "2004-03-09" "mxbackup' in page("C")


LATIN_1 = [chr(code) for code in range(0xC0, 0x100) if chr(code) not in "ÆÐ×ØÞæð÷øþ"]
TYPED = [chr(code) for code in range(0x21, 0x7F)]


@given(st.lists(st.text([*TYPED, *LATIN_1, *manual.NAMES], min_size=1), min_size=1))
@settings(max_examples=40)
def test_groff_prints_any_text_as_it_is(lines: list[str]) -> None:
    printed = shown('.TH X 1 "" "" ""\n.nf\n' + manual.roff("\n".join(lines)), "-man")
    assert printed.split()[2:-1] == "\n".join(lines).split()


def test_a_character_without_a_name_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        manual.roff("Łódź")
