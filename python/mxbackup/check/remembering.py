# SPDX-License-Identifier: GPL-2.0-or-later
"""The last known state of each rule kept, and the mail that goes to the administrator when one changes."""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from pathlib import Path

from mxbackup.check import states
from mxbackup.check.collecting import Report
from mxbackup.errors import HostError, Sentence
from mxbackup.esmith.database import Database, Store
from mxbackup.esmith.settings import Settings
from mxbackup.rules import names
from mxbackup.words import about_checks
from mxbackup.words.lexicon import Lexicon

SENDMAIL = Path("/usr/sbin/sendmail")
LOCK = Path("/var/lock/mxbackup-check")
SENDING_LIMIT = 60  # seconds
ERROR = "error"

Send = Callable[[EmailMessage], None]


def remember(
    store: Store, reports: Sequence[Report], *, all_rules: bool, announce: Callable[[Sequence[Report]], None]
) -> None:
    """Record the states, after `announce` was given the reports that turned from fine to error, or back.

    What could not be checked stays as it was. With `all_rules` what is no rule any more is forgotten. When `announce`
    raises nothing is recorded, so that the next time announces it. Raises DatabaseError.
    """
    before = states.remembered(store)
    known = [report for report in reports if report.checked]
    if turned := [report for report in known if _turned(before.get(report.name), report)]:
        announce(turned)
    keep = {report.name for report in reports} if all_rules else None
    store.update(lambda database: _record(database, known, keep))


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the lock of the check that remembers. Raises HostError at once when another one holds it."""
    import fcntl  # here, because the module must load where there is no Unix

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError("{path} cannot be locked: {reason}.", path=lock, reason=error.strerror) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HostError("Another check with --remember is running. Wait for its end.") from error
        yield
    finally:
        os.close(descriptor)


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


def _record(database: Database, reports: Iterable[Report], keep: Collection[str] | None) -> None:
    """Record the reports; with `keep` forget all names but those."""
    now = str(int(time.time()))
    for report in reports:
        database.set(report.name, report.state, {"Codes": ",".join(report.codes) or None, "Time": now})
    for name in states.read(database).keys() - keep if keep is not None else ():
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
