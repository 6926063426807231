# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking all exchangers of a domain, on a real name server and real connections: what is said, and what never is."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mxbackup.audit import asking
from mxbackup.audit.asking import Auditor, Request
from mxbackup.audit.facts import Audited, Unasked
from mxbackup.audit.findings import judge
from mxbackup.cli.common import words
from mxbackup.esmith import printable
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server, Status
from mxbackup.smtp import client
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome
from mxbackup.words import about_audits
from tests.nameserver import Knot, free_port
from tests.scratch import Scratch

ZONE = """@ SOA ns host 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
mail A 192.0.2.25
backup A 192.0.2.10
inside A 10.0.0.1
good MX 0 mail
good MX 5 backup
twice MX 5 mail
twice MX 0 mail
bare A 192.0.2.25
empty TXT x
null MX 0 .
odd MX 0 inside
odd MX 1 nowhere
odd MX 2 www
www CNAME mail
bad MX 0 x\\027\\0912J\\060b\\062
xn--caf-dma MX 0 mail
many MX 99 mail
""" + "".join(f"many MX {number} m{number}\nm{number} A 192.0.2.{100 + number}\n" for number in range(60))


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dns]:
    port = free_port()
    knot = Knot(tmp_path_factory.mktemp("knot") / "zones", {"test": ZONE}, ("127.0.0.1",), port)
    yield Dns([Server("127.0.0.1", port)], [Server("127.0.0.1", port)])
    knot.stop()


class MailServer:
    """A server on 127.0.0.1 that answers each command with what `answer` makes of it; keeps all commands."""

    def __init__(self, answer: Callable[[bytes], bytes], banner: bytes = b"220 hello\r\n") -> None:
        self.answer = answer
        self.banner = banner
        self.commands: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.sendall(self.banner)
            for line in lines:
                self.commands.append(line)
                connection.sendall(self.answer(line))

    def __enter__(self) -> "MailServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()


def strict(line: bytes) -> bytes:
    """Refuses strangers' domains and who does not exist."""
    if line.startswith(b"RCPT"):
        known = b"<jean@" in line
        return b"250 ok\r\n" if known else b"550 5.1.1 no\r\n" if b".test>" in line else b"554 5.7.1 no relay\r\n"
    return b"250 ok\r\n"


def through(ports: Mapping[str, int]) -> asking.Probe:
    """Hold the dialogues with servers of this machine in the place of those at some addresses."""

    def probe(host: str, question: Question, port: int, timeout: float, addresses: Sequence[str]) -> Dialogue:
        found = ports.get(addresses[0], ports.get("", 0))
        return replace(client.probe(host, question, found, timeout, ["127.0.0.1"]), address=addresses[0])

    return probe


def request(name: str) -> Request:
    return Request(name, f"jean@{name}", f"x8@{name}", "x9@example.net", helo="pc.example.org")


def audit(dns: Dns, name: str, ports: Mapping[str, int], limit: float = 20) -> Audited:
    return Auditor(dns, probe=through(ports), negotiate=None).audit(request(name), limit)


def test_each_exchanger_is_asked_once(dns: Dns) -> None:
    with MailServer(strict) as mail, MailServer(lambda line: b"250 ok\r\n") as backup:
        facts = audit(dns, "good.test", {"192.0.2.25": mail.port, "192.0.2.10": backup.port})
        twice = audit(dns, "twice.test", {"192.0.2.25": mail.port})
        assert backup.commands == [
            b"EHLO pc.example.org\r\n",
            b"MAIL FROM:<>\r\n",
            b"RCPT TO:<jean@good.test>\r\n",
            b"RSET\r\n",
            b"MAIL FROM:<>\r\n",
            b"RCPT TO:<x8@good.test>\r\n",
            b"RSET\r\n",
            b"MAIL FROM:<>\r\n",
            b"RCPT TO:<x9@example.net>\r\n",
            b"QUIT\r\n",
        ]
    assert [found.id for found in judge(facts) if found.id != "no-starttls"] == [
        "open-relay",
        "accepts-nobody",
        "no-tls-here",
    ]
    assert [(one.name, one.exchanger.preference) for one in twice.asked] == [("mail.test", 0)]
    assert mail.commands.count(b"RCPT TO:<x9@example.net>\r\n") == 2


@pytest.mark.parametrize(
    ("name", "mx", "expected"),
    [
        ("bare.test", Status.EMPTY, ["warning no-mx"]),
        ("empty.test", Status.EMPTY, ["error no-mx"]),
        ("null.test", Status.ANSWER, ["error null-mx"]),
        ("nosuch.test", Status.MISSING, ["error no-such-name"]),
        ("odd.test", Status.ANSWER, ["error mx-inside", "error mx-missing", "warning mx-is-cname"]),
        ("xn--caf-dma.test", Status.ANSWER, ["note no-backup"]),
    ],
)
def test_domains_of_every_kind(dns: Dns, name: str, mx: Status, expected: list[str]) -> None:
    with MailServer(strict) as mail:
        facts = audit(dns, name, {"": mail.port})
    found = [f"{one.severity} {one.id}" for one in judge(facts)]
    assert facts.mx == mx
    assert [one for one in found if one not in ("warning no-starttls", "note no-tls-here")] == expected


