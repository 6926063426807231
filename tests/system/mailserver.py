#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail servers to be found by the checks: mailserver.py ADDRESS[:PORT]=MODE..., on port 25 by default.

MODE is accept, refuse (every recipient, 550), defer (every recipient, 450) or garbage (no SMTP at all).
"""

import socketserver
import sys
import threading

ANSWERS = {"accept": "250 ok", "refuse": "550 go away", "defer": "450 come back later"}


class Session(socketserver.StreamRequestHandler):
    """One connection."""

    server: "Server"

    def handle(self) -> None:
        mode = self.server.mode
        if mode == "garbage":
            self.say("SSH-2.0-mistaken")
            return
        self.say("220 mail.dupontnet.com ESMTP")
        for line in self.rfile:
            match line.split()[0].upper().decode():
                case "RCPT":
                    self.say(ANSWERS[mode])
                case "DATA":
                    self.say("354 go ahead")
                    while self.rfile.readline() not in (b".\r\n", b""):
                        pass
                    self.say("250 taken")
                case "QUIT":
                    self.say("221 Good bye.")
                    return
                case _:
                    self.say("250 ok")

    def say(self, line: str) -> None:
        """Send a line."""
        self.wfile.write(f"{line}\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    """One address."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, mode: str) -> None:
        self.mode = mode
        host, _, port = address.partition(":")
        super().__init__((host, int(port or 25)), Session)


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    servers = [Server(*argument.split("=")) for argument in arguments]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main(sys.argv[1:])
