# SPDX-License-Identifier: GPL-2.0-or-later
"""What Postfix logs: what it gave up, refused by a primary for good or kept too long, and what became of one message.

The log is a file of syslog or of postlogd(8), the newest one; where there is none, it is the journal of systemd.
"""

import os
import re
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mxbackup.errors import HostError
from mxbackup.esmith import printable
from mxbackup.esmith.commands import Running, one_line
from mxbackup.esmith.host import COMMAND_LIMIT, Host
from mxbackup.queue.mailqueue import Attempt, Ending, Failure

LOGS = (Path("/var/log/mail.log"), Path("/var/log/maillog"))
JOURNAL = Path("/usr/bin/journalctl")
JOURNAL_LINES = 40_000  # the newest, of the facility mail
LIMIT = 8 * 1024 * 1024  # bytes, from the newest on
TEXT = 500  # characters of an answer that are kept
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# The stamp of rsyslog, old or new; the program; the queue ID. What a stranger's server said stands behind the status.
_LINE = re.compile(
    r"(?:(\w{3} [ \d]\d [\d:]{8})|(\d{4}-\d\d-\d\dT[\d:]{8})\S*) \S+ postfix[\w/-]*/(\w+)\[\d+\]: (\w+): "
    r'(?:to=<([^ "]*)>,|from=<[^ ]*>,) (?:[a-z_]+=[^ ]* )*status=(sent|bounced|deferred|expired)\b(?: \((.*)\))?'
)
_FROM = re.compile(r".* postfix[\w/-]*/qmgr\[\d+\]: (\w+): from=<([^ >]*)>, size=")
_ENDINGS = {"sent": Ending.ACCEPTED, "deferred": Ending.DEFERRED, "bounced": Ending.REFUSED}


def parse(lines: Iterable[str], now: float) -> list[Failure]:
    """Return what these lines, oldest first, say that was given up; stamps are local, an old one has no year."""
    waiting: dict[str, set[str]] = {}
    found = []
    for line in lines:
        if not (said := _LINE.match(line)):
            continue
        old, new, _, ident, address, status, _ = said.groups()
        if status == "expired":
            names = sorted({_name(left) for left in waiting.pop(ident, ())})
            found += [Failure(_seconds(old, new, now), ident, name, expired=True) for name in names]
        elif status == "deferred" and address:
            waiting.setdefault(ident, set()).add(address)
        elif address:
            waiting.get(ident, set()).discard(address)
            if status == "bounced":
                found.append(Failure(_seconds(old, new, now), ident, _name(address)))
    return found


def attempt(lines: Iterable[str], sender: str) -> Attempt | None:
    """Return how the last delivery of the message with this envelope sender ended, if any has."""
    message, last = "", None
    for line in lines:
        if (begun := _FROM.match(line)) and begun[2] == sender:
            message = begun[1]
        elif message and (said := _LINE.match(line)) and said[4] == message and said[6] in _ENDINGS:
            last = Attempt(_ENDINGS[said[6]], printable.line(said[7] or "")[:TEXT])
    return last


def read(host: Host, paths: Iterable[Path]) -> list[str]:
    """Return the newest lines, oldest first, of the first of these files that can be read, else of the journal.

    Raises HostError when there is none of them.
    """
    for path in paths:
        try:
            descriptor = os.open(path, _OPEN)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LIMIT))
            return file.read(LIMIT).decode("utf-8", "replace").split("\n")
    options = ["SYSLOG_FACILITY=2", f"--lines={JOURNAL_LINES}", "--quiet", "--no-pager", "--output=short"]
    done = Running([host.path(JOURNAL), *options], {}).end(COMMAND_LIMIT, LIMIT)
    if done.status:
        raise HostError("{command} failed: {reason}", command=JOURNAL.name, reason=one_line(done.errors))
    return done.out.split("\n")


def _name(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _seconds(old: str | None, new: str | None, now: float) -> int:
    """Return the time of a stamp; 0 for what is none, or of the 29th of February in another year."""
    try:
        if new:
            return int(datetime.fromisoformat(new).timestamp())
        year = time.localtime(now).tm_year
        this = _of_year(old, year)
        return this if this <= now + 86_400 else _of_year(old, year - 1)
    except (ValueError, OverflowError):
        return 0


def _of_year(stamp: str | None, year: int) -> int:
    return int(time.mktime(time.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S")))
