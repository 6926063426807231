# SPDX-License-Identifier: GPL-2.0-or-later
"""The built interpreter and the hosts to run it on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import click
import dns
import jinja2
import markupsafe
import pytest

from tests.runtime.hosts import Emulators, Runtime, add_perl, compile_oldkern, make_root

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "runtime" / "build"
LIBRARIES = (click, dns, jinja2, markupsafe)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """The interpreter's package, built if these inputs never were; needs network then."""
    done = subprocess.run([BUILD, tmp_path_factory.mktemp("dist")], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    package, directory = map(Path, done.stdout.splitlines())
    return Runtime(package, directory)


@pytest.fixture(scope="session")
def emulators(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Emulators:
    """Hosts on one root: our package, the third-party libraries, perl."""
    if os.geteuid():
        pytest.skip("making a root directory with devices needs root")
    directory = tmp_path_factory.mktemp("host")
    root = directory / "root"
    make_root(root, [runtime.package])
    add_perl(root)
    for library in LIBRARIES:
        assert library.__file__
        package = Path(library.__file__).parent
        shutil.copytree(
            package, root / "tests/lib" / package.name, ignore=shutil.ignore_patterns("*.so", "__pycache__")
        )
    shutil.copy(HERE / "features.py", root / "tests")
    compile_oldkern(directory)
    return Emulators(root, directory)
