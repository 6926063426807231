# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dialogue says of a recipient, whose turn it is to ask, and the plugin's journal."""

import os
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import asking
from mxbackup.asking import Note, Reply
from tests.scratch import Scratch

NOBODY = 65534


class Primary(socketserver.ThreadingTCPServer):
    """Says `lines` to one client after the other: the greeting, then an answer to each command."""

    daemon_threads = True
    allow_reuse_address = True
    lines: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.heard: list[str] = []

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Session(socketserver.StreamRequestHandler):
    server: Primary

    def handle(self) -> None:
        for line in self.server.lines:
            self.wfile.write(f"{line}\r\n".encode())
            self.server.heard.append(self.rfile.readline().decode().strip())


@pytest.fixture
def primary() -> Iterator[Primary]:
    with Primary() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def lines(rcpt: str, control: str = "250 ok") -> tuple[str, ...]:
    """What a primary says that answers so to RCPT; `control` is for postmaster, where that comes next."""
    return ("220 primary", "250 primary", "250 ok", rcpt, *([control] if rcpt.startswith("5") else []), "221 bye")


# Refusals that mean us or the sender. Many servers accept postmaster all the same: qpsmtpd's dnsbl and SME do.
OF_US = (
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
    "550 Relaying denied",
    "550 Blocked - see http://www.spamhaus.org/query/bl?ip=192.0.2.10",
    "550 192.0.2.10 is listed at zen.spamhaus.org",
    "550 Access denied - Invalid HELO name",
    "550 Sender verify failed",
    "550 5.1.7 rejected",
    "550 5.1.8 <>: rejected",
    "550 5.1.9 rejected",
    "550-no\r\n550 5.7.1 no",
)


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (lines("250 ok"), Reply.GOOD),
        (lines("251 will forward"), Reply.GOOD),
        (lines("550 no such user"), Reply.BAD),
        (lines("550 no such user", "550 no such user"), Reply.UNSETTLED),
        (lines("550 no such user", "450 later"), Reply.UNSETTLED),
        (lines("550 no such user", "421 too many errors"), Reply.UNSETTLED),
        (lines("550 no such user")[:4], Reply.UNSETTLED),
        (lines("550 5.1.1 no such user"), Reply.BAD),
        (lines("551 5.1.6 moved"), Reply.BAD),
        (lines("550 5.1.1 no such user", "550 5.1.1 no such user"), Reply.DOUBTFUL),
        (lines("550 5.1.1 no such user")[:4], Reply.DOUBTFUL),
        (lines("550 5.1.10 recipient not found, see https://example.org/"), Reply.BAD),
        (lines("550 sorry, no mailbox here by that name. (#5.1.1)"), Reply.BAD),
        (lines("550 #5.1.0 Address rejected."), Reply.BAD),
        (lines("550 #5.1.0 Address rejected.", "550 #5.1.0 Address rejected."), Reply.UNSETTLED),
        (lines("550 <sender5.7.1@blocked.org>: no such user"), Reply.BAD),
        (lines("550 192.5.7.1 knows no such user"), Reply.BAD),
        (lines("553 bad name"), Reply.BAD),
        *((lines(refusal), Reply.UNSETTLED) for refusal in OF_US),
        (lines("550 5.2.1 disabled"), Reply.BAD),
        (lines("550 5.7.1 you are blocked"), Reply.UNSETTLED),
        (lines("550 5.2.2 mailbox full"), Reply.UNSETTLED),
        (lines("554 no thanks"), Reply.UNSETTLED),
        (lines("552 too much"), Reply.UNSETTLED),
        (lines("450 4.7.1 greylisted"), Reply.UNSETTLED),
        (lines("421 closing"), Reply.SILENT),
        (("220 primary", "250 primary", "550 5.1.1 no mail from nobody", "221 bye"), Reply.SILENT),
        (("554 go away",), Reply.SILENT),
        (("421 too busy",), Reply.SILENT),
        (("SSH-2.0-mistaken",), Reply.SILENT),
        ((), Reply.SILENT),
        (("220 primary", "250 primary", "250 ok"), Reply.SILENT),
    ],
)
def test_only_a_reply_about_the_recipient_teaches_anything(
    primary: Primary, tmp_path: Path, said: tuple[str, ...], reply: Reply
) -> None:
    primary.lines = said
    assert asking.ask(tmp_path, primary.target, "x@dupontnet.com", "sme.durantcom.net", asking.probe) == reply


def test_the_dialogue(primary: Primary, tmp_path: Path) -> None:
    primary.lines = lines("250 ok")
    asking.ask(tmp_path, primary.target, "x@dupontnet.com", "sme.durantcom.net", asking.probe)
    assert primary.heard == ["EHLO sme.durantcom.net", "MAIL FROM:<>", "RCPT TO:<x@dupontnet.com>", "QUIT", ""]


def test_a_refusal_is_tried_against_postmaster(primary: Primary, tmp_path: Path) -> None:
    primary.lines = lines("550 no such user")
    asking.ask(tmp_path, primary.target, "x@dupontnet.com", "sme.durantcom.net", asking.probe)
    assert primary.heard[2:] == ["RCPT TO:<x@dupontnet.com>", "RCPT TO:<postmaster@dupontnet.com>", "QUIT", ""]


def test_nobody_listens(primary: Primary, tmp_path: Path) -> None:
    primary.server_close()
    assert asking.ask(tmp_path, primary.target, "x@dupontnet.com", "a.org", asking.probe) == Reply.SILENT
    assert asking.ask(tmp_path, primary.target, "x@dupontnet.com", "a.org", asking.probe) == Reply.NOT_NOW


