# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's server: what filters mail there, asked by the backup about mail that somebody else wrote.

The backup is 192.0.2.10, which is on the block list bl.test and may not send for sender.test; 203.0.113.9 may, and
brought it the mail. 203.0.113.66 is on the list too. All are addresses of one machine.
"""

from pathlib import Path

from mxbackup.words import exemptions
from tests.nameserver import configuration
from tests.system.machine import Sandbox, wait_until

BACKUP, CLIENT, OWN = "192.0.2.10", "203.0.113.9", "192.0.2.25"
NAME = "mail.durantcom.net"
ZONES = {
    "sender.test": f'@ TXT "v=spf1 ip4:{CLIENT} -all"\n@ MX 10 mail\nmail A {CLIENT}\n',
    "bl.test": "10.2.0.192 A 127.0.0.2\n10.2.0.192 TXT listed\n66.113.0.203 A 127.0.0.2\n",
    "dupontnet.com": f"@ MX 0 mail\nmail A {OWN}\n",
    "durantcom.net": f"mail A {BACKUP}\n",
    "in-addr.arpa": f"10.2.0.192 PTR {NAME}.\n9.113.0.203 PTR mail.sender.test.\n",
}
# What the mail programs of the backup write; qmail adds its own line before that of what took the mail in.
RECEIVED = {
    "qmail": f"""\
Received: (qmail 27033 invoked from network); 9 Mar 2004 21:27:51 -0000
Received: from mail.sender.test (HELO mail.sender.test) ({CLIENT})
  by {NAME} ({BACKUP}) with SMTP; 09 Mar 2004 21:27:51 -0000
""",
    "qpsmtpd": f"""\
Received: (qmail 27033 invoked by alias); 9 Mar 2004 21:27:51 -0000
Received: from mail.sender.test (HELO mail.sender.test) ({CLIENT})
    by {NAME} (qpsmtpd/0.94) with ESMTP; Tue, 09 Mar 2004 21:27:51 +0000
""",
    "postfix": f"""\
Received: from mail.sender.test (mail.sender.test [{CLIENT}])
\tby {NAME} (Postfix) with ESMTP id 4WkX0w1xq2z9s
\tfor <jean@dupontnet.com>; Tue, 09 Mar 2004 21:27:51 +0000 (UTC)
""",
}
MESSAGE = """\
From: anne@sender.test
To: jean@dupontnet.com
Date: Tue, 09 Mar 2004 21:00:00 +0000
Message-ID: <1@sender.test>
Subject: Essai

Essai particulierement brillant !
"""
BRING = f"""\
import smtplib, sys
try:
    with smtplib.SMTP("{OWN}", 25, "{NAME}", 30, ("{BACKUP}", 0)) as server:
        server.sendmail("anne@sender.test", [sys.argv[1]], sys.stdin.read())
except smtplib.SMTPResponseException as refusal:
    print(refusal.smtp_code)
except smtplib.SMTPRecipientsRefused as refusal:
    print(refusal.recipients[sys.argv[1]][0])
else:
    print(250)
"""


class Friend:
    """The machine of the owner."""

    def __init__(self) -> None:
        self.machine = Sandbox("friend", "postfix")
        for zone, records in ZONES.items():
            soa = "@ SOA ns.dupontnet.com. h 1 60 60 60 60\n@ NS ns.dupontnet.com.\n"
            self.machine.write(f"/run/knot/{zone}.zone", f"$ORIGIN {zone}.\n$TTL 60\n{soa}{records}")
        self.machine.write("/run/knot/conf", configuration("/run/knot", "127.0.0.1@53", ZONES))
        self.machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.machine.sh("".join(f"ip addr add {address}/32 dev lo\n" for address in (BACKUP, CLIENT, OWN)))
        self.machine.run(["postfix", "stop"])
        self.start("knotd -c /run/knot/conf", "127.0.0.1", 53)

    def start(self, command: str, address: str, port: int) -> None:
        """Start a program, and wait until it listens."""
        self.machine.sh(f"setsid {command} < /dev/null > /run/started.log 2>&1 & echo $! > /run/started.pid")
        wait_until(lambda: self.answers(address, port))

    def end(self, address: str, port: int) -> None:
        """End the program that was started last, and wait until nothing listens."""
        self.machine.sh("kill $(cat /run/started.pid)")
        wait_until(lambda: not self.answers(address, port))

    def answers(self, address: str, port: int) -> bool:
        """Whether something accepts connections there."""
        probe = f"import socket; socket.create_connection(('{address}', {port}), 1)"
        return self.machine.run(["python3", "-c", probe], check=False).returncode == 0

    def bring(self, recipient: str = "jean@dupontnet.com") -> int:
        """Have the backup bring the mail by SMTP; return the code of the reply that decides."""
        message = RECEIVED["qmail"] + MESSAGE
        return int(self.machine.run(["python3", "-c", BRING, recipient], input=message).stdout)

    def answers_with(self, code: int) -> bool:
        """Whether the mail gets this reply."""
        return self.bring() == code

    def paste(self, system: str, place: str = "/") -> None:
        """Do what the letter says for a system: commands, or lines for files, which lie below `place`."""
        [snippet] = [one.snippet([BACKUP], NAME) for one in exemptions.SYSTEMS if one.name == system]
        if not snippet.startswith("# "):
            self.machine.sh(f"set -e\n{snippet}")
            return
        for part in snippet.split("\n\n"):
            first, _, lines = part.partition("\n")
            path = Path(place) / first.removeprefix("# ").partition(":")[0]
            self.machine.sh(f"mkdir -p {path.parent}; touch {path}; mv {path} {path}.before")
            self.machine.write(str(path), f"{lines}\n{self.machine.read(f'{path}.before')}")
