# SPDX-License-Identifier: GPL-2.0-or-later
"""The last known state of each rule kept, and the mail that goes to the administrator when one changes."""

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from pathlib import Path

from mxbackup import names, reporting, states
from mxbackup.checks import Report
from mxbackup.errors import HostError, Sentence
from mxbackup.esmithdb import Database, Store
from mxbackup.lexicon import Lexicon
from mxbackup.settings import Settings

SENDMAIL = Path("/usr/sbin/sendmail")
SENDING_LIMIT = 60  # seconds
ERROR = "error"

Send = Callable[[EmailMessage], None]


def remember(
    store: Store, reports: Sequence[Report], *, all_rules: bool, announce: Callable[[Sequence[Report]], None]
) -> None:
    """Record the states, after `announce` was given the reports that turned from fine to error, or back.

    With `all_rules` what is no rule any more is forgotten. When `announce` raises nothing is recorded, so that the
    next time announces it. Raises DatabaseError.
    """
    before = states.remembered(store)
    if turned := [report for report in reports if _turned(before.get(report.name), report)]:
        announce(turned)
    store.update(lambda database: _record(database, reports, all_rules))


def mail(reports: Sequence[Report], settings: Settings, words: Lexicon) -> EmailMessage:
    """Return the one message to `admin` that tells of all rules that turned."""
    broken = [report for report in reports if report.state == ERROR]
    well = [report for report in reports if report.state != ERROR]
    message = EmailMessage(policy=policy.SMTP.clone(linesep="\n"))
    message["From"] = message["To"] = f"admin@{settings.domain_name}" if settings.domain_name else "admin"
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=settings.domain_name or "localhost")
    message["Subject"] = _subject(broken, well, words)
    paragraphs = ["\n".join(reporting.lines(report, words)) for report in broken]
    if well:
        shown = ", ".join(names.to_unicode(report.name) for report in well)
        paragraphs.append(words.text("Well again: {names}.", names=shown))
    message.set_content("\n\n".join(paragraphs) + "\n")
    return message


def send(sendmail: Path, message: EmailMessage) -> None:
    """Hand the message to the host's sendmail(8), to the recipients in its header. Raises HostError."""
    try:
        subprocess.run(
            [sendmail, "-i", "-t"], input=message.as_bytes(), capture_output=True, check=True, timeout=SENDING_LIMIT
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError("{command} could not send the mail: {reason}", command=sendmail, reason=error) from error


def _turned(before: states.Remembered | None, report: Report) -> bool:
    return (before is not None and before.state == ERROR) != (report.state == ERROR)


def _record(database: Database, reports: Iterable[Report], all_rules: bool) -> None:
    now = str(int(time.time()))
    checked = {report.name: report for report in reports}
    for name, report in checked.items():
        database.set(name, report.state, {"Codes": ",".join(report.codes) or None, "Time": now})
    if all_rules:
        for name in states.read(database).keys() - checked.keys():
            database.delete(name)


def _subject(broken: Sequence[Report], well: Sequence[Report], words: Lexicon) -> str:
    def listed(reports: Sequence[Report]) -> str:
        shown = [names.to_unicode(report.name) for report in reports[:3]]
        return ", ".join(shown) + (", ..." if len(reports) > len(shown) else "")

    parts: Mapping[Sentence, Sequence[Report]] = {
        "MX backup: error for {names}": broken,
        "MX backup: well again: {names}": well,
    }
    return "; ".join(words.text(template, names=listed(those)) for template, those in parts.items() if those)
