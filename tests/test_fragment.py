# SPDX-License-Identifier: GPL-2.0-or-later
"""What our fragments of templates take their lines from: what is handed over to them, whole or not at all."""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxbackup.targets.registry import EXPANDED
from tests.scratch import PACKAGE, settle

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


VALUE = f"require '{LIBRARY}'; local $/; print join '|', MxBackup::value('transport_maps', scalar <STDIN>);"
LINES = st.sampled_from(
    ["transport_maps = hash:/a", "transport_maps=", "transport_maps= hash:/b  ", "  hash:/c", "\thash:/d", "", "# x",
     " # y", "transport_maps_x = z", "relayhost = w", "transport_maps = ${x?{a b}}", "x = transport_maps = v"]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(LINES, max_size=8))
def test_what_a_main_cf_gives_a_parameter_is_what_postfix_takes(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in ["myhostname = x", *lines])
    with tempfile.TemporaryDirectory() as directory:
        main_cf = Path(directory, "main.cf")
        main_cf.write_text(text)
        settle(main_cf)
        postconf = ["/usr/sbin/postconf", "-c", directory, "-h", "transport_maps"]
        taken = subprocess.run(postconf, capture_output=True, text=True, check=True).stdout.strip()
    ours = subprocess.run(["perl", "-wT", "-e", VALUE], input=text, capture_output=True, text=True, check=True).stdout
    assert ours.split() == taken.split()