def test_no_name_server_answers() -> None:
    facts = Auditor(Dns([Server("127.0.0.1", free_port())])).audit(request("good.test"), 5)
    assert ([found.id for found in judge(facts)], facts.complete) == (["dns-failed"], False)


def test_thirty_exchangers_that_hang_take_no_longer_than_one(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "DIALOGUE_LIMIT", 1.0)
    monkeypatch.setattr(asking, "EXCHANGERS_ASKED", 30)
    with MailServer(strict, b"") as mute:
        begin = time.monotonic()
        facts = audit(dns, "many.test", {"": mute.port})
        assert time.monotonic() - begin < 5
    assert [one.unasked for one in facts.asked] == [None] * 30 + [Unasked.TOO_MANY] * 31
    assert {one.outcome for one in facts.asked[:30]} == {Outcome.BROKEN}
    assert all(one.dialogue and one.dialogue.late for one in facts.asked[:30])


def test_the_limit_is_for_all(dns: Dns) -> None:
    with MailServer(strict, b"") as mute:
        begin = time.monotonic()
        facts = audit(dns, "good.test", {"": mute.port}, limit=1)
        assert time.monotonic() - begin < 3
    assert ({one.unasked for one in facts.asked}, facts.complete) == ({Unasked.LATE}, False)


def test_a_fault_at_one_exchanger_is_not_that_of_all(dns: Dns) -> None:
    def probe(host: str, question: Question, port: int, timeout: float, addresses: Sequence[str]) -> Dialogue:
        if host == "mail.test":
            raise RuntimeError("\x1b[2J")
        return Dialogue(address=addresses[0])

    facts = Auditor(dns, probe=probe, negotiate=None).audit(request("good.test"), 20)
    assert [(one.name, one.unasked, one.fault) for one in facts.asked] == [
        ("mail.test", Unasked.FAILED, "RuntimeError('\\x1b[2J')"),
        ("backup.test", None, ""),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("192.0.2.1",), '"192.0.2.1" is an IP address.'),
        (("dupontnet.com", "--recipient", "jean@other.net"), "jean@other.net is not in dupontnet.com"),
        (("dupontnet.com", "--recipient", "a b"), '"a b@dupontnet.com" is no e-mail address.'),
        (("dupontnet.com", "--refuse", "x@DupontNet.com"), "x@dupontnet.com is in dupontnet.com"),
        (("dupontnet.com", "--state", "x"), "--state says where --changes remembers"),
        (("dupontnet.com", "--helo", "a b"), '"a b" is no host name to greet with.'),
        (("dupontnet.com", "--primary", "a..b"), '"a..b" has two dots in a row.'),
    ],
)
def test_wrong_use(mxbackup: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], said: str) -> None:
    status, out, err = mxbackup("audit", *arguments)
    assert (status, out, said in err) == (2, "", True), err


@pytest.mark.parametrize("content", ["", "root:x:0:0::/root:/bin/sh\n", '{"version": 1}', "[]", "\xff"])
def test_a_file_of_others_stays_as_it_is(
    mxbackup: Callable[..., tuple[int, str, str]], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "state"
    path.write_text(content, "latin-1")
    status, out, err = mxbackup("audit", "dupontnet.com", "--changes", "--state", str(path))
    assert (status, out, "and stays as it is" in err) == (2, "", True), err
    assert path.read_text("latin-1") == content


def test_where_an_audit_is_remembered(
    server: Scratch, mxbackup: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.write("/etc/resolv.conf", "nameserver 127.0.0.9\n")  # nobody is there
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    status, out, _ = mxbackup("audit", "dupontnet.com", "--changes")
    assert status == 3
    assert out.startswith("This is the first audit: from now on only changes are told.\n\nWarning: The MX records of ")
    path = tmp_path / "state/mxbackup/audit/dupontnet.com.json"
    assert (json.loads(path.read_text())["domain"], path.stat().st_mode & 0o777) == ("dupontnet.com", 0o600)
    assert mxbackup("audit", "dupontnet.com", "--changes") == (3, "", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(path))
    assert mxbackup("audit", "dupontnet.com", "--changes")[2].endswith(": Not a directory.\n")


LINES = st.sampled_from([b"220 ", b"250 ", b"250-", b"550 ", b"421 ", b"354 ", b"", b"9"]).flatmap(
    lambda code: st.binary(max_size=40).map(lambda rest: code + rest + b"\r\n")
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(LINES, min_size=1, max_size=12))
def test_hostile_replies(dns: Dns, answers: list[bytes]) -> None:
    said = iter(answers)
    with MailServer(lambda line: next(said, b"\x1b]0;<script>\x07\r\n"), b"220 \x1b[2J\xe2\x80\xae<b>\r\n") as mail:
        facts = Auditor(dns, probe=through({"": mail.port}), negotiate=None).audit(request("bare.test"), 0.5)
        commands = mail.commands
    assert sum(b"example.net" in command for command in commands) <= 1
    assert not any(command.startswith(b"DATA") for command in commands)
    lines = [*about_audits.findings(judge(facts), words), *(" ".join(row) for row in about_audits.table(facts, words))]
    assert [printable.line(line) for line in lines] == lines


def test_hostile_records(dns: Dns) -> None:
    facts = audit(dns, "bad.test", {})
    lines = [*about_audits.findings(judge(facts), words), *(" ".join(row) for row in about_audits.table(facts, words))]
    assert [printable.line(line) for line in lines] == lines
