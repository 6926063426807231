# SPDX-License-Identifier: GPL-2.0-or-later
"""A domain's MTA-STS policy (RFC 8461): which exchangers careful senders deliver to."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import NoReturn

TIMEOUT = 5.0
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


def fetch(name: str, timeout: float = TIMEOUT) -> Policy:
    """Return the policy of `name`, fetched over HTTPS without following redirects (section 3.3).

    `timeout` is in seconds for each step of the exchange. Raises Unreadable, or NoTls.
    """
    try:
        import ssl
    except ImportError as error:
        raise NoTls from error
    handler = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler, _NoRedirect)
    try:
        with opener.open(f"https://mta-sts.{name}/.well-known/mta-sts.txt", timeout=timeout) as response:
            return parse(response.read(SIZE_LIMIT).decode("utf-8", "replace"))
    except (OSError, HTTPException, UnicodeError) as error:
        raise Unreadable(str(error)) from error


def parse(text: str) -> Policy:
    """Return the policy that the text of the file states (section 3.2). Raises Unreadable."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
    fields = dict(reversed(pairs))
    mode = fields.get("mode", "")
    if fields.get("version") != "STSv1" or mode not in ("enforce", "testing", "none"):
        raise Unreadable("no STSv1 policy")
    return Policy(mode, tuple(value.lower() for key, value in pairs if key == "mx"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl) -> NoReturn:  # type: ignore[no-untyped-def]
        raise urllib.error.HTTPError(newurl, code, "redirected", headers, fp)
