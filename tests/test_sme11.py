# SPDX-License-Identifier: GPL-2.0-or-later
"""SME 11: three qpsmtpd with configurations of their own, and Postfix as the queue behind them."""

from pathlib import Path

import pytest

from mxbackup.hosts import kind_of
from mxbackup.service import applying
from mxbackup.targets import goodrcptto, qpsmtpd, rcpthosts
from tests.conftest import Run
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
