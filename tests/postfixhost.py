# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with Postfix and without e-smith, in a scratch directory, with Debian's own programs."""

import json
import os
import time
from pathlib import Path

from tests.scratch import Scratch

DIRECTORY = "/etc/postfix/mxbackup"
MAIN = "/etc/postfix/main.cf"
DEFERRED = "/var/spool/postfix/deferred"
MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.durantcom.net
mydestination = $myhostname, durantcom.net, localhost
mynetworks = 127.0.0.0/8 [::1]/128
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
"""


def plain_postfix(root: Path, main_cf: str = MAIN_CF) -> Scratch:
    """Return the host. Nothing waits in its queue; another answer of postqueue is another /queue."""
    scratch = Scratch(root)
    scratch.write(MAIN, main_cf)
    scratch.write("/etc/postfix/master.cf", Path("/etc/postfix/master.cf").read_bytes())
    for program in ("postconf", "postmap"):
        scratch.script(f"/usr/sbin/{program}", f'exec /usr/sbin/{program} "$@"')
    scratch.script("/usr/sbin/postfix", "exit 0")
    scratch.path(DEFERRED).mkdir(parents=True, exist_ok=True)
    scratch.write("/queue")
    scratch.script("/usr/sbin/postqueue", f'cat "{scratch.root}/queue"')
    return scratch


def held(server: Scratch, ident: str, *recipients: str, arrival: int = 0, due: int = 0, **told: object) -> None:
    """Have postqueue list one message more, to be tried when it is `due`; `told` is what it says of it otherwise."""
    message = {
        "queue_name": "deferred", "queue_id": ident, "arrival_time": arrival or int(time.time()), "message_size": 300,
        "forced_expire": False, "sender": "anne@hotmail.com",
        "recipients": [{"address": to, "delay_reason": "connect to 192.0.2.25: refused"} for to in recipients], **told,
    }  # fmt: skip
    with server.path("/queue").open("a") as listing:
        print(json.dumps(message, ensure_ascii=False), file=listing)
    if message["queue_name"] == "deferred":
        path = f"{DEFERRED}/{ident[0]}/{ident}"
        server.write(path)
        os.utime(server.path(path), (due or time.time() + 300,) * 2)


def tables(server: Scratch) -> dict[str, str]:
    """The sources of our tables."""
    found = (path for path in server.path(DIRECTORY).iterdir() if not path.suffix)
    return {path.name: path.read_text() for path in found}
