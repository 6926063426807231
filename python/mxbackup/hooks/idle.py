# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether `tend`, which runs every minute, has nothing to do: told without loading anything.

Works on paths as texts, because even pathlib takes longer to load than this takes.
"""

import os

QUEUE = "/var/qmail/queue"
MAIN_CF = "/etc/postfix/main.cf"
POSTFIX_QUEUE = "/var/spool/postfix"
POSTFIX_PARTS = ("deferred", "incoming", "active", "hold", "maildrop")
STATES = "/var/lib/mxbackup/outages.json"
CLOSED = b'{"version": 1, "open": false, "seen": '
DATABASES = ("/home/e-smith/db/domains", "/etc/mxbackup/domains")


def is_idle(root: str) -> bool:
    """Whether no queue holds anything for elsewhere, no outage lasts, and no rule came or went since the last look.

    Or there is no queue, and the last look has said so. When anything cannot be read, that is for others to say.
    """
    root = root.rstrip("/")
    try:
        qmail, postfix = os.path.exists(root + QUEUE), os.path.exists(root + MAIN_CF)
        if (qmail and not _no_mail(root + QUEUE)) or (postfix and not _no_mail_of_postfix(root)):
            return False
        return _closed(root + STATES, [root + path for path in DATABASES], troubled=not (qmail or postfix))
    except OSError:
        return False


def _no_mail(queue: str) -> bool:
    for part in ("todo", "remote"):
        for name in os.listdir(f"{queue}/{part}"):
            if not os.path.isdir(f"{queue}/{part}/{name}") or os.listdir(f"{queue}/{part}/{name}"):
                return False
    return True


def _no_mail_of_postfix(root: str) -> bool:
    """Whether it holds nothing at all, where its queue lies in the usual place."""
    with open(root + MAIN_CF, "rb") as file:
        said = [line.split(b"=", 1)[1].strip() for line in file if line.split(b"=")[0].strip() == b"queue_directory"]
    return said in ([], [POSTFIX_QUEUE.encode()]) and all(
        _is_empty(f"{root}{POSTFIX_QUEUE}/{part}") for part in POSTFIX_PARTS
    )


def _is_empty(directory: str) -> bool:
    """Whether there is no file in the directory; those below it are the split."""
    with os.scandir(directory) as entries:
        return all(entry.is_dir(follow_symlinks=False) and _is_empty(entry.path) for entry in entries)


def _closed(states: str, databases: list[str], *, troubled: bool) -> bool:
    with open(states, "rb") as file:
        begin = file.read(len(CLOSED) + 60)
    now = [os.stat(path).st_mtime_ns for path in databases if os.path.exists(path)]
    expected = b'%b%d, "trouble": "' % (CLOSED, now[0] if now else 0)
    return begin.startswith(expected) and begin.startswith(expected + b'"') != troubled


def root() -> str:
    """Return the prefix of every path, as `--root` or the environment gives it."""
    return os.environ.get("MXBACKUP_ROOT") or "/"
