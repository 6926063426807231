# SPDX-License-Identifier: GPL-2.0-or-later
"""What this server's `configuration` and `domains` say about itself."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from mxbackup.esmith.database import Database, Record
from mxbackup.rules.localmail import LocalMail

SERVICE_KEY = "mxbackup"
PUBLIC_ADDRESS = "PublicAddress"


@dataclass(frozen=True)
class Settings:
    """`smarthost` is `host[:port]`, or empty; the names are as the databases have them, in lower case.

    `public_addresses` are those that lead to this server from outside where it stands behind NAT. `language` is the
    server's, as in `fr_FR.UTF-8`. `routes` is whether the routes of rules count here: Postfix has its own, and some
    hosts have no template for `smtproutes`. `qmail` is what its control files say of the mail that stays here.
    `administrator` is the mailbox of whom this server tells what is wrong.
    """

    enabled: bool = True
    smarthost: str = ""
    postfix: bool = False
    domain_name: str = ""
    system_name: str = ""
    local_domains: frozenset[str] = frozenset()
    public_addresses: frozenset[str] = frozenset()
    language: str = ""
    administrator: str = "admin"
    routes: bool = True
    qmail: LocalMail = field(default_factory=LocalMail)

    @cached_property
    def local(self) -> LocalMail:
        """What this server delivers itself, by its databases and by qmail's control files, or what is the server."""
        own = {self.domain_name, f"{self.system_name}.{self.domain_name}"} if self.domain_name else set()
        return replace(self.qmail, names=self.qmail.names | self.local_domains | own)


def from_databases(configuration: Database, domains: Database) -> Settings:
    """Return the settings. A server without the `mxbackup` record has it enabled, which is the default."""
    service = configuration.get(SERVICE_KEY)
    return Settings(
        enabled=service is None or service.properties.get("status", "enabled") == "enabled",
        smarthost=_smarthost(configuration),
        postfix=sends_by_postfix(configuration),
        domain_name=_value(configuration, "DomainName").lower(),
        system_name=_value(configuration, "SystemName").lower(),
        local_domains=frozenset(key.lower() for key, _ in domains.of_type("domain")),
        public_addresses=frozenset(_words(service.properties.get(PUBLIC_ADDRESS, "")) if service else ()),
        language=_property(configuration, "sysconfig", "Language"),
    )


def sends_by_postfix(configuration: Database) -> bool:
    """Whether Postfix sends the mail of this e-smith host, which keeps its smart host in the record of that name."""
    return _postfix(configuration) is not None


def _smarthost(configuration: Database) -> str:
    """SME 5 to 10 keep it as a value of its own, SME 11 in the `postfix` record.

    SMTPSmartHostStatus there is about logging in at the smart host, not about using it.
    """
    postfix = _postfix(configuration)
    host = postfix.properties["SMTPSmartHost"] if postfix else _value(configuration, "SMTPSmartHost")
    return "" if host.lower() == "off" else host


def _property(configuration: Database, key: str, name: str) -> str:
    record = configuration.get(key)
    return record.properties.get(name, "") if record else ""


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _postfix(configuration: Database) -> Record | None:
    record = configuration.get("postfix")
    return record if record and "SMTPSmartHost" in record.properties else None


def _value(configuration: Database, key: str) -> str:
    record = configuration.get(key)
    return record.type if record else ""
