#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A spammer who guesses recipients: storm.py COUNT DOMAIN. Prints how often each answer came, as JSON."""

import collections
import json
import smtplib
import sys
from concurrent.futures import ThreadPoolExecutor

SESSIONS = 10


def session(number: int, count: int, domain: str) -> list[int]:
    """Return the answers to `count` recipients, a hundred in each message."""
    answers = []
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="spammer.example.org", timeout=120) as client:
        client.helo()
        for start in range(0, count, 100):
            client.rset()
            client.mail("spammer@example.org")
            answers += [client.rcpt(f"guess{number}-{each}@{domain}")[0] for each in range(start, start + 100)]
    return answers


def main(count: int, domain: str) -> None:
    """Hold all sessions at once."""
    with ThreadPoolExecutor(SESSIONS) as pool:
        runs = pool.map(lambda number: session(number, count // SESSIONS, domain), range(SESSIONS))
        print(json.dumps(collections.Counter(answer for run in runs for answer in run)))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
