# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of server, and what differs between them: the files that we contribute to, how a change comes into force,
the mail system. Nobody else asks which kind a server is of.

`kind` is what all of them answer; `plain` what those without e-smith share, `postfix_sends` those whose mail Postfix
sends; `esmith`, `esmith_postfix`, `plain_qmail` and `postfix` are one kind each, and the next is one more, and a line
in `kind_of`. `maincf` is what Postfix has to be told, `sending` what it is told of where mail goes. May import `queue`
and what is below it. Every event loads this, so a kind is imported where it is met.
"""

from contextlib import suppress

from mxbackup.errors import DatabaseError
from mxbackup.esmith import settings
from mxbackup.esmith.database import Database
from mxbackup.esmith.host import POSTFIX, Host
from mxbackup.hosts.kind import HostKind

__all__ = ["HostKind", "kind_of"]


def kind_of(host: Host) -> HostKind:
    """Return the kind of this host. One that is no mail server at all is an SME Server whose databases are missing."""
    if host.plain and not host.has_qmail:
        from mxbackup.hosts.postfix import PlainPostfix

        return PlainPostfix(host)
    if host.plain:
        from mxbackup.hosts.plain_qmail import PlainQmail

        return PlainQmail(host)
    if _by_postfix(host):
        from mxbackup.hosts.esmith_postfix import EsmithPostfix

        return EsmithPostfix(host)
    from mxbackup.hosts.esmith import Esmith

    return Esmith(host)


def _by_postfix(host: Host) -> bool:
    """Whether e-smith has Postfix send the mail, as its record in `configuration` says."""
    found = Database()
    if host.path(POSTFIX / "main.cf").is_file():
        with suppress(DatabaseError):  # told where it is read for what it says
            found = host.store("configuration").read()
    return settings.sends_by_postfix(found)
