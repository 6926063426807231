# SPDX-License-Identifier: GPL-2.0-or-later
"""MTA-STS policies: when there is one, what it says, whom it lists. How it is fetched."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.lookup.clock import Clock
from mxbackup.lookup.mtasts import Policy, Unreadable, announced, fetch, parse
from tests.nameserver import free_port

TEXT = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


def test_parse() -> None:
    assert parse(TEXT) == Policy("enforce", ("mail.example.com", "*.example.net"))
    assert parse("version:STSv1\nmode:none\nmax_age:1") == Policy("none")
    assert parse("version: STSv1\nmode: testing\nmode: enforce") == Policy("testing")


@pytest.mark.parametrize("text", ["", "mode: enforce", "version: STSv2\nmode: enforce", "version: STSv1\nmode: x"])
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


@given(st.text())
def test_any_text_is_a_policy_or_none(text: str) -> None:
    with suppress(Unreadable):
        assert parse(text).mode in ("enforce", "testing", "none")


@pytest.mark.parametrize(
    ("exchanger", "listed"),
    [("mail.example.com", True), ("a.example.net", True), ("a.b.example.net", False), ("example.net", False)],
)
def test_lists(exchanger: str, listed: bool) -> None:
    assert parse(TEXT).lists(exchanger) is listed


@pytest.mark.parametrize(
    ("records", "there"),
    [
        ((), False),
        (("v=STSv1; id=20160831085700Z;",), True),
        (("v=spf1 -all", "v=STSv1; id=1"), True),
        (("v=STSv1; id=1", "v=STSv1; id=2"), False),
        (("v=STSv10; id=1",), False),
    ],
)
def test_announced(records: tuple[str, ...], there: bool) -> None:
    assert announced(records) is there


class Web:
    """A host of policies on 127.0.0.1 whose certificate SSL_CERT_FILE names: sends `answer` piece by piece."""

    def __init__(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.answer: Iterable[bytes] = ()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            with suppress(OSError), self._context.wrap_socket(self._listener.accept()[0], server_side=True) as client:
                client.recv(4096)
                for piece in self.answer:
                    client.sendall(piece)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "policy.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=policy -addext subjectAltName=DNS:mta-sts.example.com"
    subprocess.run([*words.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def web(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return Web(certificate)


def slowly(*pieces: bytes) -> Iterator[bytes]:
    """What never ends, and never lets a step time out."""
    yield pieces[0]
    while True:
        time.sleep(0.05)
        yield from pieces[1:]


def test_fetch(web: Web) -> None:
    web.answer = [b"HTTP/1.1 200 OK\r\n\r\n", TEXT.encode()]
    assert fetch("example.com", ["127.0.0.1"], Clock(20), web.port) == parse(TEXT)
    unheard = free_port()
    with pytest.raises(Unreadable, match="refused"):
        fetch("example.com", ["127.0.0.1"], Clock(20), unheard)
    with pytest.raises(Unreadable, match="certificate"):
        fetch("example.net", ["127.0.0.1"], Clock(20), web.port)
    with pytest.raises(Unreadable, match="no address"):
        fetch("example.com", [], Clock(20), web.port)
    web.answer = [b"HTTP/1.1 302 Found\r\nLocation: https://mta-sts.example.com/\r\n\r\n"]
    with pytest.raises(Unreadable, match="302"):
        fetch("example.com", ["127.0.0.1"], Clock(20), web.port)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
        (b"",),
    ],
    ids=["header", "continue", "body", "trailer", "nothing"],
)
def test_the_clock_ends_a_fetch_however_slowly_it_goes_on(web: Web, pieces: tuple[bytes, ...]) -> None:
    web.answer = slowly(*pieces)
    begin = time.monotonic()
    with pytest.raises(Unreadable):
        fetch("example.com", ["127.0.0.1"], Clock(0.5), web.port)
    assert 0.4 < time.monotonic() - begin < 2


def test_the_clock_ends_a_fetch_from_who_talks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Unreadable):
        fetch("example.com", ["127.0.0.1"], Clock(0.3), listener.getsockname()[1])


def test_many_headers_are_no_policy(web: Web) -> None:
    web.answer = [b"HTTP/1.1 200 OK\r\n", *(b"x: y\r\n" for _ in range(200)), b"\r\n", TEXT.encode()]
    with pytest.raises(Unreadable):
        fetch("example.com", ["127.0.0.1"], Clock(20), web.port)
