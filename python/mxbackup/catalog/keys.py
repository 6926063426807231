# SPDX-License-Identifier: GPL-2.0-or-later
"""A key that signs what name servers tell one another (TSIG, RFC 8945), as their tools write it into a file."""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, field

from mxbackup.errors import InvalidInput

# HMAC-MD5 must not be used for anything new (RFC 8945 section 6).
_ALGORITHMS = ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
_NAME = r"(?=.{1,200}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*"
_FORMS = (
    # tsig-keygen of BIND
    r'key\s+"?(?P<name>[^\s"{]+)"?\s*\{\s*algorithm\s+"?(?P<algorithm>[\w-]+)"?\s*;'
    r'\s*secret\s+"?(?P<secret>[^\s";]+)"?\s*;\s*\}\s*;?',
    # keymgr of Knot
    r"key:\s*-\s*id:\s*(?P<name>\S+)\s+algorithm:\s*(?P<algorithm>\S+)\s+secret:\s*(?P<secret>\S+)",
    # what kdig, nsupdate and others take as one word
    r"(?P<algorithm>[\w-]+):(?P<name>[^\s:]+):(?P<secret>[^\s:]+)",
)


@dataclass(frozen=True)
class Key:
    """A name, which both sides know it by, an algorithm, and the secret."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


def parse(text: str) -> Key:
    """Return the key of a text, in one of the forms of BIND and Knot. Raises InvalidInput, which tells no secret."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "//"))]
    said = "\n".join(lines).strip()
    found = next(filter(None, (re.fullmatch(form, said) for form in _FORMS)), None)
    name = found["name"].strip('"').lower().removesuffix(".") if found else ""
    secret = _secret(found["secret"]) if found else b""
    if not found or not secret or not re.fullmatch(_NAME, name):
        raise InvalidInput("This is no TSIG key as tsig-keygen (BIND) or keymgr -t (Knot) prints it.")
    if found["algorithm"].lower() not in _ALGORITHMS:
        raise InvalidInput(
            "The algorithm of the TSIG key must be one of these: {known}. Make a new key: tsig-keygen {name}",
            known=", ".join(_ALGORITHMS),
            name=name,
        )
    return Key(name, found["algorithm"].lower(), secret)


def _secret(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        return b""
