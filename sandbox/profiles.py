# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers that the sandbox can be: SME Servers, and the Debian machine with Postfix that is none."""

from dataclasses import dataclass

DEFAULT = "sme7"
COMMON = (
    "e-smith-base = 4.18",
    "e-smith-lib = 1.18",
    # The machine's own stands in, as its perl does: whoever tries the contrib need not wait for ours to be compiled.
    "smeserver-mxbackup-python = 3.11",
)

QMAIL_LOG = "/var/log/qmail-restarts"


@dataclass(frozen=True)
class Profile:
    """What makes one SME release different from the others, as far as a mail contrib can see.

    release: the SME version it stands for.
    parts: directories below `base/parts`, laid over `base/root` in the base package.
    services: what the base package starts from `/var/service`, with the sign that it is up: a port or a file.
    provides: capabilities of the base package besides `COMMON`, in the words of the spec file.
    absent: commands of the Debian machine that this release does not have.
    esmith: whether the base package is installed at all; without it the parts are laid over the machine as they are.
    """

    release: str
    parts: tuple[str, ...]
    services: dict[str, int | str]
    provides: tuple[str, ...]
    absent: tuple[str, ...]
    esmith: bool = True


RUNIT = ("/usr/bin/sv",)
DAEMONTOOLS = ("/usr/bin/svc", "/usr/bin/svok", "/usr/bin/svstat")
SYSTEMD = ("/usr/bin/systemctl",)

# Names until 2024, when all became smeserver-*, of which some do not provide the old one.
ESMITH = ("e-smith-email = 4.18", "e-smith-manager = 1.14")

PROFILES = {
    "sme5": Profile(
        release="5.1.2",
        parts=("initd", "qmail", "obtuse"),
        services={"qmail": QMAIL_LOG},
        provides=(*ESMITH, "e-smith-qmail = 1.4", "obtuse-smtpd = 2.0"),
        absent=RUNIT + DAEMONTOOLS + SYSTEMD,
    ),
    "sme55": Profile(
        release="5.5",
        parts=("initd", "qmail", "mailfront"),
        services={"qmail": QMAIL_LOG, "mailfront": 25},
        provides=(*ESMITH, "e-smith-qmail = 1.5"),
        absent=RUNIT + DAEMONTOOLS + SYSTEMD,
    ),
    "sme6": Profile(
        release="6.0.1",
        parts=("daemontools", "qmail", "smtproutes", "mailfront"),
        services={"qmail": QMAIL_LOG, "mailfront": 25},
        provides=(*ESMITH, "e-smith-qmail = 1.7", "e-smith-mailfront = 1.2"),
        absent=RUNIT + SYSTEMD,
    ),
    "sme7": Profile(
        release="7.3",
        parts=("runit", "qmail", "smtproutes", "qpsmtpd", "mailfront", "manager", "suidperl"),
        services={"qmail": QMAIL_LOG, "qpsmtpd": 25, "mailfront": 2525, "httpd-admin": 980},
        provides=(*ESMITH, "e-smith-qmail = 1.10", "smeserver-qpsmtpd = 1.2", "e-smith-mailfront = 1.4"),
        absent=DAEMONTOOLS + SYSTEMD,
    ),
    "sme10": Profile(
        release="10.1",
        parts=("runit", "systemctl", "qmail", "smtproutes", "qpsmtpd", "manager", "wrapper", "smanager", "updates"),
        services={"qmail": QMAIL_LOG, "qpsmtpd": 25, "httpd-admin": 980, "smanager": 982},
        provides=(*ESMITH, "e-smith-qmail = 2.6", "smeserver-qpsmtpd = 2.7", "smeserver-yum = 2.6"),
        absent=DAEMONTOOLS,
    ),
    "sme11": Profile(
        release="11.0",
        parts=("systemd", "systemctl", "qpsmtpd", "postfix", "manager", "wrapper", "smanager", "updates"),
        services={
            "qpsmtpd": 25,
            "sqpsmtpd": 465,
            "uqpsmtpd": 587,
            "postfix": "/var/spool/postfix/public/cleanup",
            "httpd-admin": 980,
            "smanager": 982,
        },
        provides=(
            "smeserver-base = 11.0",
            "smeserver-lib = 11.0",
            "smeserver-qpsmtpd = 11.0",
            "smeserver-postfix = 1.0",
        ),
        absent=RUNIT + DAEMONTOOLS,
    ),
    "postfix": Profile(
        release="",
        parts=("debian",),
        services={"postfix": 25},
        provides=(),
        absent=(),
        esmith=False,
    ),
}
