# SPDX-License-Identifier: GPL-2.0-or-later
"""The session of a logged-in administrator: tokens against forged requests, and a message kept over a redirect.

A token is an HMAC (RFC 2104) over the user that the web server authenticated and a random cookie, under a secret
that only root can read. So a stranger's page can neither guess it nor plant one: whoever manages to set the cookie
still lacks the secret, and a token of another user or login does not fit. Nothing is kept per session.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SECRET = Path("/var/lib/mxbackup/panel-secret")
SECRET_BYTES = 32
MESSAGE_CHARACTERS = 1000  # a cookie has 4 KB (RFC 6265 section 6.1)


@dataclass(frozen=True)
class Message:
    """What is said at the top of the next page: `good` when something was done, else it was not."""

    good: bool
    text: str


@dataclass(frozen=True)
class Session:
    """One login; `number` is the random value of its cookie, `secret` that of this server."""

    user: str
    number: str
    secret: bytes

    @classmethod
    def of(cls, user: str, cookie: str, secret: bytes) -> "Session":
        """Return the session that the cookie names, or a new one."""
        return cls(user, cookie if re.fullmatch(r"[0-9a-f]{32}", cookie) else secrets.token_hex(16), secret)

    @property
    def token(self) -> str:
        """What each form carries."""
        return self._sign("form", "")

    def accepts(self, token: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def seal(self, message: Message) -> str:
        """Return the message as a cookie value that only this session's pages show."""
        plain = json.dumps([message.good, message.text[:MESSAGE_CHARACTERS]], ensure_ascii=False)
        text = base64.urlsafe_b64encode(plain.encode()).decode()
        return f"{text}.{self._sign('message', text)}"

    def unseal(self, value: str) -> Message | None:
        """Return the message that `seal` made, or None when it was anything else."""
        text, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("message", text).encode()):
            return None
        with suppress(binascii.Error, ValueError):
            good, said = json.loads(base64.urlsafe_b64decode(text))
            return Message(good, said)
        return None

    def _sign(self, purpose: str, text: str) -> str:
        signed = "\0".join((purpose, self.user, self.number, text))
        return hmac.new(self.secret, signed.encode(), hashlib.sha256).hexdigest()


def load_secret(path: Path) -> bytes:
    """Return the server's secret; made, readable by its owner alone, when there is none. Raises OSError."""
    with suppress(FileNotFoundError):
        content = path.read_bytes()
        if len(content) == SECRET_BYTES:
            return content
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path.read_bytes()
