# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read of this server: its smart host in every form, its names, and whether MX backup is on."""

import pytest

from mxbackup.esmith.database import Database
from mxbackup.esmith.settings import Settings, from_databases


def settings(configuration: bytes, domains: bytes = b"") -> Settings:
    return from_databases(Database.parse(configuration), Database.parse(domains))


@pytest.mark.parametrize(
    ("records", "smarthost"),
    [
        (b"", ""),
        (b"SMTPSmartHost=", ""),
        (b"SMTPSmartHost=off", ""),
        (b"SMTPSmartHost=OFF", ""),
        (b"SMTPSmartHost=smtp.provider.net", "smtp.provider.net"),
        (b"SMTPSmartHost=smtp.provider.net:587", "smtp.provider.net:587"),
        (b"postfix=service|SMTPSmartHost|smtp.provider.net|SMTPSmartHostStatus|enabled", "smtp.provider.net"),
        (b"postfix=service|SMTPSmartHost|smtp.provider.net|SMTPSmartHostStatus|disabled", "smtp.provider.net"),
        (b"postfix=service|SMTPSmartHost|smtp.provider.net", "smtp.provider.net"),
        (b"postfix=service|SMTPSmartHost||SMTPSmartHostStatus|enabled", ""),
        (b"postfix=service|SMTPSmartHost|off|SMTPSmartHostStatus|enabled", ""),
        (b"postfix=service|status|enabled\nSMTPSmartHost=smtp.provider.net", "smtp.provider.net"),
        (
            b"postfix=service|SMTPSmartHost|new.provider.net|SMTPSmartHostStatus|enabled\n"
            b"SMTPSmartHost=old.provider.net",
            "new.provider.net",
        ),
        (
            b"postfix=service|SMTPSmartHost|new.provider.net|SMTPSmartHostStatus|disabled\n"
            b"SMTPSmartHost=old.provider.net",
            "new.provider.net",
        ),
        (b"postfix=service|SMTPSmartHost|\nSMTPSmartHost=old.provider.net", ""),
    ],
)
def test_smart_host(records: bytes, smarthost: str) -> None:
    assert settings(records).smarthost == smarthost


@pytest.mark.parametrize(
    ("record", "enabled"),
    [
        (b"", True),
        (b"mxbackup=service", True),
        (b"mxbackup=service|status|enabled", True),
        (b"mxbackup=service|status|disabled", False),
        (b"mxbackup=service|status|", False),
        (b"mxbackup=service|status|enable", False),
    ],
)
def test_only_enabled_is_on_and_it_is_the_default(record: bytes, enabled: bool) -> None:
    assert settings(record).enabled is enabled


def test_everything_that_is_read() -> None:
    found = settings(
        b"DomainName=DurantCom.net\nSystemName=SME\nmxbackup=service|status|disabled\nSMTPSmartHost=a.net\n",
        b"durantcom.net=domain|Content|Primary\nOther.net=domain\ndupontnet.com=mxbackup|Kind|domain\n",
    )
    assert found == Settings(
        enabled=False,
        smarthost="a.net",
        domain_name="durantcom.net",
        system_name="sme",
        local_domains=frozenset({"durantcom.net", "other.net"}),
    )
    assert found.local.names == {"durantcom.net", "other.net", "sme.durantcom.net"}


def test_a_server_without_a_domain_name_has_its_local_domains_only() -> None:
    assert settings(b"SystemName=sme", b"other.net=domain").local.names == {"other.net"}
