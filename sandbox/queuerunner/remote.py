# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-remote does: SMTP, and the memory of connections that timed out. qmail-remote.c and tcpto.c."""

import errno
import fcntl
import os
import smtplib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from .layout import Clock, name_of
from .runner import DEFERRAL, FAILURE, SUCCESS, Result

NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"

Route = Callable[[str], list[tuple[str, int]]]
"""Takes a name and gives the addresses and ports to try, the best first. Raises OSError for a temporary failure."""


@dataclass
class Remote:
    """Delivers over SMTP as qmail-remote does; call it. `connect` and `talk` are the limits of patience."""

    queue: Path
    route: Route
    me: str = "localhost"
    clock: Clock = time.time
    connect: float = 60
    talk: float = 1200

    def __call__(self, message: Path, sender: str, recipient: str) -> Result:
        """Deliver to one recipient."""
        try:
            targets = self.route(name_of(recipient))
        except OSError:
            return Result(DEFERRAL, "CNAME lookup failed temporarily. (#4.4.3)\n")
        if not targets:
            return Result(FAILURE, "Sorry, I couldn't find any host by that name. (#4.1.2)\n")
        for address, port in targets:
            if self._skipped(address):
                continue
            try:
                connection = socket.create_connection((address, port), self.connect)
            except OSError as error:
                timed_out = isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT
                self._note(address, timed_out=timed_out)
                continue
            self._note(address, timed_out=False)
            with connection:
                connection.settimeout(self.talk)
                return self._talk(connection, address, message, sender, recipient)
        return Result(DEFERRAL, NO_CONNECTION)

    def _talk(self, connection: socket.socket, address: str, message: Path, sender: str, recipient: str) -> Result:
        smtp = smtplib.SMTP()
        smtp.sock = connection
        steps = (
            (smtp.getreply, "but greeting failed", False),
            (lambda: smtp.docmd("HELO", self.me), "but my name was rejected", False),
            (lambda: smtp.docmd("MAIL", f"FROM:<{sender}>"), "but sender was rejected", True),
            (lambda: smtp.docmd("RCPT", f"TO:<{recipient}>"), "does not like recipient", True),
            (lambda: smtp.docmd("DATA"), "failed on DATA command", True),
            (lambda: self._send(smtp, message), "failed after I sent the message", True),
        )
        try:
            for step, complaint, may_fail in steps:
                code, reply = step()
                if code >= 400:
                    with suppress(smtplib.SMTPException, OSError):
                        smtp.docmd("QUIT")
                    connected = "Connected to " if complaint.startswith("but") else ""
                    report = f"{connected}{address} {complaint}.\n{_said(code, reply)}Giving up on {address}.\n"
                    return Result(FAILURE if code >= 500 and may_fail else DEFERRAL, report)
            with suppress(smtplib.SMTPException, OSError):
                smtp.docmd("QUIT")
        except (smtplib.SMTPException, OSError):
            return Result(DEFERRAL, f"Connected to {address} but connection died. (#4.4.2)\n")
        return Result(SUCCESS, f"{address} accepted message.\n{_said(code, reply)}")

    def _send(self, smtp: smtplib.SMTP, message: Path) -> tuple[int, bytes]:
        lines = message.read_bytes().removesuffix(b"\n").split(b"\n")
        dotted = [b"." + line if line.startswith(b".") else line for line in lines]
        smtp.send(b"\r\n".join(dotted) + b"\r\n.\r\n")
        return smtp.getreply()

    def _skipped(self, address: str) -> bool:
        found = self._record(address)
        return found is not None and found[1] >= 2 and self.clock() - found[2] < (60 + (os.getpid() & 31)) << 6

    def _record(self, address: str) -> tuple[int, int, int] | None:
        """Return the place of an address in tcpto, its count and its time."""
        with (self.queue / "lock/tcpto").open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return next((record[:3] for record in _records(file.read(1024)) if record[3] == address), None)

    def _note(self, address: str, timed_out: bool) -> None:
        """Record that a connection timed out, or that one did not: tcpto_err() of tcpto.c."""
        with (self.queue / "lock/tcpto").open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            records = list(_records(file.read(1024)))
            place, count, when = next((record[:3] for record in records if record[3] == address), (None, 0, 0))
            now = int(self.clock())
            if place is None and not timed_out:
                return
            if timed_out and count and now < 120 + when:
                return
            if place is None:
                free = [record[0] for record in records if not record[1]]
                oldest = min(records, key=lambda record: record[2] + (record[1] << 10))[0]
                place = free[0] if free else oldest
            file.seek(place)
            count, when = (min(count + 1, 10), now) if timed_out else (0, when)
            file.write(struct.pack("<4sB3xQ", IPv4Address(address).packed, count, when))


def _records(contents: bytes) -> Iterator[tuple[int, int, int, str]]:
    for at, (ip, count, when) in enumerate(struct.iter_unpack("<4sB3xQ", contents)):
        yield 16 * at, count, when, str(IPv4Address(ip))


def _said(code: int, reply: bytes) -> str:
    return f"Remote host said: {code} {reply.decode('latin-1')}\n"
