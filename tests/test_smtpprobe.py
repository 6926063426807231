# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialogue with servers that behave, and with servers that do not."""

import email
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime

import pytest

from mxbackup.smtp.client import Dialogue, Question, probe, sample_message
from mxbackup.smtp.replies import Outcome, Reply
from mxbackup.smtp.session import UnknownHost
from mxbackup.words import about_probes, lexicon

Serve = Callable[[Callable[[socket.socket], None]], int]
BANNER = b"220 sme.durantcom.net mailfront ESMTP\r\n"
QUESTION = Question("jean.dupont@dupontnet.com", "admin@other.org", "tomy@example.net", "anything.other.org")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve one connection with a function; returns the port."""
    listeners = []

    def start(talk: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            connection, _ = listener.accept()
            with closing(connection), suppress(OSError):
                talk(connection)

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()


def scripted(answers: dict[str, bytes], received: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """Answer each command by its beginning, with `250 ok` by default; keep what comes after DATA."""

    def talk(connection: socket.socket) -> None:
        with connection.makefile("rwb", buffering=0) as stream:
            stream.write(answers.get("", BANNER))
            for line in stream:
                command = line.decode().strip()
                found = next((text for start, text in answers.items() if start and command.startswith(start)), None)
                stream.write(found or (b"354 go ahead\r\n" if command == "DATA" else b"250 ok\r\n"))
                if command == "DATA" and not found:
                    content = b""
                    while not content.endswith(b"\r\n.\r\n"):
                        content += stream.readline()
                    if received is not None:
                        received.append(content)
                    stream.write(answers.get(".", b"250 taken\r\n"))
                if command == "QUIT":
                    return

    return talk


GOOD = {
    "RCPT TO:<tomy": b"553 Sorry, that domain isn't in my list of allowed rcpthosts.\r\n",
    "QUIT": b"221 Good bye.\r\n",
}


def test_the_dialogue_of_the_how_to(serve: Serve) -> None:
    port = serve(scripted({**GOOD, "EHLO": b"250-sme.durantcom.net\r\n250-STARTTLS\r\n250 SIZE 5000\r\n"}))
    transcript = """\
