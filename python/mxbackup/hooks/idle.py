# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether `tend`, which runs every minute, has nothing to do: told without loading anything.

Works on paths as texts, because even pathlib takes longer to load than this takes.
"""

import os

QUEUE = "/var/qmail/queue"
STATES = "/var/lib/mxbackup/outages.json"
CLOSED = b'{"version": 1, "open": false, "seen": '
DATABASES = ("/home/e-smith/db/domains", "/etc/mxbackup/domains")


def is_idle(root: str) -> bool:
    """Whether the queue holds nothing for elsewhere, no outage lasts, and no rule came or went since the last look.

    Or there is no queue, and the last look has said so. When anything cannot be read, that is for others to say.
    """
    root = root.rstrip("/")
    try:
        there = os.path.exists(root + QUEUE)
        if there and not _no_mail(root + QUEUE):
            return False
        return _closed(root + STATES, [root + path for path in DATABASES], troubled=not there)
    except OSError:
        return False


def _no_mail(queue: str) -> bool:
    for part in ("todo", "remote"):
        for name in os.listdir(f"{queue}/{part}"):
            if not os.path.isdir(f"{queue}/{part}/{name}") or os.listdir(f"{queue}/{part}/{name}"):
                return False
    return True


def _closed(states: str, databases: list[str], *, troubled: bool) -> bool:
    with open(states, "rb") as file:
        begin = file.read(len(CLOSED) + 60)
    now = [os.stat(path).st_mtime_ns for path in databases if os.path.exists(path)]
    expected = b'%b%d, "trouble": "' % (CLOSED, now[0] if now else 0)
    return begin.startswith(expected) and begin.startswith(expected + b'"') != troubled


def root() -> str:
    """Return the prefix of every path, as `--root` or the environment gives it."""
    return os.environ.get("MXBACKUP_ROOT") or "/"
