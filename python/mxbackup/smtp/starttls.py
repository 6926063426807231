# SPDX-License-Identifier: GPL-2.0-or-later
"""STARTTLS with a mail server (RFC 3207): what its TLS is worth to a sender who looks at the certificate.

On a connection of its own, so that the dialogue about recipients is what telnet would show. A server whose certificate
is not trusted is asked once more, without that, for the certificate.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxbackup.errors import Message, Sentence
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.smtp import SMTP_PORT, replies
from mxbackup.smtp.session import Session, Trouble, Unreachable, connect, late, offers

if TYPE_CHECKING:
    import ssl

TIMEOUT = 20.0
DER = 2  # ENCODING_DER of Python's _ssl

# Codes of openssl-verification-options(1), x509_vfy.h; what is not here is told in OpenSSL's words.
_UNTRUSTED: Mapping[int, Sentence] = {
    10: "its certificate has expired",
    18: "it has signed its certificate itself",
    19: "its certificate is of an unknown authority",
    20: "its certificate is of an unknown authority",
    21: "its certificate is of an unknown authority",
    62: "its certificate is not for that name",
    64: "its certificate is not for that name",
}


@dataclass(frozen=True, slots=True)
class Security:
    """What STARTTLS came to. `version` is that of TLS, empty where it came to none.

    `trusted` is whether authorities that this machine trusts vouch for the server's name, `trouble` why not, or why
    there is no TLS. `until` is when a trusted certificate ends, in seconds since 1970. `chain` are the certificates in
    DER, the server's own first.
    """

    offered: bool = False
    version: str = ""
    trusted: bool = False
    trouble: Message | None = None
    until: int = 0
    chain: tuple[bytes, ...] = ()


class _NotOffered(Exception):
    """The server has no STARTTLS."""


def available() -> bool:
    """Whether this Python has TLS."""
    try:
        import ssl  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


def negotiate(
    host: str, port: int = SMTP_PORT, timeout: float = TIMEOUT, addresses: Sequence[str] = (), helo: str = ""
) -> Security:
    """Negotiate TLS with the server at `host`, at one of its `addresses` if they are known, and say good-bye.

    `timeout` is in seconds, for all of it. Never raises where TLS is `available`: trouble is in the result.
    """
    import ssl

    clock = Clock(timeout)
    try:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8461 section 4.2 wants no less
        return _secure(context, host, port, clock, addresses, helo)
    except _NotOffered:
        return Security()
    except (Trouble, TimeIsUp, Unreachable) as error:
        return Security(trouble=_said(error, clock))
    except (OSError, ValueError) as error:
        why = _why(error)
    with suppress(_NotOffered, Trouble, TimeIsUp, Unreachable, OSError, ValueError):
        found = _secure(_trusting(), host, port, clock, addresses, helo)
        return Security(True, found.version, trouble=why, chain=found.chain)
    return Security(True, trouble=why)


def _secure(
    context: "ssl.SSLContext", host: str, port: int, clock: Clock, addresses: Sequence[str], helo: str
) -> Security:
    """Raises what `connect` and a `Session` do, _NotOffered, and of TLS itself OSError or ValueError."""
    with connect(host, port, clock, [], addresses) as plain:
        session = Session(plain, clock, [])
        _accepted(session.reply())
        if "STARTTLS" not in offers(session.greet(helo)):
            raise _NotOffered
        _accepted(session.command("STARTTLS"))
        plain.settimeout(clock.left())
        with context.wrap_socket(plain, server_hostname=host) as tls:
            with suppress(OSError):
                tls.sendall(b"QUIT\r\n")
            return Security(True, tls.version() or "", True, None, _until(tls), _chain(tls))


def _accepted(reply: replies.Reply) -> None:
    if reply.code != 220:
        raise Trouble("the server says: {reply}", reply=reply)


def _trusting() -> "ssl.SSLContext":
    """Return what takes every server, and every TLS that this machine still has: old servers have no newer one."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _until(tls: "ssl.SSLSocket") -> int:
    import ssl

    end = (tls.getpeercert() or {}).get("notAfter")
    return ssl.cert_time_to_seconds(str(end)) if end else 0


def _chain(tls: "ssl.SSLSocket") -> tuple[bytes, ...]:
    """Python has all of it from 3.13 on; before, in what its socket is made of."""
    for has in (tls, getattr(tls, "_sslobj", None)):
        if whole := getattr(has, "get_unverified_chain", None):
            return tuple(one if isinstance(one, bytes) else one.public_bytes(DER) for one in whole() or ())
    return tuple(filter(None, [tls.getpeercert(binary_form=True)]))


def _why(error: Exception) -> Message:
    code = getattr(error, "verify_code", 0)
    if code in _UNTRUSTED:
        return Message(_UNTRUSTED[code])
    words = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    return Message("TLS fails: {reason}", reason=replies.cut(replies.shown(str(words).encode())))


def _said(error: Exception, clock: Clock) -> Message:
    match error:
        case Unreachable():
            return error.trouble.message
        case Trouble():
            return error.message
        case _:
            return late(clock).message
