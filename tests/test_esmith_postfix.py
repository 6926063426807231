# SPDX-License-Identifier: GPL-2.0-or-later
"""SME 11: three qpsmtpd with configurations of their own, and Postfix as the queue behind them."""

from pathlib import Path

import pytest

from mxbackup.errors import HostError
from mxbackup.esmith import postfix
from mxbackup.hosts import kind_of
from mxbackup.hosts.esmith_postfix import EsmithPostfix
from mxbackup.service import applying
from mxbackup.targets import block, goodrcptto, qpsmtpd, rcpthosts, readers
from tests.conftest import Run
from tests.postfixhost import DIRECTORY, MAIN, MAIN_CF, plain_postfix, tables
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch

DAEMONS = ("qpsmtpd", "sqpsmtpd", "uqpsmtpd")
TEMPLATES = "/etc/e-smith/templates"
METADATA = "/etc/e-smith/templates.metadata"


def config(daemon: str) -> str:
    return f"/var/service/{daemon}/config"


def configs(*names: str) -> list[Path]:
    return [Path(config(daemon)) / name for name in names for daemon in DAEMONS]


@pytest.fixture
def three(server: Scratch) -> Scratch:
    """A server with three qpsmtpd, each of which has templates of its own; qmail's directory has none."""
    for daemon in DAEMONS:
        for name in ("rcpthosts", "goodrcptto"):
            server.write(f"{TEMPLATES}{config(daemon)}/{name}/10local", "local\n")
        server.write(f"{TEMPLATES}{config(daemon)}/mxbackup/template-begin", "{}")
        server.write(f"{config(daemon)}/mxbackup")
    for name in ("rcpthosts", "smtproutes"):
        server.write(f"{TEMPLATES}/var/qmail/control/{name}/20mxbackup", "{}")
    server.script(EXPAND_TEMPLATE, EXPANSION)
    return server


def test_each_qpsmtpd_gets_what_it_has_templates_for(three: Scratch, mxbackup: Run) -> None:
    three.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    assert applying.expand(three.context).files == configs("rcpthosts", "goodrcptto", "mxbackup")
    for name in ("rcpthosts", "goodrcptto", "mxbackup"):
        assert len({three.read(f"{config(daemon)}/{name}") for daemon in DAEMONS}) == 1
    assert "\n.dupontnet.com\n" in three.read(f"{config('uqpsmtpd')}/rcpthosts")
    assert ".dupontnet.com\tany\n" in three.read(f"{config('sqpsmtpd')}/mxbackup")
    said = mxbackup("status")[1]
    assert "rcpthosts: not on this host\n/var/service/qpsmtpd/config/rcpthosts: up to date\n" in said
    assert said.count("up to date") == 9
    three.write(f"{config('sqpsmtpd')}/mxbackup")
    assert "/var/service/sqpsmtpd/config/mxbackup is out of date" in mxbackup("status")[1]


def test_one_configuration_for_all_is_filled_once(three: Scratch) -> None:
    for daemon in DAEMONS[1:]:
        for path in three.path(config(daemon)).iterdir():
            path.unlink()
        three.path(config(daemon)).rmdir()
        three.path(config(daemon)).symlink_to("../qpsmtpd/config")
    # A file that a qpsmtpd may not read is told once.
    three.write("/etc/passwd", "qpsmtpd:x:4242:4242::/:/bin/sh\n")
    for path in (three.root, *three.path(config("qpsmtpd")).relative_to(three.root).parents):
        (three.root / path).chmod(0o755)
    three.path(config("qpsmtpd")).chmod(0o755)
    three.path(f"{config('qpsmtpd')}/mxbackup").chmod(0o600)
    assert [str(one.path) for one in readers.findings(three.host)] == [f"{config('qpsmtpd')}/mxbackup"]
    kind = kind_of(three.host)
    for target in (rcpthosts.TARGET, goodrcptto.TARGET, qpsmtpd.TARGET):
        assert len(kind.files(target)) == 1


@pytest.mark.parametrize("directory", [True, False])
def test_a_template_that_lies_elsewhere_is_found(server: Scratch, directory: bool) -> None:
    server.write(f"{TEMPLATES}/var/qmail/control/rcpthosts/10local", "local\n")
    path = f"{config('sqpsmtpd')}/rcpthosts"
    server.write(f"{TEMPLATES}{path}/20mxbackup")
    server.path(config("sqpsmtpd")).mkdir(parents=True)
    assert not server.host.expands(Path(path))
    where = '"/var/qmail/control/rcpthosts"'
    if directory:
        server.write(f"{METADATA}{path}/TEMPLATE_PATH", f"{where}\n")
    else:
        server.write(f"{METADATA}{path}", f"PERMS=0644\nTEMPLATE_PATH={where}\n")
    assert server.host.expands(Path(path))
    server.path(f"{TEMPLATES}/var/qmail/control/rcpthosts/10local").rename(server.root / "gone")
    server.write(f"{TEMPLATES}/var/qmail/control/rcpthosts/20mxbackup")
    assert not server.host.expands(Path(path))


