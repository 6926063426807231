#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hold an SMTP dialogue and print it as telnet would show it: dialogue.py HOST PORT < lines.

Every line of standard input is sent once the server has answered the one before it; after DATA they are sent
without waiting up to the one that is a dot.
"""

import io
import socket
import sys
import time

TIMEOUT = 60.0  # seconds
RESTART = 10.0  # seconds


def connect(host: str, port: int) -> socket.socket:
    """Return a connection. A server that is being restarted, as after an installation, is waited for."""
    end = time.monotonic() + RESTART
    while True:
        try:
            return socket.create_connection((host, port), timeout=TIMEOUT)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def show_reply(server: io.BufferedIOBase) -> str:
    """Print the next reply, all its lines (RFC 5321 section 4.2.1), and return its code, empty at the end."""
    while line := server.readline().decode("utf-8", "replace").rstrip("\r\n"):
        print(line)
        if line[3:4] != "-":
            return line[:3]
    return ""


def main(host: str, port: str) -> None:
    """Hold the dialogue."""
    print(f"Trying {host}...")
    with (
        connect(host, int(port)) as connection,
        connection.makefile("rwb") as server,
    ):
        print(f"Connected to {host}.\nEscape character is '^]'.")
        code = show_reply(server)
        for line in sys.stdin.read().removesuffix("\n").split("\n"):
            if not code:
                break
            print(line)
            server.write(line.encode() + b"\r\n")
            server.flush()
            if code != "354" or line == ".":
                code = show_reply(server)
    print("Connection closed by foreign host." if not code else "Connection closed.")


if __name__ == "__main__":
    main(*sys.argv[1:])
