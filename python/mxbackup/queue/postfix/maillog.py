# SPDX-License-Identifier: GPL-2.0-or-later
"""What the log says that Postfix gave up: refused by a primary for good, or kept too long.

It is a file of syslog or of postlogd(8), the newest one. Where there is none, as with journald alone, nothing is known.
"""

import os
import re
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mxbackup.queue.mailqueue import Failure

LOGS = (Path("/var/log/mail.log"), Path("/var/log/maillog"))
LIMIT = 8 * 1024 * 1024  # bytes, from the newest on
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# The stamp of rsyslog, old or new; the program; the queue ID. What a stranger's server said stands behind the status.
_LINE = re.compile(
    r"(?:(\w{3} [ \d]\d [\d:]{8})|(\d{4}-\d\d-\d\dT[\d:]{8})\S*) \S+ postfix[\w/-]*/(\w+)\[\d+\]: (\w+): "
    r'(?:to=<([^ "]*)>,|from=<[^ ]*>,) (?:[a-z_]+=[^ ]* )*status=(sent|bounced|deferred|expired)\b'
)


def parse(lines: Iterable[str], now: float) -> list[Failure]:
    """Return what these lines, oldest first, say that was given up; stamps are local, an old one has no year."""
    waiting: dict[str, set[str]] = {}
    found = []
    for line in lines:
        if not (said := _LINE.match(line)):
            continue
        old, new, _, ident, address, status = said.groups()
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


def read(paths: Iterable[Path], now: float) -> list[Failure]:
    """Return what the first of the files that is there says; nothing where none can be read."""
    for path in paths:
        try:
            descriptor = os.open(path, _OPEN)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LIMIT))
            return parse(file.read(LIMIT).decode("utf-8", "replace").split("\n"), now)
    return []


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
