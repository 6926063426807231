# SPDX-License-Identifier: GPL-2.0-or-later
"""A mail of this server's own."""

from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid

from mxbackup.esmith.settings import Settings


def message(sender: str, to: str, subject: str, text: str, settings: Settings) -> EmailMessage:
    """Return a mail that no program answers: RFC 3834 section 5."""
    made = EmailMessage(policy=policy.SMTP.clone(linesep="\n"))
    made["From"], made["To"] = sender, to
    made["Date"] = format_datetime(localtime())
    made["Message-ID"] = make_msgid(domain=settings.domain_name or "localhost")
    made["Auto-Submitted"] = "auto-generated"
    made["Subject"] = subject
    made.set_content(text)
    return made
