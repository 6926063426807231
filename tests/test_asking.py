# SPDX-License-Identifier: GPL-2.0-or-later
"""What is heard of a recipient in a dialogue, and whose turn it is to ask."""

import fcntl
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mxbackup.recipients import callout
from mxbackup.recipients.callout import Came, Said
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome, Reply, parse


class Primary(socketserver.ThreadingTCPServer):
    """Says `lines` to one client after the other: the greeting, then an answer to each command."""

    daemon_threads = False  # so that closing waits for them
    allow_reuse_address = True
    lines: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self._heard: list[str] = []

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def heard(self) -> list[str]:
        """What the clients said, when all have gone; nobody is served any more."""
        self.shutdown()
        self.server_close()
        return self._heard


class Session(socketserver.StreamRequestHandler):
    server: Primary

    def handle(self) -> None:
        for line in self.server.lines:
            self.wfile.write(f"{line}\r\n".encode())
            self.server._heard.append(self.rfile.readline().decode().strip())


@pytest.fixture
def primary() -> Iterator[Primary]:
    with Primary() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


QUESTION = Question("x@dupontnet.com", helo="sme.durantcom.net", control="jean@dupontnet.com")


def lines(rcpt: str, control: str = "250 ok") -> tuple[str, ...]:
    """What a primary says that answers so to RCPT; `control` is for the other one, where that comes next."""
    return ("220 primary", "250 primary", "250 ok", rcpt, *([control] if rcpt.startswith("5") else []), "221 bye")


@pytest.mark.parametrize(
    ("dialogue", "said"),
    [
        (lines("250 ok"), Said(Came.REPLY, parse("250 ok"))),
        (lines("251 will forward"), Said(Came.REPLY, parse("251 will forward"))),
        (lines("550 5.1.1 no such user"), Said(Came.REPLY, parse("550 5.1.1 no such user"), parse("250 ok"))),
        (lines("550 no", "450 later"), Said(Came.REPLY, parse("550 no"), parse("450 later"))),
        (lines("550 no")[:4], Said(Came.REPLY, parse("550 no"))),
        (
            lines("550-5.1.1 no\r\n550-\r\n550 such", "550 no"),
            Said(Came.REPLY, Reply(550, ("5.1.1 no", "", "such")), parse("550 no")),
        ),
        (lines("450 4.7.1 greylisted"), Said(Came.REPLY, parse("450 4.7.1 greylisted"))),
        (lines("421 closing"), Said(Came.SILENCE)),
        (("220 primary", "250 primary", "550 5.1.1 no mail from nobody", "221 bye"), Said(Came.SILENCE)),
        (("554 go away",), Said(Came.SILENCE)),
        (("421 too busy",), Said(Came.SILENCE)),
        (("SSH-2.0-mistaken",), Said(Came.SILENCE)),
        ((), Said(Came.SILENCE)),
        (("220 primary", "250 primary", "250 ok"), Said(Came.SILENCE)),
    ],
)
def test_only_a_reply_to_rcpt_is_one(primary: Primary, directory: Path, dialogue: tuple[str, ...], said: Said) -> None:
    primary.lines = dialogue
    assert callout.ask(directory, primary.target, QUESTION) == said


def test_the_dialogue(primary: Primary, directory: Path) -> None:
    primary.lines = lines("250 ok")
    callout.ask(directory, primary.target, QUESTION)
    assert primary.heard() == ["EHLO sme.durantcom.net", "MAIL FROM:<>", "RCPT TO:<x@dupontnet.com>", "QUIT", ""]


def test_a_refusal_is_tried_against_the_control(primary: Primary, directory: Path) -> None:
    primary.lines = lines("550 no such user")
    callout.ask(directory, primary.target, QUESTION)
    assert primary.heard()[2:] == ["RCPT TO:<x@dupontnet.com>", "RCPT TO:<jean@dupontnet.com>", "QUIT", ""]


def test_nobody_listens(primary: Primary, directory: Path) -> None:
    primary.heard()
    assert callout.ask(directory, primary.target, QUESTION) == Said(Came.SILENCE)
    assert callout.ask(directory, primary.target, QUESTION) == Said(Came.NOT_NOW)


def pause_after(directory: Path, tmp_path: Path, said: Dialogue) -> tuple[Came, float]:
    """What came of a question that is answered so, and the pause after it that the turn's file holds, in seconds."""

    def probe(host: str, question: Question, port: int) -> Dialogue:
        return said

    start = time.time()
    came = callout.ask(directory, "192.0.2.25:25", QUESTION, probe).came
    end, until = time.time(), float((tmp_path / "turn-192.0.2.25:25").read_text())
    return came, next(
        (pause for pause in (1.0, 60.0) if start <= until - pause + 0.001 and until - pause <= end + 0.001), 0
    )


ANSWERED = Dialogue(Outcome.ACCEPTED, Reply(250, ("ok",)), asked=True)


@pytest.mark.parametrize("before", ["", "no number", "nan", "inf", "-inf", "1e999", "1"])
def test_questions_are_a_second_apart_and_a_silent_primary_is_left_alone(
    directory: Path, tmp_path: Path, before: str
) -> None:
    (tmp_path / "turn-192.0.2.25:25").write_text(before)
    assert pause_after(directory, tmp_path, ANSWERED) == (Came.REPLY, 1.0)
    (tmp_path / "turn-192.0.2.25:25").write_text(before)
    assert pause_after(directory, tmp_path, Dialogue()) == (Came.SILENCE, 60.0)


@pytest.mark.parametrize(
    ("seconds", "came"),
    [(-9, Came.REPLY), (0.2, Came.REPLY), (55, Came.NOT_NOW), (61.5, Came.REPLY), (200_000_000, Came.REPLY)],
)
def test_a_pause_that_nobody_sets_is_of_a_wrong_clock(
    directory: Path, tmp_path: Path, seconds: float, came: Came
) -> None:
    (tmp_path / "turn-192.0.2.25:25").write_text(f"{time.time() + seconds:.3f}\n")
    assert pause_after(directory, tmp_path, ANSWERED)[0] == came


def test_a_turn_that_others_keep_is_not_waited_for_for_ever(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxbackup.recipients.callout.LONGEST_WAIT", 0.2)
    with (tmp_path / "turn-192.0.2.25:25").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        assert callout.ask(directory, "192.0.2.25:25", QUESTION) == Said(Came.NOT_NOW)


@pytest.mark.parametrize("there", ["symbolic link", "pipe"])
def test_only_a_file_keeps_the_turns(directory: Path, tmp_path: Path, there: str) -> None:
    turn, secret = tmp_path / "turn-192.0.2.25:25", tmp_path / "secret"
    secret.write_text("root:x\n")
    if there == "pipe":
        os.mkfifo(turn)
    else:
        turn.symlink_to(secret)
    with pytest.raises(OSError, match=r"symbolic links|not permitted"):
        callout.ask(directory, "192.0.2.25:25", QUESTION)
    assert secret.read_text() == "root:x\n"
