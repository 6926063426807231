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

    When anything cannot be read, that is for somebody else to say.
    """
    root = root.rstrip("/")
    try:
        return _no_mail(root + QUEUE) and _no_outage(root + STATES, [root + path for path in DATABASES])
    except OSError:
        return False


def _no_mail(queue: str) -> bool:
    for part in ("todo", "remote"):
        for name in os.listdir(f"{queue}/{part}"):
            if not os.path.isdir(f"{queue}/{part}/{name}") or os.listdir(f"{queue}/{part}/{name}"):
                return False
    return True


def _no_outage(states: str, databases: list[str]) -> bool:
    with open(states, "rb") as file:
        begin = file.read(len(CLOSED) + 30)
    now = [os.stat(path).st_mtime_ns for path in databases if os.path.exists(path)]
    return begin.startswith(b"%b%d," % (CLOSED, now[0] if now else 0))


def root() -> str:
    """Return the prefix of every path, as `--root` or the environment gives it."""
    return os.environ.get("MXBACKUP_ROOT") or "/"
