# SPDX-License-Identifier: GPL-2.0-or-later
"""The process of the command: what becomes of it when its output is closed, full or read no further."""

import os
import subprocess
import sys

import pytest

from tests.scratch import PACKAGE, Scratch

FULL = (
    "mxbackup: The output cannot be written: No space left on device. "
    "If the command was to change something, that may be done: see mxbackup list\n"
)


def shell(server: Scratch, command: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a shell's command line, in which $M is the command mxbackup."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "MXBACKUP_ROOT": str(server.root),
        "LC_ALL": "C.UTF-8",
        "M": f"{sys.executable} -m mxbackup",
    }
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", ["list", "render rcpthosts", "add example.org --no-event", "--help"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_output_is_no_error(server: Scratch, command: str, closed: str) -> None:
    assert shell(server, f"$M {command} {closed}") == (0, "", "")


def test_a_closed_output_leaves_the_exit_status(server: Scratch) -> None:
    message = 'mxbackup: There is no rule for "example.org". See: mxbackup list\n'
    assert shell(server, "$M show example.org >&-") == (1, "", message)


def test_no_file_takes_the_place_of_a_closed_output(server: Scratch) -> None:
    server.script("/sbin/e-smith/signal-event", "echo of the event; echo error of the event >&2")
    assert shell(server, "$M add example.org >&- 2>&-") == (0, "", "")
    assert server.records("domains") == ["example.org=mxbackup|Kind|domain"]


@pytest.mark.parametrize("command", ["list", "--help", "export", "add example.org --no-event"])
def test_a_full_output_is_told(server: Scratch, command: str) -> None:
    assert shell(server, f"$M {command} > /dev/full") == (3, "", FULL)


def test_what_was_asked_for_is_done_all_the_same(server: Scratch) -> None:
    shell(server, "$M add example.org --no-event > /dev/full")
    assert server.records("domains") == ["example.org=mxbackup|Kind|domain"]


def test_a_reader_that_stops_is_no_error_worth_a_word(server: Scratch) -> None:
    _, out, errors = shell(server, "$M list | true")
    assert (out, errors) == ("", "")
