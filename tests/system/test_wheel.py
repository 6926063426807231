# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheel in dist/, installed with each Python of 3.11 and later that this machine has: the owner's commands run.

What it depends on is taken from build/bundle/lib, in the place of PyPI: no test needs the network.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from mxbackup import __version__
from tests.system.machine import CHECKOUT, DIST

LIBRARIES = CHECKOUT / "build/bundle/lib"
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))


def pythons() -> list[Path]:
    """One interpreter of each version: on the path, or of pyenv."""
    found = {}
    for minor in range(11, 16):
        on_path = shutil.which(f"python3.{minor}", path="/usr/bin:/usr/local/bin")
        installed = sorted(PYENV.glob(f"versions/3.{minor}.*/bin/python3"))
        if on_path or installed:
            found[minor] = Path(on_path or installed[-1])
    return list(found.values())


@pytest.fixture(scope="module")
def wheel() -> Path:
    [wheel] = DIST.glob("smeserver_mxbackup-*.whl")
    return wheel


def test_it_is_pure_python_with_its_catalogues_and_dependencies(wheel: Path) -> None:
    assert wheel.name == f"smeserver_mxbackup-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    assert {f"mxbackup/locale/{language}/LC_MESSAGES/mxbackup.mo" for language in ("fr", "de")} <= set(names)
    assert not [name for name in names if name.endswith((".so", ".pyc"))]
    required = [line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if "Requires-Dist" in line]
    needed = ["click", "dnspython", "idna", "itsdangerous", "jinja2", "publicsuffixlist", "werkzeug"]
    assert sorted(line.partition(">")[0] for line in required if "extra ==" not in line) == needed


@pytest.mark.parametrize("python", pythons(), ids=str)
def test_the_commands_of_an_owner(wheel: Path, python: Path, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "fr_FR.UTF-8"}
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True, env=environment)
    bin = tmp_path / "venv/bin"
    pip = [str(bin / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(wheel)], check=True, env=environment)
    [packages] = (tmp_path / "venv/lib").glob("python3.*/site-packages")
    (packages / "libraries.pth").write_text(f"{LIBRARIES}\n")

    def run(*words: str) -> tuple[int, str]:
        command = [str(bin / "mxbackup"), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("--version") == (0, f"mxbackup {__version__}\n")
    status, said = run("audit", "--help")
    assert (status, "Interroge tous les serveurs MX" in said) == (0, True)
    assert run("audit", "192.0.2.1")[0] == 2
    status, said = run("probe", "127.0.0.1", "jean@dupontnet.com", "--port", "1", "--timeout", "2")
    expected = "ERREUR : 127.0.0.1 port 1 n’accepte pas de connexion : connexion refusée."
    assert (status, said.splitlines()[-1].replace("\N{NO-BREAK SPACE}", " ")) == (3, expected)