def test_questions_are_a_second_apart_and_a_silent_primary_is_left_alone(primary: Primary, tmp_path: Path) -> None:
    turn = tmp_path / f"turn-{primary.target}"

    def ask(*said: str) -> tuple[Reply, float]:
        """The reply, and the pause after it as the turn's file has it, to a millisecond."""
        primary.lines = said
        start = time.time()
        reply = asking.ask(tmp_path, primary.target, "x@dupontnet.com", "a.org", asking.probe)
        end, before = time.time(), float(turn.read_text())
        pauses = [pause for pause in (asking.BETWEEN, asking.BACKOFF) if start <= before - pause + 0.001 <= end + 0.002]
        return reply, pauses[0] if pauses else 0

    assert ask(*lines("250 ok")) == (Reply.GOOD, asking.BETWEEN)
    turn.write_text("no number")
    assert ask() == (Reply.SILENT, asking.BACKOFF)
    turn.write_text(f"{time.time() + asking.BETWEEN + 0.1:.3f}")  # as a clock that was set back a little leaves it
    assert ask(*lines("250 ok")) == (Reply.GOOD, asking.BETWEEN)
    turn.write_text(f"{time.time() + asking.BACKOFF:.3f}")
    assert ask(*lines("250 ok"))[0] == Reply.NOT_NOW


@pytest.mark.parametrize("there", ["hard link", "symbolic link", "pipe"])
def test_only_a_file_of_the_user_of_the_directory_keeps_the_turns(primary: Primary, tmp_path: Path, there: str) -> None:
    where, secret = tmp_path / "mxbackup", tmp_path / "secret"
    where.mkdir()
    secret.write_text("root:x\n")
    lay(where / f"turn-{primary.target}", there, secret)
    with pytest.raises(OSError, match=r"symbolic links|not permitted"):
        asking.ask(where, primary.target, "x@dupontnet.com", "a.org", asking.probe)
    assert (secret.read_text(), primary.heard) == ("root:x\n", [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_file_of_the_turns_is_the_plugins(primary: Primary, tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    turn = tmp_path / f"turn-{primary.target}"
    primary.lines = lines("250 ok")
    for _ in range(2):
        assert asking.ask(tmp_path, primary.target, "x@dupontnet.com", "a.org", asking.probe) == Reply.GOOD
        assert (turn.stat().st_uid, turn.stat().st_gid, turn.stat().st_mode & 0o777) == (NOBODY, NOBODY, 0o600)
    os.chown(turn, 0, 0)
    with pytest.raises(OSError, match="not permitted"):
        asking.ask(tmp_path, primary.target, "x@dupontnet.com", "a.org", asking.probe)


def lay(path: Path, what: str, target: Path) -> None:
    """Lay there what somebody with rights to the directory could, to have root use it."""
    match what:
        case "hard link":
            path.hardlink_to(target)
        case "symbolic link":
            path.symlink_to(target)
        case "pipe":
            os.mkfifo(path)


# The journal


def test_the_journal() -> None:
    content = (
        b"1078866000\tgood\tjean@dupontnet.com\n"
        b"1078866001\task\tx@dupontnet.com\n"
        b"1078866002\tbad\ty@dupontnet.com\n"
        b"1078866003\tworse\ty@dupontnet.com\n"
        b"1078866004\tgood\tY@dupontnet.com\n"
        b"x\tgood\ty@dupontnet.com\n"
        b"1078866005\tgood\t\n\xff\n\n"
        b"1078866006\tgood\tcut@dupont"
    )
    assert asking.parse_journal(content) == [
        Note(1078866000, "good", "jean@dupontnet.com"),
        Note(1078866001, "ask", "x@dupontnet.com"),
        Note(1078866002, "bad", "y@dupontnet.com"),
    ]


@given(st.binary())
def test_nothing_in_a_journal_is_too_strange(content: bytes) -> None:
    assert all(note.word in ("good", "bad", "ask") for note in asking.parse_journal(content))


def test_a_journal_is_gone_when_it_was_used_and_only_then(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text("1\task\tx@a.org\n")
    with pytest.raises(ZeroDivisionError), asking.taken_journal(tmp_path):
        raise ZeroDivisionError
    journal.write_text("2\task\ty@a.org\n")
    with asking.taken_journal(tmp_path) as notes:
        assert notes == [Note(1, "ask", "x@a.org")]
    with asking.taken_journal(tmp_path) as notes:
        assert notes == [Note(2, "ask", "y@a.org")]
    with asking.taken_journal(tmp_path) as notes:
        assert notes == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["hard link", "symbolic link", "pipe"])
def test_what_lies_in_the_place_of_the_journal_and_is_none_is_not_used(tmp_path: Path, there: str) -> None:
    (tmp_path / "secret").write_text("1\task\tx@a.org\n")
    lay(tmp_path / "journal", there, tmp_path / "secret")
    with pytest.raises(OSError, match=r"symbolic links|not permitted"), asking.taken_journal(tmp_path):
        pass


@pytest.mark.parametrize(
    ("configured", "found"),
    [(None, "/var/spool/qpsmtpd"), ("/srv/spool\n", "/srv/spool"), ("~/tmp\n", "/var/spool/qpsmtpd")],
)
def test_where_the_plugin_keeps_its_files(server: Scratch, configured: str | None, found: str) -> None:
    if configured is not None:
        server.write("/var/service/qpsmtpd/config/spool_dir", configured)
    assert asking.directory(server.host) == server.path(f"{found}/mxbackup")
