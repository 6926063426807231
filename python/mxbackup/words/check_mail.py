# SPDX-License-Identifier: GPL-2.0-or-later
"""The mail that goes to the administrator when the state of a rule turns."""

from collections.abc import Mapping, Sequence
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid

from mxbackup.check.collecting import Report
from mxbackup.check.remembering import ERROR
from mxbackup.errors import Sentence
from mxbackup.esmith.settings import Settings
from mxbackup.rules import names
from mxbackup.words import about_checks
from mxbackup.words.lexicon import Lexicon


def mail(reports: Sequence[Report], settings: Settings, words: Lexicon) -> EmailMessage:
    """Return the one message to `admin` that tells of all rules that turned."""
    broken = [report for report in reports if report.state == ERROR]
    well = [report for report in reports if report.state != ERROR]
    message = EmailMessage(policy=policy.SMTP.clone(linesep="\n"))
    message["From"] = message["To"] = f"admin@{settings.domain_name}" if settings.domain_name else "admin"
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=settings.domain_name or "localhost")
    message["Subject"] = _subject(broken, well, words)
    paragraphs = ["\n".join(about_checks.lines(report, words)) for report in broken]
    if well:
        shown = ", ".join(names.to_unicode(report.name) for report in well)
        paragraphs.append(words.text("Well again: {names}.", names=shown))
    message.set_content("\n\n".join(paragraphs) + "\n")
    return message


def _subject(broken: Sequence[Report], well: Sequence[Report], words: Lexicon) -> str:
    def listed(reports: Sequence[Report]) -> str:
        shown = [names.to_unicode(report.name) for report in reports[:3]]
        return ", ".join(shown) + (", ..." if len(reports) > len(shown) else "")

    parts: Mapping[Sentence, Sequence[Report]] = {
        "MX backup: error for {names}": broken,
        "MX backup: well again: {names}": well,
    }
    return "; ".join(words.text(template, names=listed(those)) for template, those in parts.items() if those)
