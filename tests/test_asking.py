# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dialogue says of a recipient, whose turn it is to ask, and the plugin's journal."""

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


def lines(rcpt: str) -> tuple[str, ...]:
    return ("220 primary", "250 primary", "250 ok", rcpt, "221 bye")


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (lines("250 ok"), Reply.GOOD),
        (lines("251 will forward"), Reply.GOOD),
        (lines("550 no such user"), Reply.BAD),
        (lines("550 5.1.1 no such user"), Reply.BAD),
        (lines("551 5.1.6 moved"), Reply.BAD),
        (lines("553 bad name"), Reply.BAD),
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


def test_a_link_in_the_place_of_the_journal_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("1\task\tx@a.org\n")
    (tmp_path / "journal").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic links"), asking.taken_journal(tmp_path):
        pass


@pytest.mark.parametrize(
    ("configured", "found"),
    [(None, "/var/spool/qpsmtpd"), ("/srv/spool\n", "/srv/spool"), ("~/tmp\n", "/var/spool/qpsmtpd")],
)
def test_where_the_plugin_keeps_its_files(server: Scratch, configured: str | None, found: str) -> None:
    if configured is not None:
        server.write("/var/service/qpsmtpd/config/spool_dir", configured)
    assert asking.directory(server.host) == server.path(f"{found}/mxbackup")
