# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers as HTTP: pages as HTML in the charset of the build, redirects, cookies, protecting headers."""

import base64
import secrets
from dataclasses import dataclass
from functools import cache

import jinja2
from werkzeug.wrappers import Response

from mxbackup import __version__
from mxbackup.esmith import printable
from mxbackup.panel.session import Notice, Session
from mxbackup.panel.visit import Page, Redirect
from mxbackup.words.lexicon import Lexicon

SESSION_COOKIE = "mxbackup-session"
MESSAGE_COOKIE = "mxbackup-message"
MESSAGE_SECONDS = 60


@dataclass(frozen=True)
class Frame:
    """What every answer stands in: the panel's path, language and charset, and whether it can change anything."""

    here: str
    secure: bool
    words: Lexicon
    charset: str
    privileged: bool


def show(page: Page, frame: Frame, session: Session | None = None, message: Notice | None = None) -> Response:
    """Return a page; `message` is said at its top, once."""
    nonce = base64.b64encode(secrets.token_bytes(16)).decode()
    text = (
        _environment()
        .get_template(page.template)
        .render(
            page.context,
            _=frame.words.text,
            error=frame.words.error,
            frame=frame,
            nonce=nonce,
            token=session.token if session and frame.privileged else "",
            message=message,
            version=__version__,
        )
    )
    response = Response(_encode(text, frame.charset), page.status)
    response.headers.update(
        {
            "Content-Type": f"text/html; charset={frame.charset}",
            "Content-Language": frame.words.language,
            "Cache-Control": "no-store",
            "Content-Security-Policy": _policy(nonce),
            "X-Frame-Options": "SAMEORIGIN",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }
    )
    if session:
        _set_cookie(response, frame, SESSION_COOKIE, session.number)
    if message:
        _set_cookie(response, frame, MESSAGE_COOKIE, "", 0)
    return response


def lead(redirect: Redirect, frame: Frame, session: Session) -> Response:
    """Return a redirect by GET (RFC 9110 section 15.4.4), with what the next page is to say."""
    response = Response(status=303)
    response.autocorrect_location_header = False
    response.headers.update({"Location": frame.here + redirect.query, "Cache-Control": "no-store"})
    _set_cookie(response, frame, SESSION_COOKIE, session.number)
    if redirect.message:
        _set_cookie(response, frame, MESSAGE_COOKIE, session.seal(redirect.message), MESSAGE_SECONDS)
    return response


def _encode(text: str, charset: str) -> bytes:
    return printable.legible(text).encode(charset, "xmlcharrefreplace")


def _set_cookie(response: Response, frame: Frame, name: str, value: str, seconds: int | None = None) -> None:
    """`seconds` is how long it lives; None is as long as the browser."""
    response.set_cookie(
        name, value, max_age=seconds, path=frame.here or "/", secure=frame.secure, httponly=True, samesite="Strict"
    )


def _policy(nonce: str) -> str:
    """Style sheets of the server-manager, our few lines of style and script that carry the nonce, and our pages."""
    return (
        f"default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    )


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("mxbackup", "templates/panel"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
