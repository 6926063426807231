# SPDX-License-Identifier: GPL-2.0-or-later
"""The session of a logged-in administrator: tokens against forged requests, and a message kept over a redirect.

Both are sealed by itsdangerous, for the user that the web server authenticated and a random cookie, under a secret
that only root can read. So a stranger's page can neither guess it nor plant one: whoever manages to set the cookie
still lacks the secret, and a token of another user or login does not fit. Nothing is kept per session.
"""

import hashlib
import os
import re
import secrets
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

SECRET = Path("/var/lib/mxbackup/panel-secret")
SECRET_BYTES = 32
MESSAGE_CHARACTERS = 1000  # a cookie has 4 KB (RFC 6265 section 6.1)


@dataclass(frozen=True)
class Notice:
    """What is said at the top of the next page: `good` when something was done, else it was not.

    `undo` is what a form does that takes it back, if any, and `removal` tells the removal that is taken back.
    """

    good: bool
    text: str
    undo: str = ""
    removal: str = ""


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
        return self._sealed("form").dumps("")

    def accepts(self, token: str) -> bool:
        """Whether a form came from a page of this session."""
        valid, _ = self._sealed("form").loads_unsafe(token)
        return valid

    def seal(self, message: Notice) -> str:
        """Return the message as a cookie value that only this session's pages show."""
        return self._sealed("message").dumps(astuple(replace(message, text=message.text[:MESSAGE_CHARACTERS])))

    def unseal(self, value: str) -> Notice | None:
        """Return the message that `seal` made, or None when it was anything else."""
        with suppress(BadData):
            return Notice(*self._sealed("message").loads(value))
        return None

    def _sealed(self, purpose: str) -> URLSafeSerializer:
        """The name of a user holds no NUL, so no two sessions have one salt."""
        salt = "\0".join((purpose, self.user, self.number))
        signer = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self.secret, salt, signer_kwargs=signer)


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
