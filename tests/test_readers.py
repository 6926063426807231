# SPDX-License-Identifier: GPL-2.0-or-later
"""May qmaild, qmailr and qpsmtpd read what they need? Told of each file, with the command that mends it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup.targets import readers
from tests.conftest import Outcome
from tests.scratch import Scratch

CONTROL = "/var/qmail/control"
PASSWD = """\
root:x:0:0::/:/bin/sh
qmaild:x:1001:1101::/var/qmail:/bin/false
qmailr:x:1002:1102::/var/qmail:/bin/false
qpsmtpd:x:1003:1103::/:/bin/false
broken
"""
GROUP = "nofiles:x:1101:\nqmail:x:1102:\nqpsmtpd:x:1103:\nmail:x:1200:jo,qpsmtpd\n"

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def server(server: Scratch) -> Scratch:
    server.write("/etc/passwd", PASSWD)
    server.write("/etc/group", GROUP)
    for name in ("rcpthosts", "smtproutes", "morercpthosts.cdb"):
        server.write(f"{CONTROL}/{name}").chmod(0o644)
    return server


def told(server: Scratch) -> list[tuple[str, str, str]]:
    params = ((found.path, found.parameters) for found in readers.findings(server.host))
    return [(Path(path or "").name, str(said["user"]), str(said["command"])) for path, said in params]


def test_all_is_readable(server: Scratch) -> None:
    assert told(server) == []


@root_only
@pytest.mark.parametrize(
    ("mode", "owner", "group", "expected"),
    [
        (0o600, 0, 0, [("qmaild", "o+r"), ("qpsmtpd", "o+r")]),
        (0o640, 0, 1101, [("qpsmtpd", "o+r")]),
        (0o640, 0, 1200, [("qmaild", "o+r")]),
        (0o044, 1001, 0, [("qmaild", "u+r")]),
        (0o604, 0, 1200, [("qpsmtpd", "g+r")]),
        (0o604, 0, 0, []),
    ],
)
def test_who_cannot_read_rcpthosts_and_what_mends_it(
    server: Scratch, mode: int, owner: int, group: int, expected: list[tuple[str, str]]
) -> None:
    path = server.path(f"{CONTROL}/rcpthosts")
    path.chmod(mode)
    os.chown(path, owner, group)
    assert told(server) == [("rcpthosts", user, f"chmod {bits} {CONTROL}/rcpthosts") for user, bits in expected]


@root_only
def test_smtproutes_is_for_qmailr_and_the_compiled_names_for_those_who_take_mail_in(server: Scratch) -> None:
    for name in ("smtproutes", "morercpthosts.cdb"):
        server.path(f"{CONTROL}/{name}").chmod(0o600)
    assert told(server) == [
        ("morercpthosts.cdb", "qmaild", f"chmod o+r {CONTROL}/morercpthosts.cdb"),
        ("smtproutes", "qmailr", f"chmod o+r {CONTROL}/smtproutes"),
        ("morercpthosts.cdb", "qpsmtpd", f"chmod o+r {CONTROL}/morercpthosts.cdb"),
    ]


@root_only
def test_a_directory_on_the_way_counts(server: Scratch) -> None:
    server.path("/var/qmail").chmod(0o700)
    assert {command for _, _, command in told(server)} == {"chmod o+x /var/qmail"}


def test_no_such_account_no_such_file_no_word(server: Scratch) -> None:
    server.path(f"{CONTROL}/rcpthosts").chmod(0)
    server.path("/etc/passwd").unlink()
    assert told(server) == []
    server.write("/etc/passwd", PASSWD)
    server.path(f"{CONTROL}/rcpthosts").unlink()
    assert told(server) == []


@root_only
def test_status_says_it(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.path(f"{CONTROL}/smtproutes").chmod(0o600)
    status, out, _ = mxbackup("status")
    assert status == 1
    assert (
        f"error: {CONTROL}/smtproutes: The user qmailr, as whom mail is taken in or sent, cannot read it, so that mail "
        f"stops. Run: chmod o+r {CONTROL}/smtproutes\n"
    ) in out