def test_the_lists_of_each_qpsmtpd_are_looked_at(three: Scratch) -> None:
    for daemon in DAEMONS[:2]:
        three.write(f"{config(daemon)}/peers/0")
    three.write(f"{config('sqpsmtpd')}/plugins")
    three.write(f"{config('uqpsmtpd')}/plugins")
    assert [str(path) for path in three.host.plugin_lists()] == [
        "/var/service/qpsmtpd/config/peers/0",
        "/var/service/sqpsmtpd/config/peers/0",
        "/var/service/uqpsmtpd/config/plugins",
    ]


def test_what_a_copy_holds_counts_as_in_force(three: Scratch, mxbackup: Run) -> None:
    three.database("domains", "dupontnet.com=mxbackup|Kind|domain", "martin.fr=mxbackup|Kind|host")
    applying.expand(three.context)
    assert three.context.removals.in_force() == {"dupontnet.com": "domain", "martin.fr": "host"}


@pytest.fixture
def eleven(server: Scratch) -> Scratch:
    """A server whose Postfix sends, with a template that makes main.cf."""
    made = plain_postfix(server.root)
    made.database(
        "domains", "dupontnet.com=mxbackup|Kind|domain", "www.martin.fr=mxbackup|Kind|host|Route|192.0.2.7:26"
    )
    made.database(
        "configuration", "DomainName=durantcom.net", "SystemName=sme",
        "postfix=service|SMTPSmartHost||SMTPSmartHostStatus|disabled",
    )  # fmt: skip
    made.write(f"{TEMPLATES}/etc/postfix/main.cf/10base", "x")
    # Instead of the template's fragment of ours, and of the host's around it.
    made.script(
        EXPAND_TEMPLATE,
        f'case $1 in */main.cf) read -r _; cat "{made.root}/base" > "$1.new"; '
        f'sed -n "/ = /p" "{made.root}{DIRECTORY}/naming" >> "$1.new"; mv "$1.new" "$1";; *) {EXPANSION};; esac',
    )
    made.write("/base", MAIN_CF)
    return made


def test_the_rules_stand_in_tables_before_main_cf_names_them(eleven: Scratch, mxbackup: Run) -> None:
    assert type(kind_of(eleven.host)) is EsmithPostfix
    assert "transport_maps does not name our tables" in mxbackup("status")[1]
    assert Path(MAIN) in applying.expand(eleven.context).files
    found = tables(eleven)
    # The way around a smart host is there before there is one.
    assert block.inside(found["transport"]) == "dupontnet.com\trelay:\n.dupontnet.com\trelay:\n"
    assert block.inside(found["transport_hosts"]) == "www.martin.fr\t:[192.0.2.7]:26\n"
    assert block.inside(found["relay_domains"]) == "dupontnet.com\tmxbackup\n.dupontnet.com\tmxbackup\n"
    assert set(found) == {"exact", "transport", "transport_hosts", "relay_domains", "relay_hosts", "naming"}
    values = postfix.parameters(eleven.host, "transport_maps", "relay_domains")
    assert all(DIRECTORY in value for value in values.values())
    status, said, _ = mxbackup("status")
    assert (status, "transport_maps" in said, "smtproutes" in said) == (0, False, True)


def test_smtproutes_has_no_entries_by_which_qpsmtpd_would_ask_a_primary(eleven: Scratch, mxbackup: Run) -> None:
    assert mxbackup("render", "smtproutes")[1] == f"{block.BEGIN}\n{block.END}\n"


def test_without_a_template_for_main_cf_the_line_is_told(eleven: Scratch, mxbackup: Run) -> None:
    eleven.path(f"{TEMPLATES}/etc/postfix/main.cf/10base").rename(eleven.root / "gone")
    eleven.write(f"{TEMPLATES}/etc/postfix/main.cf/99mxbackup", "x")
    assert Path(MAIN) not in applying.expand(eleven.context).files
    assert set(tables(eleven)) >= {"transport", "naming"}
    status, said, _ = mxbackup("status")
    assert status == 1
    assert f"by hand, then run postfix reload: transport_maps = pipemap:{{regexp:{DIRECTORY}/exact," in said
    assert eleven.read(MAIN) == MAIN_CF


def test_a_smart_host_changes_no_table(eleven: Scratch, mxbackup: Run) -> None:
    applying.expand(eleven.context)
    eleven.database("configuration", "DomainName=durantcom.net", "postfix=service|SMTPSmartHost|smtp.provider.net")
    status, said, _ = mxbackup("status")
    assert status == 0, said
    assert "Smart host: smtp.provider.net.\n  dupontnet.com goes around it (MX)" in said


def test_a_parameter_that_main_cf_gives_twice_hides_no_entry_and_no_fault(eleven: Scratch) -> None:
    eleven.write(MAIN, f"{MAIN_CF}relayhost = a\nrelayhost = b\n")
    assert postfix.look_up(eleven.host, "inline:{a=b}", "a") == "b"
    assert postfix.look_up(eleven.host, "inline:{a=b}", "c") is None
    with pytest.raises(HostError, match="postmap failed: postmap: fatal:"):
        postfix.look_up(eleven.host, "hash:/nowhere", "c")
