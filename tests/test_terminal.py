# SPDX-License-Identifier: GPL-2.0-or-later
"""The charset of a terminal, what is typed and shown there, and click in French: in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mxbackup.words import terminal
from tests.scratch import PACKAGE, Scratch

LATIN_1 = {"LANG": "fr_FR"}
EURO = {"LANG": "fr_FR@euro"}
UTF_8 = {"LANG": "fr_FR.UTF-8"}


def run(server: Scratch, environment: Mapping[str, str], *arguments: str | bytes) -> tuple[int, bytes, bytes]:
    """Exit status, stdout and stderr of the command, without any variable of the tests' own locale."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), "MXBACKUP_ROOT": str(server.root)}
    command = [sys.executable, "-m", "mxbackup", *arguments]
    done = subprocess.run(command, env={**clean, **environment}, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("environment", "charset"),
    [
        ({}, "utf-8"),
        ({"LANG": ""}, "utf-8"),
        ({"LANG": "C"}, "utf-8"),
        ({"LANG": "POSIX"}, "utf-8"),
        ({"LANG": "fr_FR.UTF-8"}, "utf-8"),
        ({"LANG": "en_US.utf8"}, "utf-8"),
        ({"LANG": "fr_FR"}, "iso8859-1"),
        ({"LANG": "en_US"}, "iso8859-1"),
        ({"LANG": "fr_FR.ISO-8859-1"}, "iso8859-1"),
        ({"LANG": "fr_FR@euro"}, "iso8859-15"),
        ({"LANG": "fr_FR.ISO-8859-15@euro"}, "iso8859-15"),
        ({"LANG": "xx_YY"}, "utf-8"),
        ({"LANG": "fr_FR.no-charset"}, "utf-8"),
        ({"LANG": "fr_FR.UTF-8", "LC_CTYPE": "fr_FR"}, "iso8859-1"),
        ({"LANG": "fr_FR", "LC_CTYPE": "C.UTF-8"}, "iso8859-1"),
        ({"LANG": "fr_FR", "LC_CTYPE": "fr_FR.UTF-8"}, "utf-8"),
        ({"LANG": "fr_FR", "LC_CTYPE": "fr_FR", "LC_ALL": "C"}, "utf-8"),
        ({"LANG": "fr_FR", "LC_ALL": ""}, "iso8859-1"),
    ],
)
def test_the_charset_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], charset: str
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal.charset() == charset


def test_what_is_typed_in_latin_1_is_recorded_in_utf_8(server: Scratch) -> None:
    done = run(server, EURO, "add", "--no-event", b"caf\xe9.example.org", "--description", b"Soci\xe9t\xe9 \xa4")
    assert done == (
        0,
        "Règle ajoutée\u00a0: café.example.org (Domaine). "
        "Aucun événement n'a été signalé\u00a0: les fichiers de messagerie sont comme avant.\n"
        "Ce que son propriétaire doit faire\u00a0: mxbackup letter xn--caf-dma.example.org\n".encode("latin-1"),
        b"",
    )
    assert server.records("domains") == ["xn--caf-dma.example.org=mxbackup|Description|Société €|Kind|domain"]


def test_what_the_charset_lacks_is_escaped_and_foreign_bytes_are_shown(server: Scratch) -> None:
    server.database(
        "domains",
        "a.fr=mxbackup|Description|5 € “été”|Kind|domain",
        b"b.fr=mxbackup|Description|\xe9t\xe9\x9b|Kind|host",
    )
    assert run(server, LATIN_1, "list") == (
        0,
        b"NOM   TYPE        V\xc9RIFICATION  DESTINATION  DESCRIPTION\n"
        b'a.fr  Domaine     -             MX           5 \\u20ac "\xe9t\xe9"\n'
        b"b.fr  Ordinateur  -             MX           \xe9t\xe9\\u009b\n",
        b"",
    )
    assert run(server, UTF_8, "list")[1].decode().splitlines()[1:] == [
        "a.fr  Domaine     -             MX           5 € “été”",
        "b.fr  Ordinateur  -             MX           été\\u009b",
    ]


def test_what_programs_read_is_utf_8_or_ascii(server: Scratch) -> None:
    server.database("domains", "a.fr=mxbackup|Description|été €|Kind|domain")
    csv = "name,kind,route,smarthost,description,recipients,unknown,hold,contact\r\na.fr,domain,,,été €,,,,\r\n"
    assert run(server, LATIN_1, "export", "--format", "csv")[1].decode() == csv
    assert b'"description": "\\u00e9t\\u00e9 \\u20ac"' in run(server, LATIN_1, "list", "--json")[1]
    assert '"description": "été €"'.encode() in run(server, UTF_8, "list", "--json")[1]


