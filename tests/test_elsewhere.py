# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that is no mail server, where the commands that look from outside were installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup.cli import ANYWHERE, mxbackup
from mxbackup.cli.recipient_commands import recipients
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
LACKS = (
    "mxbackup: This machine holds no rules: neither SME Server nor qmail nor Postfix is here. Run this on your server. "
    "Here you can run: mxbackup probe, mxbackup audit, and mxbackup check with a name\n"
)
ARGUMENTS = {
    "add": ["dupontnet.com"], "import": ["rules.json"], "letter": ["dupontnet.com"], "remove": ["dupontnet.com"],
    "render": ["rcpthosts"], "set": ["dupontnet.com", "--hold", "9"], "show": ["dupontnet.com"],
    "recipients add": ["dupontnet.com", "jean"], "recipients export": ["dupontnet.com"],
    "recipients import": ["dupontnet.com", "list"], "recipients list": ["dupontnet.com"],
    "recipients remove": ["dupontnet.com", "jean"],
}  # fmt: skip
COMMANDS = [name for name in mxbackup.commands if name not in {*ANYWHERE, "recipients"}]
COMMANDS += [f"recipients {name}" for name in recipients.commands]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """A tree with nothing in it, and beside it the files that commands read."""
    monkeypatch.chdir(tmp_path)
    for name in ("rules.json", "list"):
        (tmp_path / name).write_text("")
    (tmp_path / "laptop").mkdir()
    return Scratch(tmp_path / "laptop")


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    from mxbackup.cli import main

    monkeypatch.setattr("sys.argv", ["mxbackup", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    status = end.value.code
    assert isinstance(status, int)
    return status, *capsys.readouterr()


@pytest.mark.parametrize("command", [*COMMANDS, "check"])
def test_what_needs_a_server_says_so_and_makes_nothing(
    elsewhere: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    arguments = ["--root", str(elsewhere.root), *command.split(), *ARGUMENTS.get(command, [])]
    assert run(capsys, monkeypatch, *arguments) == (3, "", LACKS)
    assert list(elsewhere.root.iterdir()) == []


def test_help_is_there_all_the_same(
    elsewhere: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(capsys, monkeypatch, "--root", str(elsewhere.root), "add", "--help")
    assert (status, err) == (0, "")
    assert out.startswith("Usage: mxbackup add ")
