# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with Postfix and without e-smith, in a scratch directory, with Debian's own programs."""

from pathlib import Path

from tests.scratch import Scratch

DIRECTORY = "/etc/postfix/mxbackup"
MAIN = "/etc/postfix/main.cf"
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
    scratch.write("/queue")
    scratch.script("/usr/sbin/postqueue", f'cat "{scratch.root}/queue"')
    return scratch


def tables(server: Scratch) -> dict[str, str]:
    """The sources of our tables."""
    found = (path for path in server.path(DIRECTORY).iterdir() if not path.suffix)
    return {path.name: path.read_text() for path in found}
