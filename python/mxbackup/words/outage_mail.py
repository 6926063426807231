# SPDX-License-Identifier: GPL-2.0-or-later
"""The mails about outages and checks: to the administrator of this server, and to the owner of a domain."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import TYPE_CHECKING

from mxbackup.errors import Sentence
from mxbackup.esmith.settings import Settings
from mxbackup.outage import Kind, Notice
from mxbackup.rules import names
from mxbackup.words import mail, spans
from mxbackup.words.lexicon import Lexicon

if TYPE_CHECKING:
    from mxbackup.check.collecting import Report

NAMED = 3  # rules that a subject names
SUBJECTS: Mapping[Kind, Sentence] = {
    Kind.BEGUN: "MX backup: {names} cannot be reached, messages that wait: {messages}",
    Kind.LASTS: "MX backup: {names} still cannot be reached, messages that wait: {messages}",
    Kind.STUCK: "MX backup: {names} answers and does not get its mail, messages that wait: {messages}",
    Kind.EXPIRES: "MX backup: mail for {names} goes back to its senders from {expires} on",
    Kind.BACK: "MX backup: {names} is back and has its mail",
    Kind.BROKEN: "MX backup: error for {names}",
    Kind.WELL: "MX backup: well again: {names}",
}
_AWAY: Sentence = "The primary of {names} ({primary}) has taken no mail since {since}: {reason}"
_ANSWERS: Sentence = "The primary of {names} ({primary}) answers again, and mail still waits for it."
_IS_BACK: Sentence = "The primary of {names} ({primary}), which was away since {since}, is back."
_WAITS: Sentence = "Messages that wait: {messages}; the oldest for {waited}."
_DELIVERED: Sentence = "Messages delivered: {messages}; the longest waited {waited}."
_REFUSED: Sentence = "Messages that it refused for good, and that went back to their senders: {refused}."
_EXPIRED: Sentence = "Messages that were kept too long, and that went back to their senders: {expired}."
_LATER: Sentence = "They are delivered as soon as it is back. To see them: mxbackup queue"
_GO_BACK: Sentence = "What is not delivered by {expires} goes back to its senders from then on."
_HOW: Sentence = "To see why: mxbackup queue. To have it tried now: mxbackup flush"
_BODIES: Mapping[Kind, tuple[Sentence, ...]] = {
    Kind.BEGUN: (_AWAY, _WAITS, _LATER, _GO_BACK),
    Kind.LASTS: (_AWAY, _WAITS, _LATER, _GO_BACK),
    Kind.STUCK: (_ANSWERS, _WAITS, _HOW, _GO_BACK),
    Kind.EXPIRES: (_WAITS, _GO_BACK, _HOW),
    Kind.BACK: (_IS_BACK, _DELIVERED),
}
_OWNERS: Mapping[Kind, tuple[Sentence, Sentence]] = {
    Kind.BEGUN: (
        "{server} cannot reach the mail server of {names}",
        "The mail server of {names} ({primary}) has taken no mail since {since}. {server}, which is its backup MX, "
        "keeps the mail and delivers it as soon as the server is back. Messages that wait: {messages}.",
    ),
    Kind.BACK: (
        "{server} reaches the mail server of {names} again",
        "The mail server of {names} ({primary}) is back. {server}, which is its backup MX, has delivered what it kept. "
        "Messages delivered: {messages}; the longest waited {waited}. Messages that went back to their senders: "
        "{returned}.",
    ),
}


def of_outage(notice: Notice, settings: Settings, words: Lexicon) -> EmailMessage:
    """Return the mail to the administrator about one outage."""
    said = _params(notice, settings, words)
    went_back = (_REFUSED,) * bool(notice.refused) + (_EXPIRED,) * bool(notice.expired)
    sentences = (*_BODIES[notice.kind], *went_back)
    lines = [words.text(sentence, **said) for sentence in sentences]
    to = _admin(settings)
    return mail.message(to, to, words.text(SUBJECTS[notice.kind], **said), "\n".join(lines) + "\n", settings)


def of_checks(
    notices: Sequence[Notice], reports: "Mapping[str, Report]", settings: Settings, words: Lexicon
) -> EmailMessage:
    """Return the one mail to the administrator about all rules whose checks turned, with reports of bad ones."""
    from mxbackup.words import about_checks

    subjects = [words.text(SUBJECTS[notice.kind], **_params(notice, settings, words)) for notice in notices]
    paragraphs = []
    for notice in notices:
        if notice.kind == Kind.BROKEN:
            paragraphs += ["\n".join(about_checks.lines(reports[name], words)) for name in notice.names]
        else:
            shown = ", ".join(map(names.to_unicode, notice.names))
            paragraphs.append(words.text("Well again: {names}.", names=shown))
    to = _admin(settings)
    return mail.message(to, to, "; ".join(subjects), "\n\n".join(paragraphs) + "\n", settings)


def to_owner(notice: Notice, contact: str, settings: Settings, languages: Sequence[Lexicon]) -> EmailMessage | None:
    """Return the mail to the owner of a domain, in each of the languages, as his is not known; None when it is no news.

    He is told of the begin and the end.
    """
    if notice.kind not in _OWNERS:
        return None
    subject, body = _OWNERS[notice.kind]
    texts = [words.text(body, **_params(notice, settings, words)) for words in languages]
    subjects = [words.text(subject, **_params(notice, settings, words)) for words in languages]
    return mail.message(_admin(settings), contact, " / ".join(subjects), "\n\n".join(texts) + "\n", settings)


def _params(notice: Notice, settings: Settings, words: Lexicon) -> dict[str, object]:
    shown = ", ".join(map(names.to_unicode, notice.names[:NAMED])) + (", ..." if len(notice.names) > NAMED else "")
    return {
        "names": shown,
        "primary": ", ".join(notice.primary[:NAMED]),
        "since": spans.moment(notice.since),
        "messages": notice.messages,
        "refused": notice.refused,
        "expired": notice.expired,
        "returned": notice.refused + notice.expired,
        "waited": spans.span(notice.waited, words),
        "expires": spans.moment(notice.expires),
        "reason": notice.reason,
        "server": f"{settings.system_name}.{settings.domain_name}",
    }


def _admin(settings: Settings) -> str:
    admin = settings.administrator
    return f"{admin}@{settings.domain_name}" if settings.domain_name else admin