@pytest.mark.parametrize("environment", [LATIN_1, UTF_8, {}])
def test_a_file_is_opened_by_the_bytes_of_its_name(
    server: Scratch, tmp_path: Path, environment: dict[str, str]
) -> None:
    name = os.fsencode(tmp_path) + b"/list\xe9"
    with open(name, "wb") as file:
        file.write(b"a.example.org\n")
    assert run(server, environment, "import", "--no-event", name)[0] == 0
    assert server.records("domains") == ["a.example.org=mxbackup|Kind|domain"]


HELP = """\
Usage\u00a0: mxbackup add [OPTIONS] NOM

  Créer une règle\u00a0: accepter le courrier de NOM et le garder pour son serveur
  primaire.

Options\u00a0:
"""


def test_help_in_french(server: Scratch) -> None:
    status, out, errors = run(server, UTF_8, "add", "--help")
    assert (status, errors) == (0, b"")
    said = out.decode()
    assert said.startswith(HELP)
    assert "--description TEXTE" in said
    assert "[par défaut : domain]" in " ".join(said.split())
    assert "-h, --help                   Afficher cette aide.\n" in said


PORT, TIMEOUT = (f"Valeur non valable pour «\u00a0{option}\u00a0»\u00a0: " for option in ("--port", "--timeout"))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "lst",
            "La commande «\u00a0lst\u00a0» n’existe pas. "
            "Vouliez-vous dire l’une de celles-ci\u00a0: «\u00a0list\u00a0», «\u00a0set\u00a0»\u00a0?",
        ),
        ("add", "Il manque l’argument «\u00a0NOM\u00a0»."),
        ("add --route", "L’option «\u00a0--route\u00a0» demande une valeur."),
        ("list --json=x", "L’option «\u00a0--json\u00a0» ne prend pas de valeur."),
        ("list --jso", "L’option «\u00a0--jso\u00a0» n’existe pas. Vouliez-vous dire «\u00a0--json\u00a0»\u00a0?"),
        ("list a", "Argument de trop\u00a0: a"),
        ("list a b", "Arguments de trop\u00a0: a b"),
        (
            "export --format x",
            "Valeur non valable pour «\u00a0--format\u00a0»\u00a0: "
            "«\u00a0x\u00a0» est impossible. Choisissez parmi\u00a0: «\u00a0json\u00a0», «\u00a0csv\u00a0».",
        ),
        ("probe a b --port x", PORT + "«\u00a0x\u00a0» n’est pas un nombre valable."),
        ("probe a b --port 0", PORT + "0 n’est pas dans les limites 1<=x<=65535."),
        ("probe a b --timeout 0,05", TIMEOUT + "0,05 n’est pas dans les limites 0,1<=x<=600."),
    ],
)
def test_wrong_use_in_french(server: Scratch, typed: str, message: str) -> None:
    status, out, errors = run(server, UTF_8, *typed.split())
    assert (status, out, errors.decode().splitlines()[-1]) == (2, b"", f"Erreur\u00a0: {message}")


def test_an_unknown_target_is_wrong_use_in_french(server: Scratch) -> None:
    status, out, errors = run(server, UTF_8, "render", "foo")
    assert (status, out) == (2, b"")
    assert errors.decode().splitlines()[0] == "Usage\u00a0: mxbackup render [OPTIONS] CIBLE"


def test_what_the_system_says_is_in_french(server: Scratch) -> None:
    done = run(server, UTF_8, "import", "/nowhere/list")
    message = "mxbackup: /nowhere/list ne peut pas être lu\u00a0: fichier ou répertoire inexistant.\n"
    assert done == (2, b"", message.encode())


@pytest.mark.parametrize("environment", [UTF_8, {}])
@pytest.mark.parametrize("group", [[], ["recipients"]])
def test_the_summary_of_each_command_fits_into_its_line(
    server: Scratch, environment: dict[str, str], group: list[str]
) -> None:
    status, out, _ = run(server, environment, *group, "--help")
    lines = out.decode().splitlines()[1:]
    assert (status, [line for line in lines if "..." in line or len(line) > 80]) == (0, [])
