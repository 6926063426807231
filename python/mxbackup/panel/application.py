# SPDX-License-Identifier: GPL-2.0-or-later
"""The WSGI application: who asks, from which session, what answers, and what is said when nothing can."""

import secrets
import traceback
from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from mxbackup.errors import MxBackupError, Sentence
from mxbackup.esmith.database import log_to_syslog
from mxbackup.panel import checking
from mxbackup.panel.changes import perform
from mxbackup.panel.checking import Checking
from mxbackup.panel.forms import MAX_BODY, Refused, decode
from mxbackup.panel.pages import PAGES
from mxbackup.panel.responses import MESSAGE_COOKIE, SESSION_COOKIE, Frame, lead, show
from mxbackup.panel.session import SECRET, Session, load_secret
from mxbackup.panel.visit import Page, Redirect, Visit
from mxbackup.service.context import Context
from mxbackup.words import lexicon

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FORM_TYPE = "application/x-www-form-urlencoded"


def charset_of_build() -> str:
    """Return the charset of this build's pages: utf-8, or iso-8859-1 for SME before April 2008."""
    return resources.files("mxbackup").joinpath("charset").read_text("ascii").strip()


class Panel:
    """Answers requests. Without `privileged` it shows everything and changes nothing."""

    def __init__(self, context: Context, *, privileged: bool, charset: str = "", check: Checking | None = None) -> None:
        self.context = context
        self.privileged = privileged
        self.charset = charset or charset_of_build()
        self.check = check or (checking.check if privileged else checking.check_here)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        """Return the answer, whatever happens. What nobody foresaw goes to syslog, under a reference."""
        frame = Frame(
            here=request.environ.get("SCRIPT_NAME", ""),
            secure=request.environ.get("wsgi.url_scheme") == "https",
            words=lexicon.load(_language(request)),
            charset=self.charset,
            privileged=self.privileged,
        )
        try:
            return self._answer(request, frame)
        except MxBackupError as error:
            status = error.status if isinstance(error, Refused) else 503
            return show(_sorry(frame.words.error(error), status), frame)
        except Exception:
            reference = secrets.token_hex(4)
            log_to_syslog([f"panel {reference}: {line}" for line in traceback.format_exc().splitlines()])
            said: Sentence = "Something went wrong. /var/log/messages says what, under the reference {reference}."
            return show(_sorry(frame.words.text(said, reference=reference), 500), frame)

    def _answer(self, request: Request, frame: Frame) -> Response:
        session = self._session(request)
        if request.method == "POST":
            visit = self._visit(_body(request), frame)
            self._refuse_forged(session, visit.parameter("token"))
            answer = perform(visit)
        elif request.method in ("GET", "HEAD"):
            visit = self._visit(request.query_string, frame)
            answer = PAGES.get(visit.parameter("page"), PAGES[""])(visit)
        else:
            raise Refused(405, "The request cannot be understood. Go back to the list of rules.")
        if isinstance(answer, Redirect):
            return lead(answer, frame, session)
        return show(answer, frame, session, session.unseal(request.cookies.get(MESSAGE_COOKIE, "")))

    def _session(self, request: Request) -> Session:
        user = request.environ.get("REMOTE_USER", "")
        if not user:
            raise Refused(403, "Log in to the server-manager first.")
        secret = load_secret(self.context.host.path(SECRET)) if self.privileged else secrets.token_bytes(32)
        return Session.of(user, request.cookies.get(SESSION_COOKIE, ""), secret)

    def _visit(self, encoded: bytes, frame: Frame) -> Visit:
        return Visit(decode(encoded, self.charset), self.context, frame.words, self.check)

    def _refuse_forged(self, session: Session, token: str) -> None:
        if not self.privileged or not session.accepts(token):
            raise Refused(
                403,
                "This form does not come from a page of your session, and nothing was done. "
                "Go back to the list of rules and try again.",
            )


def _language(request: Request) -> str:
    """The language that the browser asks for, as the server-manager chooses it; English otherwise."""
    wanted = (tag.lower().partition("-")[0] for tag, quality in request.accept_languages if quality > 0)
    known = {language.partition("-")[0]: language for language in lexicon.languages()}
    return next((known[tag] for tag in wanted if tag in known), lexicon.FALLBACK)


def _body(request: Request) -> bytes:
    if request.mimetype != FORM_TYPE:
        raise Refused(415, "The request cannot be understood. Go back to the list of rules.")
    if (request.content_length or 0) > MAX_BODY:
        raise Refused(413, "The form is larger than {limit} bytes, and nothing was done.", limit=MAX_BODY)
    try:
        return request.get_data(cache=False)
    except ClientDisconnected:
        raise Refused(400, "The form did not arrive whole, and nothing was done. Go back and send it again.") from None


def _sorry(reason: str, status: int) -> Page:
    return Page("sorry.html", {"reason": reason}, status)
