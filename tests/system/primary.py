#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A primary mail server whose mood can be changed: primary.py ADDRESS MOOD-FILE LOG.

It has the users of USERS. The log gets the time and the address of every RCPT. The mood is read at each connection:
well, hanging (says nothing), closing (421), greylisting (450 to every recipient), refusing (550 5.7.1 to MAIL and
RCPT, as to a client that is blocked) or accepting (250 to every recipient). A mood that is a reply is said to every
recipient but postmaster, and after the word "all" to that one too.
"""

import socketserver
import sys
import time
from pathlib import Path

USERS = ("jean", "anne", "postmaster")
HANGING = 60.0  # seconds
ANSWERS = {"greylisting": "450 4.7.1 come back later", "refusing": "550 5.7.1 you are blocked", "accepting": "250 ok"}


class Session(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        mood = Path(sys.argv[2]).read_text("utf-8").strip()
        if mood == "hanging":
            time.sleep(HANGING)
            return
        self.say("421 too busy" if mood == "closing" else "220 primary ESMTP")
        for line in self.rfile if mood != "closing" else ():
            match line.decode().split()[0].upper():
                case "RCPT":
                    self.say(self.judge(line.decode().partition("<")[2].partition(">")[0], mood))
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def judge(self, address: str, mood: str) -> str:
        """Note the question and return the answer to it."""
        with Path(sys.argv[3]).open("a") as log:
            log.write(f"{time.time():.3f} {address}\n")
        local = address.partition("@")[0]
        if mood.startswith("all "):
            return mood.removeprefix("all ")
        if mood[0].isdigit() and local != "postmaster":
            return mood
        known = local in USERS
        return ANSWERS.get(mood, "250 2.1.5 ok" if known else "550 5.1.1 no such user")

    def say(self, line: str) -> None:
        """Send a line."""
        self.wfile.write(f"{line}\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    """Serves several clients at once."""

    daemon_threads = True
    allow_reuse_address = True


if __name__ == "__main__":
    Server((sys.argv[1], 25), Session).serve_forever()