Trying 127.0.0.1...
Connected to 127.0.0.1.
Escape character is '^]'.
220 sme.durantcom.net mailfront ESMTP
EHLO anything.other.org
250-sme.durantcom.net
250-STARTTLS
250 SIZE 5000
MAIL FROM:<admin@other.org>
250 ok
RCPT TO:<jean.dupont@dupontnet.com>
250 ok
RSET
250 ok
MAIL FROM:<admin@other.org>
250 ok
RCPT TO:<tomy@example.net>
553 Sorry, that domain isn't in my list of allowed rcpthosts.
QUIT
221 Good bye.
Connection closed by foreign host.
"""
    assert probe("127.0.0.1", QUESTION, port) == Dialogue(
        outcome=Outcome.ACCEPTED,
        reply=Reply(250, ("ok",)),
        banner=Reply(220, ("sme.durantcom.net mailfront ESMTP",)),
        asked=True,
        starttls=True,
        size=5000,
        refuse=Reply(553, ("Sorry, that domain isn't in my list of allowed rcpthosts.",)),
        transcript=tuple(transcript.splitlines()),
        greeting=Reply(250, ("sme.durantcom.net", "STARTTLS", "SIZE 5000")),
        address="127.0.0.1",
    )


@pytest.mark.parametrize(("hostname", "greeting"), [("pc.other.org", "pc.other.org"), ("pc", "[127.0.0.1]")])
def test_greets_with_the_name_of_the_machine(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, hostname: str, greeting: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: hostname)
    done = probe("127.0.0.1", QUESTION._replace(helo=""), serve(scripted(GOOD)))
    assert f"EHLO {greeting}" in done.transcript


def test_helo_where_ehlo_is_not_known(serve: Serve) -> None:
    done = probe("127.0.0.1", QUESTION, serve(scripted({**GOOD, "EHLO": b"502 what?\r\n"})))
    assert "HELO anything.other.org" in done.transcript
    assert (done.outcome, done.refuse.outcome, done.trouble) == (Outcome.ACCEPTED, Outcome.REFUSED, None)


@pytest.mark.parametrize(
    ("answers", "outcome", "reply", "refuse"),
    [
        ({"RCPT": b"550 no\r\n"}, Outcome.REFUSED, "550 no", Outcome.REFUSED),
        ({"RCPT": b"250 ok\r\n"}, Outcome.ACCEPTED, "250 ok", Outcome.ACCEPTED),
        ({"RCPT": b"450 later\r\n"}, Outcome.DEFERRED, "450 later", Outcome.DEFERRED),
        ({"RCPT": b"250-one\r\n250-two\r\n250 three\r\n"}, Outcome.ACCEPTED, "250 one two three", Outcome.ACCEPTED),
        ({"MAIL": b"550 not you\r\n"}, Outcome.REFUSED, "550 not you", Outcome.REFUSED),
        ({"EHLO": b"554 no\r\n", "HELO": b"554 no\r\n"}, Outcome.REFUSED, "554 no", None),
        ({"": b"554 go away\r\n"}, Outcome.REFUSED, "554 go away", None),
        ({"": b"421 too busy\r\n"}, Outcome.DEFERRED, "421 too busy", None),
        ({"RCPT": b"421 closing\r\n"}, Outcome.DEFERRED, "421 closing", None),
        ({"": b"220 \x1b[2Jhello\r\n", "RCPT": b"550 \x07no\r\n"}, Outcome.REFUSED, "550 \\u0007no", Outcome.REFUSED),
    ],
)  # fmt: skip
def test_what_the_server_answers(
    serve: Serve, answers: dict[str, bytes], outcome: Outcome, reply: str, refuse: Outcome | None
) -> None:
    done = probe("127.0.0.1", QUESTION, serve(scripted(answers)))
    assert (done.outcome, str(done.reply), done.trouble) == (outcome, reply, None)
    assert (done.refuse.outcome if done.refuse else None) == refuse
    assert not any("\x1b" in line for line in done.transcript)


def hang(connection: socket.socket) -> None:
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"2")
        time.sleep(0.05)


def hang_later(connection: socket.socket) -> None:
    connection.sendall(BANNER)
    connection.recv(100)
    connection.recv(1)
    connection.recv(1)


SILENT = "The server did not answer within 0.5 s."
CLOSED = "The server closed the connection."
NO_SMTP = "The server's answer is no SMTP."
ENDLESS = "The server sends endless text instead of an answer."


@pytest.mark.parametrize(
    ("talk", "trouble"),
    [
        (hang, SILENT),
        (drip, SILENT),
        (hang_later, SILENT),
        (lambda connection: None, CLOSED),
        (lambda connection: connection.sendall(b"220 half a li"), CLOSED),
        (lambda connection: connection.sendall(BANNER), CLOSED),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), NO_SMTP),
        (lambda connection: connection.sendall(b"\r\n"), NO_SMTP),
        (lambda connection: connection.sendall(b"999 what\r\n"), NO_SMTP),
        (lambda connection: connection.sendall(b"\xff\x00\xfe\n" * 100), NO_SMTP),
        (lambda connection: connection.sendall(b"220 " + b"x" * 10_000_000 + b"\r\n"), ENDLESS),
        (lambda connection: connection.sendall(b"220-more\r\n" * 1_000_000), ENDLESS),
    ],
    ids=["hangs", "drips", "hangs later", "closes", "half a line", "closes after the banner", "ssh", "empty line",
         "no code", "bytes", "10 MB line", "endless reply"],
)  # fmt: skip
def test_a_server_that_misbehaves_gets_a_verdict(
    serve: Serve, talk: Callable[[socket.socket], None], trouble: str
) -> None:
    done = probe("127.0.0.1", QUESTION, serve(talk), timeout=0.5)
    assert (done.outcome, str(done.trouble), done.refuse) == (Outcome.BROKEN, trouble, Reply())
    assert done.transcript[-1] == "Connection closed."


def test_what_was_found_out_stands_when_the_server_closes_afterwards(serve: Serve) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(BANNER)
        for _ in range(3):
            connection.recv(1000)
            connection.sendall(b"250 ok\r\n")

    done = probe("127.0.0.1", QUESTION, serve(talk), timeout=5)
    assert (done.outcome, done.refuse, str(done.trouble)) == (Outcome.ACCEPTED, Reply(), CLOSED)


def test_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = probe("127.0.0.1", QUESTION, port)
    assert done.outcome == Outcome.UNREACHABLE
    assert str(done.trouble) == f"127.0.0.1 port {port} accepts no connection: Connection refused."
    assert done.transcript == (
        "Trying 127.0.0.1...",
        "telnet: Unable to connect to remote host: Connection refused",
    )


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "The name mail.dupontnet.com is not in the DNS.",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Try again"),
            "The DNS cannot be asked for mail.dupontnet.com at present: Try again.",
        ),
    ],
)
def test_a_host_whose_name_gives_no_address(
    monkeypatch: pytest.MonkeyPatch, error: socket.gaierror, trouble: str
) -> None:
    def fail(*what: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    done = probe("mail.dupontnet.com", QUESTION)
    assert (done.outcome, str(done.trouble), type(done.trouble)) == (Outcome.UNREACHABLE, trouble, UnknownHost)


def test_a_host_that_cannot_be_a_name() -> None:
    assert str(probe("a" * 70, QUESTION).trouble) == f"The name {'a' * 70} is not in the DNS."


def test_the_test_message(serve: Serve) -> None:
    received: list[bytes] = []
    message = sample_message("admin@other.org", "jean.dupont@dupontnet.com")
    question = QUESTION._replace(message=message)
    done = probe("127.0.0.1", question, serve(scripted(GOOD, received)))
    assert (done.sent, done.sent_reply) == (Outcome.ACCEPTED, "250 taken")
    assert received == [message.as_bytes() + b".\r\n"]
    parsed = email.message_from_bytes(received[0])
    assert (parsed["From"], parsed["To"], parsed["Subject"]) == ("admin@other.org", "jean.dupont@dupontnet.com", "Test")
    assert parsedate_to_datetime(parsed["Date"]).tzinfo is not None
    assert parsed["Message-ID"] != sample_message("admin@other.org", "x@y.net")["Message-ID"]
    assert parsed["Message-ID"].endswith("@other.org>")


@pytest.mark.parametrize(
    ("answers", "sent", "reply"),
    [
        ({"EHLO": b"250-sme\r\n250 SIZE 100\r\n"}, Outcome.REFUSED, "SIZE 100"),
        ({"DATA": b"451 not now\r\n"}, Outcome.DEFERRED, "451 not now"),
        ({"DATA": b"250 ok\r\n"}, Outcome.BROKEN, "250 ok"),
        ({".": b"554 spam\r\n"}, Outcome.REFUSED, "554 spam"),
    ],
)
def test_the_test_message_is_not_taken(serve: Serve, answers: dict[str, bytes], sent: Outcome, reply: str) -> None:
    message = sample_message("admin@other.org", "jean.dupont@dupontnet.com")
    done = probe("127.0.0.1", QUESTION._replace(message=message), serve(scripted({**GOOD, **answers})))
    assert (done.outcome, done.sent, done.sent_reply) == (Outcome.ACCEPTED, sent, reply)


@pytest.mark.parametrize(
    ("answers", "control"),
    [
        ({"RCPT TO:<jean": b"550 no\r\n"}, Outcome.ACCEPTED),
        ({"RCPT": b"550 no\r\n"}, Outcome.REFUSED),
        ({"RCPT": b"450 later\r\n"}, None),
        ({"MAIL": b"550 no\r\n"}, None),
        ({}, None),
    ],
)
def test_a_second_recipient_is_asked_for_where_the_first_is_refused(
    serve: Serve, answers: dict[str, bytes], control: Outcome | None
) -> None:
    question = Question("jean@dupontnet.com", helo="a.org", control="postmaster@dupontnet.com")
    done = probe("127.0.0.1", question, serve(scripted(answers)))
    asked = "RCPT TO:<postmaster@dupontnet.com>" in done.transcript
    assert (done.control.outcome if done.control else None, asked) == (control, control is not None)


@pytest.mark.parametrize(
    ("answers", "nobody"),
    [
        ({"RCPT TO:<x8k": b"550 5.1.1 no such user\r\n"}, "550 5.1.1 no such user"),
        ({"RCPT": b"450 later\r\n"}, "450 later"),
        ({"RCPT TO:<jean": b"421 busy\r\n"}, ""),
        ({"MAIL": b"550 no\r\n"}, ""),
    ],
)
def test_somebody_who_does_not_exist_is_asked_for_too(serve: Serve, answers: dict[str, bytes], nobody: str) -> None:
    done = probe("127.0.0.1", QUESTION._replace(nobody="x8k@dupontnet.com"), serve(scripted({**GOOD, **answers})))
    assert str(done.nobody) == nobody
    assert done.transcript.count("RCPT TO:<tomy@example.net>") <= 1


def test_the_addresses_of_a_host_are_tried_in_turn(serve: Serve) -> None:
    done = probe("mail.dupontnet.com", QUESTION, serve(scripted(GOOD)), addresses=["127.0.0.9", "127.0.0.1"])
    assert (done.outcome, done.address) == (Outcome.ACCEPTED, "127.0.0.1")
    assert done.transcript[:3] == (
        "Trying 127.0.0.9...", "Trying 127.0.0.1...", "Connected to mail.dupontnet.com."
    )  # fmt: skip


def test_a_resolver_that_takes_all_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo("127.0.0.1", 25, type=socket.SOCK_STREAM)

    def slow(*arguments: object, **options: object) -> object:
        time.sleep(0.2)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    dialogue = probe("mail.example.com", Question("jean@example.com"), 25, 0.1)
    assert (dialogue.outcome, dialogue.late) == (Outcome.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("recipient", "stranger", "denied"),
    [
        (b"250 ok", b"454 4.7.1 <tomy@example.net>: Relay access denied", True),
        (b"451 4.7.1 Greylisted", b"451 4.7.1 Greylisted", False),
        (b"250 ok", b"451 4.3.0 Temporary lookup failure", False),
        (b"250 ok", b"250 ok", False),
    ],
)
def test_a_refusal_for_now_is_one(serve: Serve, recipient: bytes, stranger: bytes, denied: bool) -> None:
    answers = {"RCPT TO:<tomy": stranger + b"\r\n", "RCPT TO:<jean": recipient + b"\r\n"}
    found = probe("127.0.0.1", QUESTION, serve(scripted(answers)))
    assert (found.denied, about_probes.as_it_should_be(found)) == (denied, denied)
    said = "\n".join(about_probes.verdict(found, QUESTION, lexicon.load("en-us")))
    assert ("Good: tomy@example.net is refused, if only for now: 454 4.7.1" in said) == denied
