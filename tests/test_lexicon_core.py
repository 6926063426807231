# SPDX-License-Identifier: GPL-2.0-or-later
"""How sentences become those of another language, and that none loses its values on the way."""

import errno
import gettext
import io
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo

from mxbackup.errors import HostError, InvalidName
from mxbackup.words import lexicon
from mxbackup.words.lexicon import Lexicon

PACKAGE = Path(__file__).parents[1] / "python"


def made(sentences: Mapping[str, str]) -> Lexicon:
    catalogue, content = Catalog("fr", charset="utf-8"), io.BytesIO()
    for sentence, translation in sentences.items():
        catalogue.add(sentence, translation)
    write_mo(content, catalogue)
    content.seek(0)
    return Lexicon("fr", gettext.GNUTranslations(content))


GREETING = "Good day, {name}."
FRENCH = made({GREETING: "Bonjour, {name}."})


def test_a_sentence_is_said_in_the_language_and_else_in_english() -> None:
    assert FRENCH.text(GREETING, name="{Zoé}") == "Bonjour, {Zoé}."
    assert FRENCH.text("Farewell, {name}.", name="Zoé") == "Farewell, Zoé."
    assert Lexicon().text(GREETING, name="Zoé") == "Good day, Zoé."


def test_a_value_may_be_named_like_anything() -> None:
    assert FRENCH.text("{self} {template}", self=1, template=2) == "1 2"


def test_an_error_is_said_with_the_errors_in_it() -> None:
    french = made({"The name {host} is not in the DNS.": "Pas de {host}."})
    inner = InvalidName("The name {host} is not in the DNS.", host="x")
    error = HostError("The check is not possible: {reason}.", reason=inner)
    assert french.error(error) == "The check is not possible: Pas de x.."


def test_what_the_system_says_is_said_in_the_language() -> None:
    french = made({"{path}: {reason}": "{path}\u00a0: {reason}", "Is a directory": "c’est un répertoire"})
    assert french.text("{path}: {reason}", path="x", reason="Is a directory") == "x\u00a0: c’est un répertoire"
    assert french.text("{path}: {reason}", path="x", reason="Never heard") == "x\u00a0: Never heard"


def test_the_packaged_catalogues() -> None:
    said = {language: lexicon.load(language).text("Rules") for language in lexicon.languages()}
    assert said == {"en-us": "Rules", "de": "Regeln", "fr": "Règles"}
    assert lexicon.load("fr").language == "fr"
    for language in ("en-us", "nl", "../locale/fr", "fr_FR"):
        assert lexicon.load(language).language == "en-us"
        assert lexicon.load(language).text("Rules") == "Rules"


ENVIRONMENTS = [
    ({}, "en-us"),
    ({"LANG": "fr_FR.UTF-8"}, "fr"),
    ({"LANG": "fr"}, "fr"),
    ({"LANG": "fr_CA"}, "fr"),
    ({"LANG": "de_AT.UTF-8"}, "de"),
    ({"LANG": "de_DE@euro"}, "de"),
    ({"LANG": "nl_NL.UTF-8"}, "en-us"),
    ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en-us"),
    ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_CA.UTF-8"}, "fr"),
    ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8", "LC_ALL": "C"}, "en-us"),
    ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, "fr"),
    ({"LANG": "en_US.UTF-8", "LANGUAGE": "nl:de_CH:fr"}, "de"),
    ({"LANG": "C.UTF-8", "LANGUAGE": "de"}, "en-us"),
    ({"LANGUAGE": "de"}, "en-us"),
]


@pytest.mark.parametrize(("environment", "language"), ENVIRONMENTS)
def test_the_language_of_the_environment_is_that_of_the_whole_process(
    environment: dict[str, str], language: str
) -> None:
    program = """
import gettext
from mxbackup.words import lexicon
lexicon.bind()
words = lexicon.load(lexicon.language_of_environment())
print(words.language, words.text("Usage:") == gettext.gettext("Usage:"))
print(gettext.ngettext("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)", 2))
"""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=clean | environment, capture_output=True, check=True)
    plural = {
        "en-us": "(Did you mean one of: {possibilities}?)",
        "de": "(Meinten Sie eines von diesen: {possibilities}?)",
        "fr": "Vouliez-vous dire l’une de celles-ci\u00a0: {possibilities}\u00a0?",
    }
    assert done.stdout.decode() == f"{language} True\n{plural[language]}\n"


MET = """
    EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EBUSY ECONNREFUSED ECONNRESET EDQUOT EEXIST EFBIG EHOSTUNREACH
    EINVAL EIO EISDIR ELOOP EMFILE ENAMETOOLONG ENETUNREACH ENOENT ENOEXEC ENOMEM ENOSPC ENOTDIR ENOTEMPTY EPERM EPIPE
    EROFS ETIMEDOUT ETXTBSY
"""


@pytest.mark.parametrize("language", lexicon.languages()[1:])
def test_what_the_system_says_is_translated(language: str) -> None:
    words = lexicon.load(language)
    for said in (os.strerror(getattr(errno, name)) for name in MET.split()):
        translated = words.text("{reason}", reason=said)
        assert translated not in ("", said)
        assert words.text("{reason}", reason=OSError(1, said, "/a/file")) == translated


def test_what_sqlite_says_is_translated() -> None:
    error = sqlite3.OperationalError("database is locked")
    assert lexicon.load("fr").text("{reason}", reason=error) == "base verrouillée"


@pytest.mark.parametrize(
    ("locale", "language"), [("", "en-us"), ("fr_FR.UTF-8", "fr"), ("fr_CA", "fr"), ("de", "de"), ("../fr", "en-us")]
)
def test_the_language_of_a_locale(locale: str, language: str) -> None:
    assert lexicon.language_of(locale) == language


def test_what_templates_and_events_call_loads_no_catalogue(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "mxbackup", "render", "rcpthosts"]
    environment = {"PYTHONPATH": str(PACKAGE), "MXBACKUP_ROOT": str(tmp_path), "LANG": "fr_FR.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert "mxbackup.targets.registry" in modules
    assert not modules & {"gettext", "mxbackup.words.lexicon", "click", "itsdangerous", "inspect", "dis", "ast"}
