# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that works in the spool directory: what it may do, what it may tell, and how long that may take."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mxbackup.errors import HostError
from mxbackup.recipients import envoy
from mxbackup.recipients.callout import Came, Said
from mxbackup.recipients.envoy import Envoy
from mxbackup.recipients.journal import Note
from mxbackup.smtp import replies
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Reply, parse
from tests.scratch import Scratch
from tests.swapper import race

NOBODY = 65534
TARGET = "192.0.2.25:25"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool directory, of another user if we are root."""
    path = tmp_path / "spool"
    path.mkdir()
    tmp_path.chmod(0o755)
    for above in list(tmp_path.parents)[:-2]:
        if above.stat().st_uid == os.geteuid():
            above.chmod(above.stat().st_mode | 0o011)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def is_open(descriptor: int) -> bool:
    with suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


def probe(host: str, question: Question, port: int) -> Dialogue:
    """Answers with who it is that asks, and what."""
    with open("/proc/self/status") as status:
        ids = " ".join("/".join(line.split()[1:]) for line in status if line.startswith(("Uid", "Gid", "Groups")))
    files = sorted(
        os.readlink(f"/proc/self/fd/{one}").partition(":")[0]
        for one in map(int, os.listdir("/proc/self/fd"))
        if is_open(one)
    )
    shown = f"450 {ids}; {' '.join(files)}"
    return Dialogue(reply=parse(shown), asked=True, control=Reply(250, ("ok",)))


def test_the_journal_is_brought_and_dropped(spool: Path) -> None:
    with envoy.sent(spool, "sme.durantcom.net") as messenger:
        assert messenger.notes() == []
        (spool / "mxbackup/journal").write_text("1\task\tx@a.org\nrubbish\n2\treply\ty@a.org\t550 no\n")
        if os.geteuid() == 0:
            os.chown(spool / "mxbackup/journal", NOBODY, NOBODY)
        assert messenger.notes() == [Note(1, "ask", "x@a.org"), Note(2, "reply", "y@a.org")]
        messenger.drop_notes()
        assert messenger.notes() == []


@as_root
def test_it_is_the_owner_of_the_spool_for_good_and_holds_nothing_of_ours(spool: Path, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"), envoy.sent(spool, "sme.durantcom.net", probe) as messenger:
        said = messenger.ask(TARGET, "x@a.org", "jean@a.org")
    ids = "/".join([str(NOBODY)] * 4)
    here = spool / "mxbackup"
    files = f"/dev/null /dev/null /dev/null {here}/turn-192.0.2.25 socket"
    assert said == Said(Came.REPLY, parse(f"450 {ids} {ids} ; {files}"), parse("250 ok"))
    made = [path.stat() for path in (spool / "mxbackup", spool / f"mxbackup/turn-{TARGET}")]
    assert [(one.st_uid, one.st_gid, one.st_mode & 0o777) for one in made] == [
        (NOBODY, NOBODY, 0o700),
        (NOBODY, NOBODY, 0o600),
    ]


@as_root
def test_a_directory_of_somebody_else_is_not_used(spool: Path) -> None:
    (spool / "mxbackup").mkdir()
    with envoy.sent(spool, "a.org") as messenger, pytest.raises(HostError, match="mxbackup cannot be used: Op"):
        messenger.notes()


def test_a_link_in_the_place_of_the_directory_is_not_followed(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (spool / "mxbackup").symlink_to(tmp_path / "root")
    with envoy.sent(spool, "a.org") as messenger, pytest.raises(HostError) as caught:
        messenger.notes()
    assert str(caught.value) == f"{spool}/mxbackup cannot be used: Not a directory."


def test_what_is_in_the_way_of_the_journal_is_told(spool: Path) -> None:
    with envoy.sent(spool, "a.org") as messenger:
        messenger.notes()
        (spool / "mxbackup/journal").symlink_to("/etc/passwd")
        with pytest.raises(HostError) as caught:
            messenger.notes()
    assert str(caught.value) == f"{spool}/mxbackup/journal.taken cannot be used: Too many levels of symbolic links."


def test_a_journal_beyond_its_limits_is_logged(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr("mxbackup.recipients.envoy.log_to_syslog", logged.extend)
    with envoy.sent(spool, "a.org") as messenger:
        messenger.notes()
        with (spool / "mxbackup/journal").open("w") as journal:
            journal.write("1\task\tx@a.org\n")
            journal.truncate(1_500_000_000)
        if os.geteuid() == 0:
            os.chown(spool / "mxbackup/journal", NOBODY, NOBODY)
        assert messenger.notes() == [Note(1, "ask", "x@a.org")]
    assert logged == [f"the journal of qpsmtpd in {spool}/mxbackup is beyond its limits: some is left out"]


def test_a_process_that_is_held_up_is_not_waited_for_for_ever(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxbackup.recipients.envoy.PATIENCE", 0.2)
    before = children()
    with envoy.sent(spool, "a.org") as messenger:
        (child,) = children() - before
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(HostError, match="gave no answer that can be used"):
            messenger.notes()
    assert children() == before


def test_it_ends_with_us(spool: Path) -> None:
    before = children()
    with envoy.sent(spool, "a.org") as messenger:
        (child,) = children() - before
        messenger._channel.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + 10
        while Path(f"/proc/{child}/stat").read_text().split()[2] != "Z" and time.monotonic() < end:
            time.sleep(0.01)
        assert Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        (b"", Envoy.notes),
        (b"\xff\xfe" * 20_000, Envoy.notes),
        (b"note\t1\task\tx@a.org\n" * 140_000, Envoy.notes),
        (b"nonsense\n", Envoy.drop_notes),
        (b"nonsense\n", lambda one: one.ask(TARGET, "x@a.org")),
        (b"reply\t250 ok\t\tmore\n", lambda one: one.ask(TARGET, "x@a.org")),
        (b"good\t250 ok\t\n", lambda one: one.ask(TARGET, "x@a.org")),
        (b"error\t13\t../../etc/passwd\x1b[2J\n", lambda one: one.ask(TARGET, "x@a.org")),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: bytes, call: Callable[[Envoy], object], tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()

    def tell() -> None:
        with theirs, suppress(BrokenPipeError):
            theirs.sendall(answer)

    threading.Thread(target=tell, daemon=True).start()
    with ours, pytest.raises(HostError, match="gave no answer that can be used"):
        call(Envoy(ours, tmp_path))


def test_a_long_reply_is_brought_as_one_that_was_cut(spool: Path) -> None:
    long = Dialogue(reply=Reply(450, tuple("x" * 290 for _ in range(9))), asked=True)
    with envoy.sent(spool, "sme.durantcom.net", lambda host, question, port: long) as messenger:
        said = messenger.ask(TARGET, "x@a.org")
    assert said.reply.line(10_000) == long.reply.line(envoy.REPLY_LIMIT)
    assert said.reply.text.endswith("x" + replies.CUT)


def test_what_it_says_is_taken_as_it_is(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall("reply\t550 5.1.1 Empfänger unbekannt\t250 ok\nnot-now\t\t\n".encode())
        one = Envoy(ours, tmp_path)
        assert one.ask(TARGET, "x@a.org", "y@a.org") == Said(
            Came.REPLY, parse("550 5.1.1 Empfänger unbekannt"), parse("250 ok")
        )
        assert one.ask(TARGET, "x@a.org") == Said(Came.NOT_NOW)
        assert theirs.recv(999) == b"ask\t192.0.2.25:25\tx@a.org\ty@a.org\nask\t192.0.2.25:25\tx@a.org\t\n"


@pytest.mark.parametrize(
    ("configured", "found"),
    [(None, "/var/spool/qpsmtpd"), ("/srv/spool\n", "/srv/spool"), ("~/tmp\n", "/var/spool/qpsmtpd")],
)
def test_where_the_spool_of_qpsmtpd_is(server: Scratch, configured: str | None, found: str) -> None:
    if configured is not None:
        server.write("/var/service/qpsmtpd/config/spool_dir", configured)
    assert envoy.spool(server.host) == server.path(found)


@as_root
def test_root_is_not_led_astray_by_who_swaps_the_directory(tmp_path: Path) -> None:
    """For a minute: tests/swapper.py 60."""
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o055)
    raced = race(tmp_path, 5)
    assert (raced.harm, raced.after) == ([], 0)
    assert raced.runs.total() > 1
    assert raced.swaps > 20
