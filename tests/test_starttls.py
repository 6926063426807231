# SPDX-License-Identifier: GPL-2.0-or-later
"""What STARTTLS with a mail server is worth, and that no server takes longer than it may."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mxbackup.smtp.starttls import Security, negotiate
from mxbackup.words import spans
from tests.certificates import expired, openssl, self_signed

HOST = "mail.dupontnet.com"


class Server:
    """A mail server on 127.0.0.1 that says `lines` in turn, one a command, then TLS if it has a certificate."""

    def __init__(self, certificate: Path | None, *lines: bytes, old: bool = False) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate:
            self.context.load_cert_chain(certificate)
        if old:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            self.context.maximum_version = ssl.TLSVersion.TLSv1_1
        self.tls = certificate is not None
        self.lines = lines or (b"220 hello", b"250-mail\r\n250 STARTTLS", b"220 go ahead")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.connections = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), connection:
                self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        for number, line in enumerate(self.lines):
            if number:
                connection.recv(1000)
            connection.sendall(line + b"\r\n")
        if self.tls:
            with self.context.wrap_socket(connection, server_side=True) as client:
                client.recv(100)
        else:
            connection.recv(1000)
            connection.recv(1000)


class Talkative(Server):
    """One that holds the whole dialogue, too."""

    def talk(self, connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        for line in connection.makefile("rb"):
            match line.split()[0]:
                case b"EHLO":
                    connection.sendall(b"250-mail\r\n250 STARTTLS\r\n")
                case b"STARTTLS":
                    connection.sendall(b"220 go ahead\r\n")
                    with self.context.wrap_socket(connection, server_side=True) as client:
                        client.recv(100)
                    return
                case _:
                    connection.sendall(b"250 ok\r\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), HOST)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.listener.close()


def ask(servers: list[Server], server: Server, host: str = HOST, timeout: float = 20) -> Security:
    servers.append(server)
    return negotiate(host, server.port, timeout, ["127.0.0.1"])


def test_a_certificate_that_is_trusted(
    servers: list[Server], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    found = ask(servers, Server(certificate))
    end = openssl("x509", "-in", certificate, "-noout", "-enddate").decode().strip().partition("=")[2]
    der = openssl("x509", "-in", certificate, "-outform", "DER")
    assert found == Security(True, "TLSv1.3", True, None, ssl.cert_time_to_seconds(end), (der,))
    assert servers[0].connections == 1
    assert str(ask(servers, servers[0], "mail.durantcom.net").trouble) == "its certificate is not for that name"


def test_a_certificate_that_is_not(servers: list[Server], certificate: Path) -> None:
    found = ask(servers, Server(certificate))
    assert (found.offered, found.version, found.trusted) == (True, "TLSv1.3", False)
    assert str(found.trouble) == "it has signed its certificate itself"
    assert found.chain == (openssl("x509", "-in", certificate, "-outform", "DER"),)


def test_an_expired_certificate(servers: list[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = expired(tmp_path, HOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(path.with_suffix(".crt")))
    assert str(ask(servers, Server(path)).trouble) == "its certificate has expired"


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated")
def test_a_server_with_old_tls_only(servers: list[Server], certificate: Path) -> None:
    found = ask(servers, Server(certificate, old=True))
    assert (found.offered, found.version, found.trusted) == (True, "TLSv1.1", False)
    assert str(found.trouble).startswith("TLS fails: ")


@pytest.mark.parametrize(
    ("lines", "offered", "trouble"),
    [
        ((b"220 hello", b"250 mail"), False, "None"),
        ((b"220 hello", b"500 what?"), False, "None"),
        ((b"554 go away",), False, "the server says: 554 go away"),
        (
            (b"220 hello", b"250-mail\r\n250 starttls", b"454 not now \x1b[2J"),
            False,
            "the server says: 454 not now \\u001b[2J",
        ),
        ((b"SSH-2.0-x",), False, "The server's answer is no SMTP."),
        ((b"220 hello",), False, "The server did not answer within 0.5 s."),
    ],
)  # fmt: skip
def test_no_tls_at_all(servers: list[Server], lines: tuple[bytes, ...], offered: bool, trouble: str) -> None:
    found = ask(servers, Server(None, *lines), timeout=0.5)
    assert (found.offered, found.version, str(found.trouble)) == (offered, "", trouble)


def test_a_server_that_never_ends_the_handshake(servers: list[Server]) -> None:
    begin = time.monotonic()
    found = ask(servers, Server(None), timeout=0.5)
    assert time.monotonic() - begin < 2
    assert (found.offered, found.version) == (True, "")
    assert "timed out" in str(found.trouble)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = negotiate(HOST, port, 1, ["127.0.0.1"])
    assert str(found.trouble) == f"{HOST} port {port} accepts no connection: Connection refused."


def test_probe_tells_what_it_is_worth(
    servers: list[Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mxbackup: Callable[..., tuple[int, str, str]],
) -> None:
    path = self_signed(tmp_path, "localhost")
    servers.append(Talkative(path))
    words = ("probe", "localhost", "jean@dupontnet.com", "--port", str(servers[0].port), "--timeout", "5")

    def said() -> str:
        return mxbackup(*words)[1]

    assert "STARTTLS: TLSv1.3, but not trusted: it has signed its certificate itself.\n" in said()
    monkeypatch.setenv("SSL_CERT_FILE", str(path.with_suffix(".crt")))
    until = negotiate("localhost", servers[0].port, 5).until
    assert f"STARTTLS: TLSv1.3, trusted for localhost until {spans.day(until)}.\n" in said()
    monkeypatch.setattr("mxbackup.smtp.starttls.available", lambda: False)
    assert "The server offers STARTTLS.\n" in said()
