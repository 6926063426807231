# SPDX-License-Identifier: GPL-2.0-or-later
"""The package as rpm 4.0.4 and 4.3.3 would read it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.hosts import Runtime, unpack_rpm

MEGABYTE = 2**20
# Debian's binding belongs to Debian's Python, which need not be the one that runs the tests.
READ_HEADER = """
import json, rpm, sys
transaction = rpm.TransactionSet()
transaction.setVSFlags(rpm.RPMVSF_MASK_NOSIGNATURES)
with open(sys.argv[1]) as file:
    header = transaction.hdrFromFdno(file)
tags = {name: header[name] for name in sys.argv[2:]}
files = [[f.name, f.mode, f.user, f.group] for f in rpm.files(header)]
json.dump({"tags": tags, "files": files}, sys.stdout)
"""
IDENTITY = ["NAME", "VERSION", "RELEASE", "ARCH", "OS", "BUILDHOST"]
PAYLOAD = ["PAYLOADFORMAT", "PAYLOADCOMPRESSOR", "PAYLOADFLAGS"]
SCRIPTS = ["PREIN", "POSTIN", "PREUN", "POSTUN", "PRETRANS", "POSTTRANS", "TRIGGERSCRIPTS", "FILETRIGGERSCRIPTS"]
OTHERS = ["REQUIRENEVRS", "FILEDIGESTS", "FILEDIGESTALGO", "FILECAPS", "SIZE"]
REQUIREMENTS = ["rpmlib(CompressedFileNames) <= 3.0.4-1", "rpmlib(PayloadFilesHavePrefix) <= 4.0-1"]
INTERPRETER = "/usr/share/mxbackup/python/bin/python3"


@pytest.fixture(scope="module")
def header(runtime: Runtime) -> dict[str, Any]:
    command = ["/usr/bin/python3", "-c", READ_HEADER, str(runtime.package), *IDENTITY, *PAYLOAD, *SCRIPTS, *OTHERS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_named_for_version_and_i686(runtime: Runtime, header: dict[str, Any]) -> None:
    assert runtime.package.name == "smeserver-mxbackup-python-3.11.2-1.i686.rpm"
    identity = [header["tags"][name] for name in IDENTITY]
    assert identity == ["smeserver-mxbackup-python", "3.11.2", "1", "i686", "linux", "localhost"]


def test_payload_is_gzipped_cpio(header: dict[str, Any]) -> None:
    assert [header["tags"][name] for name in PAYLOAD] == ["cpio", "gzip", "9"]


def test_requires_nothing_newer_than_rpm_4_0_4(header: dict[str, Any]) -> None:
    assert header["tags"]["REQUIRENEVRS"] == REQUIREMENTS


def test_digests_are_md5(header: dict[str, Any]) -> None:
    assert header["tags"]["FILEDIGESTALGO"] is None
    assert {len(digest) for digest in header["tags"]["FILEDIGESTS"]} == {0, 32}  # directories have none


def test_owned_by_root_and_plain(header: dict[str, Any]) -> None:
    assert {(user, group) for _, _, user, group in header["files"]} == {("root", "root")}
    assert {oct(mode) for _, mode, *_ in header["files"]} == {"0o100644", "0o100755", "0o40755"}
    assert [name for name, mode, *_ in header["files"] if mode == 0o100755] == [INTERPRETER]
    assert header["tags"]["FILECAPS"] == []
    assert {"/usr/share/mxbackup", "/usr/share/mxbackup/python"} <= {name for name, *_ in header["files"]}


def test_no_scripts(header: dict[str, Any]) -> None:
    assert [name for name in SCRIPTS if header["tags"][name]] == []


def test_sizes(runtime: Runtime, header: dict[str, Any]) -> None:
    assert runtime.package.stat().st_size < 9 * MEGABYTE
    assert header["tags"]["SIZE"] < 25 * MEGABYTE


def test_unpacks_to_what_was_built(runtime: Runtime, tmp_path: Path) -> None:
    unpack_rpm(runtime.package, tmp_path)
    assert subprocess.run(["diff", "-r", runtime.directory / "root", tmp_path], check=False).returncode == 0


def test_library_is_byte_code_alone(header: dict[str, Any]) -> None:
    """The suffixes of the library's files; nothing to compile, no tests, no installer of packages."""
    names = [name for name, mode, *_ in header["files"] if "/lib/python3.11/" in name and mode & 0o100000]
    assert {Path(name).suffix for name in names} == {".pyc"}
    unwanted = ("/test/", "/tkinter/", "/ensurepip/", "/idlelib/", "/lib2to3/", "/distutils/", "/__pycache__/")
    assert [name for name in names if any(part in name for part in unwanted)] == []


def test_byte_code_is_never_checked_against_sources(runtime: Runtime) -> None:
    """Flag word 0b01 of PEP 552: hash-based, not to be checked."""
    library = runtime.directory / "root/usr/share/mxbackup/python/lib/python3.11"
    assert {file.read_bytes()[4:8] for file in library.rglob("*.pyc")} == {b"\x01\0\0\0"}


def test_install_verify_and_erase(runtime: Runtime, tmp_path: Path) -> None:
    def rpm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["rpm", "--root", str(tmp_path), "--nodeps", "--force-debian", *map(str, arguments)]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    installed = rpm("-U", runtime.package)
    assert (installed.returncode, installed.stderr) == (0, "")
    assert rpm("-V", "smeserver-mxbackup-python").stdout == ""
    assert rpm("-e", "smeserver-mxbackup-python").returncode == 0
    assert not (tmp_path / "usr/share/mxbackup").exists()
