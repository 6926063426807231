# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing that a stranger or a typing error put into keys, descriptions or replies reaches a terminal or a log raw."""

import io
import json
import socket
import sys
import syslog
import threading
import unicodedata
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mxbackup import cli
from mxbackup.esmith import database, printable
from mxbackup.hooks import actions
from mxbackup.smtp.client import Question, probe
from mxbackup.words import terminal
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch

TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u200e", "\u200f", "\u061c"}
EVIL = "a\x1b[2J\x07\x7f\x9b\u2028\u2029\u202e\u2066\u200f\u061c\udce9b"
# What a text editor, a stranger's server or an old charset may leave, thick with what must not be shown.
TEXTS = st.text(st.characters() | st.sampled_from(EVIL), max_size=30)
FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def unsafe(text: str, kept: str = "") -> set[str]:
    """The characters that must not be shown, as the Unicode database has them."""
    return {
        char
        for char in text
        if char not in kept
        and (
            unicodedata.category(char) in {"Cc", "Zl", "Zp", "Cs"}
            or unicodedata.bidirectional(char) in TURNING
            or char in MARKS
        )
    }


@given(TEXTS)
@example(EVIL)
def test_a_line_is_one_line_and_moves_nothing(text: str) -> None:
    assert unsafe(printable.line(text)) == set()


@given(TEXTS)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    harmless = "".join(char for char in text if char not in unsafe(text))
    assert printable.line(harmless) == printable.lines(harmless) == harmless


def test_every_character_there_is() -> None:
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    assert unsafe(printable.line(text)) == set()
    assert unsafe(printable.lines(text), "\n\t") == {chr(code) for code in range(0xD800, 0xE000)}


def test_escapes_are_those_of_json() -> None:
    assert printable.line("a\x1b\x9b\u202e") == "a\\u001b\\u009b\\u202e"


class Tty(io.BytesIO):
    """Keeps what is written to a terminal."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, charset: str, act: Callable[[], object]) -> str:
    """Everything that an act prints to a terminal of that charset."""
    seen = Tty()
    stream = terminal.Output(seen, charset, "mxbackup.typed", newline="")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        act()
    finally:
        stream.flush()
        monkeypatch.undo()
    return seen.getvalue().decode(charset)


def command(server: Scratch, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Callable[[], None]:
    """Run the command line on the server."""

    def run() -> None:
        monkeypatch.setattr(sys, "argv", ["mxbackup", "--root", str(server.root), *arguments])
        with pytest.raises(SystemExit):
            cli.main()

    return run


COMMANDS = (
    ["list"], ["list", "--json"], ["show", "friend.org"], ["show", "friend.org", "--json"], ["status"],
    ["status", "--json"], ["export"], ["export", "--format", "csv"], ["render", "rcpthosts"],
    ["remove", "friend.org", "--no-event"],
)  # fmt: skip


@FUZZ
@given(key=TEXTS, value=TEXTS, charset=st.sampled_from(["utf-8", "iso8859-1", "iso8859-8"]))
@example(key=f"{EVIL}.org", value=EVIL, charset="utf-8")
@example(key=f"{EVIL}.org", value="\udcfe", charset="iso8859-8")  # its U+200F
def test_no_command_prints_what_must_not_be_shown(
    server: Scratch, monkeypatch: pytest.MonkeyPatch, key: str, value: str, charset: str
) -> None:
    records = [
        f"friend.org=mxbackup|Description|{value}|Kind|domain",
        f"{key}=mxbackup|Kind|domain",
        f"other.org=mxbackup|Kind|{value}|Route|{key}",
    ]
    encoded = [record.replace("\n", "\\n").encode("utf-8", "surrogatepass") for record in records]
    server.database("domains", *encoded)
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: None)
    for arguments in COMMANDS:
        said = shown(monkeypatch, charset, command(server, monkeypatch, *arguments))
        assert unsafe(said, "\n\t") == set(), arguments


def test_json_reads_back_as_it_was(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a\u200eb\u200fc"
    server.database("domains", f"friend.org=mxbackup|Description|{text}|Kind|domain")
    said = shown(monkeypatch, "utf-8", command(server, monkeypatch, "list", "--json"))
    assert json.loads(said)["rules"][0]["description"] == text
    assert unsafe(said, "\n\t") == set()


@FUZZ
@given(st.lists(TEXTS))
@example([EVIL])
def test_no_line_of_the_log_holds_what_must_not_be_shown(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    logged: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda priority, line: logged.append(line))
    database.log_to_syslog(lines)
    assert [unsafe(line) for line in logged] == [set() for _ in lines]


def test_what_an_event_says_goes_to_the_log_and_holds_none(
    server: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    server.database("domains", f"{EVIL}.org=mxbackup|Kind|domain".encode("utf-8", "surrogatepass"))
    monkeypatch.setenv("MXBACKUP_ROOT", str(server.root))
    assert actions.event_action("expand") == 0
    said = capsys.readouterr()
    assert "left out record a\\u001b[2J" in said.out
    assert unsafe(said.out + said.err, "\n") == set()
    server.script(EXPAND_TEMPLATE, "printf 'ERROR: \\033[2J\\n' >&2")
    assert actions.event_action("expand") == 3
    assert unsafe(capsys.readouterr().err, "\n") == set()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reply=st.binary(max_size=40))
@example(reply=EVIL.encode("utf-8", "surrogatepass"))
def test_no_reply_is_kept_with_what_must_not_be_shown(reply: bytes) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def talk() -> None:
            with closing(listener.accept()[0]) as connection:
                connection.sendall(b"550 " + reply + b"\r\n")

        server = threading.Thread(target=talk)
        server.start()
        done = probe("127.0.0.1", Question("jean@friend.org"), listener.getsockname()[1])
        server.join()
    assert unsafe("".join([*done.transcript, str(done.reply)])) == set()
