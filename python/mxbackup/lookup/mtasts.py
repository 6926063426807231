# SPDX-License-Identifier: GPL-2.0-or-later
"""A domain's MTA-STS policy (RFC 8461): which exchangers careful senders deliver to."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from mxbackup.lookup.clock import Clock, TimeIsUp

if TYPE_CHECKING:
    import ssl

HTTPS_PORT = 443
PATH = "/.well-known/mta-sts.txt"
SIZE_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Policy:
    """`mode` is enforce, testing or none; `patterns` the names of exchangers, `*.` standing for one label."""

    mode: str = "none"
    patterns: tuple[str, ...] = ()

    def lists(self, exchanger: str) -> bool:
        """Whether mail may go to this exchanger (section 4.1)."""
        above = "*." + exchanger.partition(".")[2]
        return exchanger in self.patterns or above in self.patterns


class Unreadable(Exception):
    """The policy could not be fetched, or is none."""


class NoTls(Exception):
    """This interpreter has no TLS."""


def announced(records: tuple[str, ...]) -> bool:
    """Whether TXT records of `_mta-sts.NAME` announce a policy: exactly one begins with `v=STSv1;` (section 3.1)."""
    return sum(record.startswith("v=STSv1;") for record in records) == 1


def host_of(name: str) -> str:
    """Return the host that holds the policy of `name` (section 3.3)."""
    return f"mta-sts.{name}"


def fetch(name: str, addresses: Iterable[str], clock: Clock, port: int = HTTPS_PORT) -> Policy:
    """Return the policy of `name`, from the first address of its host that takes a connection.

    Over HTTPS, without following redirects (section 3.3); `clock` is for all of it, however slowly the other side
    sends. Raises Unreadable, or NoTls.
    """
    try:
        import ssl
    except ImportError as error:
        raise NoTls from error
    try:
        with (
            _connect(addresses, port, clock) as plain,
            _secured(ssl.create_default_context(), plain, name, clock) as tls,
        ):
            return parse(_content(tls, host_of(name)))
    except (OSError, HTTPException, ValueError, TimeIsUp) as error:
        raise Unreadable(str(error)) from error


def parse(text: str) -> Policy:
    """Return the policy that the text of the file states (section 3.2). Raises Unreadable."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
    fields = dict(reversed(pairs))
    mode = fields.get("mode", "")
    if fields.get("version") != "STSv1" or mode not in ("enforce", "testing", "none"):
        raise Unreadable("no STSv1 policy")
    return Policy(mode, tuple(value.lower() for key, value in pairs if key == "mx"))


def _connect(addresses: Iterable[str], port: int, clock: Clock) -> socket.socket:
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), clock.left())
        except OSError as error:
            failure = error
    raise failure


def _secured(context: "ssl.SSLContext", plain: socket.socket, name: str, clock: Clock) -> "ssl.SSLSocket":
    """Return the connection in TLS, each read and write of which gets no more than what is left of the time."""
    import ssl

    class Timed(ssl.SSLSocket):
        def recv_into(self, *args: Any, **kwargs: Any) -> int:
            self.settimeout(clock.left())
            return super().recv_into(*args, **kwargs)

        def send(self, *args: Any, **kwargs: Any) -> int:
            self.settimeout(clock.left())
            return super().send(*args, **kwargs)

    plain.settimeout(clock.left())
    context.sslsocket_class = Timed
    return context.wrap_socket(plain, server_hostname=host_of(name))


def _content(tls: "ssl.SSLSocket", host: str) -> str:
    connection = HTTPConnection(host)
    connection.sock = tls
    connection.request("GET", PATH)
    response = connection.getresponse()
    if response.status != HTTPStatus.OK:
        raise Unreadable(f"{response.status} {response.reason}")
    return response.read(SIZE_LIMIT).decode("utf-8", "replace")
