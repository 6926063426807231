# SPDX-License-Identifier: GPL-2.0-or-later
"""`rcpthosts`: the names for which qmail-smtpd(8), and rcpt_ok of qpsmtpd, accept mail; without it, mail for all."""

from collections.abc import Iterator

from mxbackup.errors import Finding, FindingKind, HostError, Severity
from mxbackup.esmith.host import CONTROL, QPSMTPD_CONFIGS, Host
from mxbackup.esmith.settings import Settings
from mxbackup.rules import RuleSet, localmail
from mxbackup.targets import controllines
from mxbackup.targets.target import Target

NO_RCPTHOSTS = FindingKind(
    "open-relay", Severity.ERROR,
    "The file is missing, and qmail accepts the mail of the whole world then (open relay).",
    "Expand it, on a server without e-smith: mxbackup apply --create",
    source="qmail-smtpd(8)",
)  # fmt: skip
NOT_A_NAME = FindingKind(
    "not-a-name", Severity.WARNING,
    'qmail does not take the line: it is neither a name nor ".name".',
    "Mend it or take it out.",
    source="qmail rcpthosts.c",
)  # fmt: skip

_ENTRY = rf"\.?{controllines.HOST}\Z"


class Rcpthosts(Target):
    """A line is a name, or `.name` for all below it."""

    name = "rcpthosts"
    path = CONTROL / "rcpthosts"
    copies = tuple(config / "rcpthosts" for config in QPSMTPD_CONFIGS)  # SME 11
    template = "rcpthosts"
    readers = ("qmaild", "qpsmtpd")
    accepts, accepts_below = r"^([a-z0-9][^\s:]*)$", r"^\.(\S+)$"

    def lint(self, text: str | None, rules: RuleSet, settings: Settings) -> Iterator[Finding]:
        """Yield that it is missing, or lines that are not taken."""
        if text is None:
            yield NO_RCPTHOSTS.found(self.path)
        else:
            yield from controllines.dead(self.path, text, _ENTRY, NOT_A_NAME)


TARGET = Rcpthosts()


def made_of_local_names(host: Host, create: bool) -> str | None:
    """Return what a missing file begins with, if it may be made; None when it is there. Raises HostError."""
    if host.path(TARGET.path).exists():
        return None
    names = _received_here(host)
    if not create or not names:
        raise HostError(
            "{path} is missing: qmail accepts the mail of the whole world then (open relay). "
            "To make it of the names in me, locals and virtualdomains: mxbackup apply --create",
            path=TARGET.path,
        )
    return "".join(f"{name}\n" for name in names)


def _received_here(host: Host) -> list[str]:
    """Return what the file must hold for the mail that stays here: `virtualdomains` names no domain for the rest."""
    me, local, virtual = (localmail.entries(host.path(CONTROL / name)) for name in ("me", "locals", "virtualdomains"))
    kept = (key.rpartition("@")[2] for key, user in localmail.virtual_domains(virtual).items() if user)
    return list(dict.fromkeys(name for name in [*me, *local, *kept] if name))
