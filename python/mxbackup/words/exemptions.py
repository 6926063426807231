# SPDX-License-Identifier: GPL-2.0-or-later
"""How the mail systems that people have are told to take mail from a backup MX as it comes: by their documentation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import jinja2

from mxbackup.errors import Sentence

PLACEHOLDER = "ADDRESS"  # where ours is not known


@dataclass(frozen=True)
class System:
    """A mail system, and what is pasted there: the template of its name. `sources` are the documentation.

    `note` is what to mind, and `ipv6` whether its settings take such addresses.
    """

    name: str
    label: str
    sources: tuple[str, ...]
    note: Sentence = ""
    ipv6: bool = True

    def snippet(self, addresses: Iterable[str], server: str) -> str:
        """Return what is pasted, for these addresses of the backup MX of that name; empty where they are not taken."""
        taken = [address for address in addresses if self.ipv6 or ":" not in address]
        if not taken:
            return ""
        return _environment().get_template(f"{self.name}.j2").render(addresses=taken, server=server)


SYSTEMS: Sequence[System] = (
    System(
        "sme",
        "SME Server",
        ("https://wiki.koozali.org/Email_Whitelist-Blacklist_Control", "https://wiki.koozali.org/Fail2ban"),
        "With the contribs smeserver-wbl and smeserver-fail2ban; leave out the lines of one that you do not have.",
        ipv6=False,
    ),
    System(
        "qpsmtpd",
        "qpsmtpd",
        ("https://github.com/smtpd/qpsmtpd/blob/master/plugins/whitelist",),
        "An entry also stands for every address that begins like it, and qpsmtpd takes mail for any domain from "
        "there: the backup brings none but yours.",
    ),
    System(
        "postfix",
        "Postfix",
        ("https://www.postfix.org/postconf.5.html", "https://www.postfix.org/POSTSCREEN_README.html"),
        "For Postfix 2.10 and later. Who may relay is decided by smtpd_relay_restrictions, which stays as it is and "
        "must not be empty.",
    ),
    System(
        "rspamd",
        "rspamd",
        (
            "https://rspamd.com/doc/modules/external_relay.html",
            "https://rspamd.com/doc/configuration/options.html",
        ),
        "SPF, DMARC and block lists then no longer judge the backup; they judge the client that brought it the mail, "
        "where rspamd finds its address in the header.",
    ),
    System(
        "spamassassin",
        "SpamAssassin",
        ("Mail::SpamAssassin::Conf(3)", "https://wiki.apache.org/spamassassin/TrustPath"),
        "Block lists then judge the client that brought the mail to the backup, and SPF does not judge the backup. If "
        "there are no such lines yet, name the networks of your own servers in both, too.",
    ),
    System(
        "fail2ban",
        "fail2ban",
        ("jail.conf(5)",),
        "If there is such a line, add the addresses to it.",
    ),
    System(
        "microsoft365",
        "Microsoft 365",
        (
            "https://learn.microsoft.com/powershell/module/exchange/set-inboundconnector",
            "https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/"
            "enhanced-filtering-for-connectors",
        ),
        "Enhanced filtering for connectors then judges the client that brought the mail to the backup.",
        ipv6=False,
    ),
    System(
        "exchange",
        "Exchange Server",
        ("https://learn.microsoft.com/powershell/module/exchange/set-transportconfig",),
    ),
)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("mxbackup", "templates/letter/systems"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - these are commands and configuration of IP addresses and a host name
        trim_blocks=True,
        lstrip_blocks=True,
    )
