# SPDX-License-Identifier: GPL-2.0-or-later
"""Each form of text that `mxbackup import` takes, with all that comes of it.

A directory of tests/data/import holds one input and `expected`: the exit status, what is printed, what is said on
stderr, and the rules in the database afterwards. To see what changed after a deliberate change of the program:
run the test, and read its diff.
"""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import InvalidInput
from mxbackup.transfer import recognise
from mxbackup.transfer.recognise import Form
from tests.conftest import Outcome
from tests.scratch import PACKAGE, Scratch

CASES = sorted((Path(__file__).parent / "data/import").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_real_looking_input(case: Path, server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.database("domains", "durantcom.net=domain|Content|Primary", "known.example.org=mxbackup|Kind|host")
    (source,) = (path for path in case.iterdir() if path.name != "expected")
    status, out, err = mxbackup("import", "--no-event", str(source))
    records = "\n".join(line for line in server.records("domains") if "=mxbackup|" in line)
    assert f"status {status}\n--\n{out}--\n{err}--\n{records}\n" == (case / "expected").read_text()


@pytest.mark.parametrize(
    ("text", "file_name", "form"),
    [
        ("", "", Form.LIST),
        ("# nothing but a remark\n", "", Form.LIST),
        ("dupontnet.com\nmartin.fr\n", "domains.txt", Form.LIST),
        ("dupontnet.com\nmartin.fr\n", "rcpthosts", Form.QMAIL),
        ("dupontnet.com\n.dupontnet.com\n", "", Form.QMAIL),
        ("dupontnet.com:\n", "", Form.QMAIL),
        (":smtp.provider.net\n", "", Form.QMAIL),
        ("noto:ALL:ALL:ALL\n", "", Form.CHECK_RULES),
        ("dupontnet.com,domain\n", "", Form.CSV),
        ("name;kind\ndupontnet.com;domain\n", "", Form.CSV),
        ("name\ndupontnet.com\n", "", Form.CSV),
        ('  {"rules": []}', "", Form.JSON),
        ("[]", "", Form.JSON),
        ("DomainName=a.net\nmxbackup=service|name|a.com,1|status|enabled\n", "", Form.OLD_CONTRIB),
    ],
)
def test_the_content_tells_the_form(text: str, file_name: str, form: Form) -> None:
    assert recognise.recognise(text, file_name) == form


def test_the_form_can_be_given(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/hosts.txt", "www.martin.fr\n")
    assert mxbackup("import", "--no-event", "--format", "qmail", str(source))[0] == 0
    assert server.records("domains") == ["www.martin.fr=mxbackup|Kind|host"]
    assert mxbackup("import", "--format", "excel", str(source)) == (
        2,
        "",
        'mxbackup: The form "excel" is unknown. Forms: list, qmail, smtpd_check_rules, csv, json, old-contrib.\n',
    )


def test_a_dry_run_shows_and_changes_nothing(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.with_events()
    source = server.write("/list", "dupontnet.com\n")
    before = server.read("/home/e-smith/db/domains")
    assert mxbackup("import", "--dry-run", str(source))[1] == (
        "added dupontnet.com (Domain)\nWould be added: 1, changed: 0, unchanged: 0.\n"
    )
    assert (server.read("/home/e-smith/db/domains"), server.events()) == (before, [])


def test_one_event_for_all_rules_and_none_for_none(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.with_events()
    source = server.write("/list", "dupontnet.com\nmartin.fr\n")
    for said in ("Added: 2, changed: 0, unchanged: 0.", "Added: 0, changed: 0, unchanged: 2."):
        assert mxbackup("import", str(source))[1].splitlines()[-1] == said
    assert server.events() == ["mxbackup-update"]


def test_thousands_of_lines_are_summed_up(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/list", "".join(f"d{number}.example.com\n" for number in range(3000)))
    status, out, _ = mxbackup("import", "--no-event", str(source))
    assert (status, len(out.splitlines()), len(server.records("domains"))) == (0, 22, 3000)
    assert out.splitlines()[-2] == "... and 2980 more"


def test_what_is_no_text_is_refused_and_not_shown(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/program", b"\x7fELF\x01\n")
    assert mxbackup("import", str(source)) == (2, "", f"mxbackup: {source} is not text.\n")
    assert mxbackup("import", str(server.root)) == (
        2,
        "",
        f"mxbackup: {server.root} cannot be read: Is a directory.\n",
    )


def test_lines_are_shown_without_control_characters(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/list", b"a\tb.com\nsoci\xe9t\xe9\x9b.com\n")  # CSI in ISO-8859-1
    assert mxbackup("import", "--dry-run", str(source)) == (
        2,
        "",
        "Read as list. If it is not: --format FORM\nNothing was imported. To be mended first:\n"
        "  1: a\\u0009b.com: The name holds a control character. Type it again: letters, digits, hyphens, dots.\n"
        "  2: société\\u009b.com: The name holds a control character. Type it again: letters, digits, hyphens, dots.\n",
    )


def test_names_of_every_machine_are_left_out(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/list", "Localhost\nmail.localdomain\ndupontnet.com\n")
    said = 'Every machine calls itself "{}", so it can be no rule. Give a name that the DNS knows.'
    assert mxbackup("import", "--dry-run", str(source)) == (
        0,
        "added dupontnet.com (Domain)\nWould be added: 1, changed: 0, unchanged: 0.\n",
        "Read as list. If it is not: --format FORM\nLeft out:\n"
        f"  1: Localhost: {said.format('Localhost')}\n  2: mail.localdomain: {said.format('mail.localdomain')}\n",
    )


@pytest.mark.parametrize("form", list(Form))
@given(text=st.text(alphabet=st.sampled_from('a.com:,;\n\r\t #*@{}[]"|=10éÿ\0')) | st.text())
def test_any_text_is_read_or_refused_with_a_reason(form: Form, text: str) -> None:
    assert recognise.recognise(text) in Form
    with suppress(InvalidInput):
        reading = recognise.read(text, form)
        for remark in (*reading.notes, *reading.problems):
            assert str(remark.reason)


@given(st.binary())
def test_any_bytes_without_control_characters_are_text(content: bytes) -> None:
    if re.search(rb"[\0-\x08\x0b\x0e-\x1f\x7f]", content):
        with pytest.raises(InvalidInput, match=r"^/the/file is not text\.$"):
            recognise.decode(content, "/the/file")
        return
    utf_8 = _is_utf_8(content)
    expected = content.removeprefix(b"\xef\xbb\xbf") if utf_8 else content
    assert recognise.decode(content, "/the/file").encode("utf-8" if utf_8 else "iso-8859-1") == expected


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(("lines", "shown"), [(2000, True), (10, False)])
def test_many_rules_have_a_progress_bar_on_a_terminal(lines: int, shown: bool, server: Scratch) -> None:
    source = server.write("/list", "".join(f"d{number}.example.com\n" for number in range(lines)))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mxbackup", "import", "--no-event", str(source)]
    environment = {"PYTHONPATH": str(PACKAGE), "MXBACKUP_ROOT": str(server.root), "LC_ALL": "C.UTF-8", "TERM": "vt100"}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # how Linux tells the end of a terminal
        while chunk := os.read(ours, 65536):
            said += chunk
    os.close(ours)
    assert (b"Importing" in said, b"100%" in said) == (shown, shown)
