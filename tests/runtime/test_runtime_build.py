# SPDX-License-Identifier: GPL-2.0-or-later
"""runtime/build where it must stop: a source that is not the pinned one, no network, no tool."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAIN = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the build is made of, whose archive is a directory of the test."""
    shutil.copytree(MAIN / "runtime", tmp_path / "runtime")
    (tmp_path / "rpm").mkdir()
    shutil.copy(MAIN / "rpm/macros", tmp_path / "rpm")
    pins = tmp_path / "runtime/pins.toml"
    pins.write_text(pins.read_text().replace("http://deb.debian.org", f"file:{tmp_path}/archive"))
    return tmp_path


def build(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"MXBACKUP_RUNTIME_CACHE": str(checkout / "cache")} | environment
    return subprocess.run([checkout / "runtime/build", checkout / "dist"], check=False, capture_output=True, text=True,
                          env=environ)  # fmt: skip


def test_sources_that_cannot_be_fetched_are_named(checkout: Path) -> None:
    done = build(checkout)
    assert done.returncode == 3
    message = done.stderr.splitlines()[-1]
    assert message.startswith("runtime/build: nothing built, these sources cannot be fetched from file:")
    assert "debian/pool/main/m/musl/musl_1.2.5.orig.tar.gz" in message
    assert "debian/pool/main/p/python3.11/python3.11_3.11.2-6+deb12u8.debian.tar.xz" in message
    assert not (checkout / "dist").exists()


def test_wrong_hash_stops_and_the_file_is_not_kept(checkout: Path) -> None:
    source = checkout / "archive/debian/pool/main/m/musl/musl_1.2.5.orig.tar.gz"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"not musl\n")
    done = build(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "runtime/build: debian/pool/main/m/musl/musl_1.2.5.orig.tar.gz has sha256 "
        "a7e62db3a9ba927d320e012bc7991ed639fef87e080554d6fbcbae4f0dc4a228, not "
        "a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4 as in pins.toml: not used, and removed"
    )
    assert list((checkout / "cache/sources").iterdir()) == []


def test_missing_programs_are_named(checkout: Path) -> None:
    done = build(checkout, PATH="")
    assert done.returncode == 3
    assert done.stderr == (
        "runtime/build: these programs are missing: gcc make patch tar xz bzip2 tclsh python3.11 rpmbuild "
        "(Debian packages: see packages.txt)\n"
    )
    assert not (checkout / "cache").exists()
