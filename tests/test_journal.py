# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin wrote down, and what somebody else may have laid there."""

import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.recipients import journal
from mxbackup.recipients.journal import Note, Taken


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("1078866000\tgood\tjean@dupontnet.com", Note(1078866000, "good", "jean@dupontnet.com")),
        ("1078866001\task\tx@dupontnet.com", Note(1078866001, "ask", "x@dupontnet.com")),
        ("1\treply\tx@a.org\t550 5.1.1 no such user", Note(1, "reply", "x@a.org")),
        ("1\treply\tx@a.org\t", Note(1, "reply", "x@a.org")),
        ("1\treply\tx@a.org\t" + "a" * 300, Note(1, "reply", "x@a.org")),
        ("1\treply\tx@a.org\t" + "a" * 301, None),
        ("1\treply\tx@a.org\t550\tno", None),
        ("1\treply\tx@a.org\t550 \xe9", None),
        ("1\treply\tx@a.org\t550\x1b[2J", None),
        ("1\treply\tx@a.org", None),
        ("1\tgood\tx@a.org\tmore", None),
        ("1\tbad\tx@a.org", None),
        ("1\tgood\tX@a.org", None),
        ("1\tgood\tx%y@a.org", None),
        ("1\tgood\t", None),
        ("x\tgood\tx@a.org", None),
        ("\u0661\tgood\tx@a.org", None),
        ("", None),
    ],
)
def test_a_line(line: str, note: Note | None) -> None:
    assert journal.parse(line) == note


@given(st.text())
def test_nothing_in_a_line_is_too_strange(line: str) -> None:
    note = journal.parse(line)
    assert note is None or note.word in ("good", "ask", "reply")


@given(content=st.binary())
def test_nothing_in_a_journal_is_too_strange(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    where = tmp_path_factory.mktemp("journal")
    (where / "journal").write_bytes(content)
    lines = list(Taken(where).lines())
    assert [line.encode("latin-1") for line in lines] == content.split(b"\n")[:-1]


def test_a_journal_is_gone_when_it_was_used_and_only_then(tmp_path: Path, directory: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("one\ncut")
    assert list(Taken(directory).lines()) == ["one"]
    path.write_text("two\n")
    taken = Taken(directory)
    assert list(taken.lines()) == ["one"]
    taken.drop()
    assert list(taken.lines()) == ["two"]
    taken.drop()
    assert list(taken.lines()) == []
    taken.drop()
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, directory: Path) -> None:
    (tmp_path / "journal").write_bytes(b"one\n" + b"x" * (journal.LINE_LIMIT + 1) + b"\ntwo\n")
    taken = Taken(directory)
    assert (list(taken.lines()), taken.more) == (["one", "two"], True)


def test_a_huge_sparse_journal_takes_little_memory_and_is_gone(tmp_path: Path, directory: Path) -> None:
    with (tmp_path / "journal").open("wb") as file:
        file.write(b"one\n")
        file.truncate(1_500_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = Taken(directory)
    assert (list(taken.lines()), taken.more) == (["one"], True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
    taken.drop()
    (tmp_path / "journal").write_text("two\n")
    assert (list(taken.lines()), taken.more) == (["two"], False)


@pytest.mark.parametrize("there", ["symbolic link", "pipe", "directory"])
def test_what_lies_in_the_place_of_the_journal_and_is_none_is_not_used(
    tmp_path: Path, directory: Path, there: str
) -> None:
    (tmp_path / "secret").write_text("1\task\tx@a.org\n")
    match there:
        case "symbolic link":
            (tmp_path / "journal").symlink_to("secret")
        case "pipe":
            os.mkfifo(tmp_path / "journal")
        case "directory":
            (tmp_path / "journal").mkdir()
    with pytest.raises(OSError, match=r"symbolic links|not permitted"):
        list(Taken(directory).lines())
