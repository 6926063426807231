# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests share: a scratch server, and a guard that keeps them off the real one."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# The language of messages is read when the command line is imported: English, whoever runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"

from tests.catalogues import compile_changed, watch_sentences

# Before the command line takes its language and its words.
compile_changed()
_unknown = watch_sentences()

from mxbackup import cli  # noqa: E402
from tests import schema  # noqa: E402
from tests.heldmail import empty_queue  # noqa: E402
from tests.scratch import Scratch  # noqa: E402

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

FORBIDDEN = "/home/e-smith"
_touched: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse to open, rename, remove or make anything below the real server's databases."""
    if event == "open" or event.startswith("os."):
        for argument in arguments:
            if isinstance(argument, str | bytes | os.PathLike) and os.fsdecode(argument).startswith(FORBIDDEN):
                _touched.append(f"{event} {os.fsdecode(argument)}")
                raise AssertionError(_touched[-1])


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def real_server_untouched() -> Iterator[list[str]]:
    """Fail the test that reached for the real server, even if it swallowed the error."""
    _touched.clear()
    yield _touched
    assert _touched == []


@pytest.fixture(autouse=True)
def every_sentence_is_in_the_catalogues() -> Iterator[None]:
    """Fail the test in which something was said that `make words` does not find: it is not declared a Sentence."""
    _unknown.clear()
    yield
    assert _unknown == []


@pytest.fixture
def server(tmp_path: Path) -> Scratch:
    """A server with empty databases, the directory of qmail's control files and an empty queue."""
    scratch = Scratch(tmp_path / "server")
    scratch.database("domains")
    scratch.database("configuration", "DomainName=durantcom.net", "SystemName=sme")
    scratch.path("/var/qmail/control").mkdir(parents=True)
    empty_queue(scratch.path("/var/qmail/queue"), split=1)
    return scratch


Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture
def mxbackup(
    server: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run the command line on the scratch server; returns exit status, stdout and stderr, JSON held to its schema."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setenv("MXBACKUP_ROOT", str(server.root))
        monkeypatch.setattr(sys, "argv", ["mxbackup", *arguments])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        said = capsys.readouterr()
        schema.hold(arguments, said.out)
        return int(exit_.value.code or 0), said.out, said.err

    return run
