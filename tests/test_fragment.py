# SPDX-License-Identifier: GPL-2.0-or-later
"""What our fragments of templates take their lines from: what is handed over to them, whole or not at all."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from mxbackup.targets.registry import EXPANDED
from tests.scratch import PACKAGE

LIBRARY = PACKAGE.parent / "root/usr/share/mxbackup/fragment.pl"
TEMPLATES = PACKAGE.parent / "root/etc/e-smith/templates"
TAKE = f"use strict; use warnings; require '{LIBRARY}'; print MxBackup::fragment('rcpthosts');"


def take(directory: Path) -> subprocess.Popen[bytes]:
    """Start a template that waits for what is laid into the directory, till its standard input ends."""
    environment = {"PATH": os.environ["PATH"], "MXBACKUP_RENDERED": str(directory)}
    pipe = subprocess.PIPE
    return subprocess.Popen(["perl", "-wT", "-e", TAKE], env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("lines", [b"", b"example.org\n", b"# caf\xc3\xa9 \xff\r\n\n" * 100_000])
def test_it_waits_and_takes_the_lines_as_they_are(tmp_path: Path, lines: bytes) -> None:
    template = take(tmp_path / "rendered")
    time.sleep(0.1)
    assert template.poll() is None
    (tmp_path / "rendered").mkdir()
    (tmp_path / "rendered/rcpthosts").write_bytes(lines)
    assert template.communicate() == (lines, b"")
    assert template.returncode == 0


@pytest.mark.parametrize("there", [True, False])
def test_without_lines_the_template_fails(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "rcpthosts"
    if there:
        path.mkdir()  # and nothing that can be read
    template = take(tmp_path)
    reason = "Is a directory" if there else "No such file or directory"
    assert template.communicate() == (b"", f"{path}: {reason}\n".encode())
    assert template.returncode != 0


def test_every_target_that_is_expanded_has_its_fragment() -> None:
    fragments = [path.read_text() for path in TEMPLATES.rglob("??mxbackup") if path.is_file()]
    asked = {name for text in fragments for name in re.findall(r"= MxBackup::fragment\('(\w+)'\);", text)}
    assert asked == set(EXPANDED)
