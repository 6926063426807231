# SPDX-License-Identifier: GPL-2.0-or-later
"""A file is replaced whole or stays as it was."""

import os
import stat
from pathlib import Path

import pytest

from mxbackup.esmith import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_owner_and_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "rcpthosts"
    path.write_text("old")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1, 2)
    before = path.stat()
    assert files.replace(path, b"new")
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino


def test_a_new_file_is_like_another_or_has_the_mode_less_the_umask(tmp_path: Path) -> None:
    model = tmp_path / "me"
    model.write_text("")
    model.chmod(0o604)
    files.replace(tmp_path / "like", b"", like=model)
    umask = os.umask(0o026)
    try:
        files.replace(tmp_path / "unlike", b"", mode=0o666)
    finally:
        os.umask(umask)
    assert (mode(tmp_path / "like"), mode(tmp_path / "unlike")) == (0o604, 0o640)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    link = tmp_path / "link"
    link.symlink_to("real")
    files.replace(link, b"new")
    assert (link.is_symlink(), (tmp_path / "real").read_bytes()) == (True, b"new")


def test_nothing_happens_when_it_is_called_off(tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_text("old")
    assert not files.replace(path, b"new", still=lambda: False)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("domains", "old")]


def test_what_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_text("old")

    def fail() -> bool:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        files.replace(path, b"new", still=fail)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("domains", "old")]
