# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages that come, change and go by the dnf of SME 10 and 11, whose plugin runs their events: nobody has to reboot.

dnf is Debian's; the plugin is the sandbox's own, with the rule of SME's.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.cgi import LINK
from tests.system.machine import DIST, Sandbox, wait_until
from tests.system.test_install import LEGACY, UTF8, next_release  # noqa: F401 - a fixture

PYTHON = "smeserver-mxbackup-python"
MINE = "jean.dupont@dupontnet.com"
UPDATE = ["mxbackup-installed", "locales2-conf", "navigation-conf", "navigation2-conf", "routes2-conf"]


def package(name: str) -> str:
    """The path of a package in dist/."""
    (found,) = DIST.glob(f"{name}-[0-9]*[!c].rpm")
    return str(found)


class Server:
    """A server of SME 10, and what its transactions came to."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def dnf(self, *arguments: str) -> list[list[str]]:
        """Run dnf, and return the actions of each event that it signalled. It has not asked for a reboot."""
        self.sandbox.sh("> /var/log/messages")
        said = self.sandbox.run(["dnf", "-y", "--disablerepo=*", *arguments])
        assert "FAILED" not in said.stdout + said.stderr
        assert "reboot" not in said.stdout
        assert self.sandbox.run(["db", "configuration", "get", "UnsavedChanges"], check=False).stdout == ""
        log = self.sandbox.read("/var/log/messages")
        assert "exit status" not in log
        events = re.split(r"Processing event: temp\n", log)[1:]
        return [re.findall(r"Running event handler: .*/events/temp/S\d\d(\S+)\n", event) for event in events]

    def manager(self) -> str:
        """Which process the new manager is."""
        return self.sandbox.sh("sv status smanager | sed 's/.*pid \\([0-9]*\\).*/\\1/'")

    def knows(self, text: str) -> bool:
        """Whether menu and routes of the new manager name us."""
        return text in self.sandbox.sh("cat /home/e-smith/db/navigation2/* /home/e-smith/db/routes")


@pytest.fixture
def server(new_sandbox: Callable[..., Sandbox], tmp_path: Path) -> Server:
    return Server(new_sandbox("sme10"))


def test_install_update_and_remove_ask_for_no_reboot(
    new_sandbox: Callable[..., Sandbox],
    next_release: Path,  # noqa: F811
) -> None:
    server = Server(new_sandbox("sme10", binds=[next_release.parent]))
    before = server.manager()
    rcpthosts = server.sandbox.read("/var/qmail/control/rcpthosts")
    assert server.dnf("install", package(UTF8), package(PYTHON)) == [UPDATE]
    assert server.sandbox.run(["config", "getprop", "mxbackup", "status"]).stdout == "enabled\n"
    assert "mxbackup\n" in server.sandbox.read("/var/cache/e-smith/navigation")
    assert server.knows("MX-Backup")
    assert server.knows("mxbackup+")
    wait_until(lambda: server.manager() != before)
    server.sandbox.run(["mxbackup", "add", "dupontnet.com"])
    assert server.sandbox.rcpt(MINE).startswith("250")

    # What the new package renders is there when all is done, and the way to root as well.
    server.sandbox.sh("cd /var/qmail/control; cp rcpthosts expected; sed -i /dupontnet/d rcpthosts")
    assert server.dnf("upgrade", str(next_release)) == [UPDATE]
    server.sandbox.sh("cmp /var/qmail/control/rcpthosts /var/qmail/control/expected")
    assert server.sandbox.run(["readlink", LINK]).stdout == "../../../functions/wrapper\n"
    assert server.sandbox.run(["rpm", "-q", UTF8]).stdout == f"{UTF8}-1.0.0-2.noarch\n"

    # Once for the services before it goes, then for what is left.
    assert server.dnf("remove", UTF8, PYTHON) == [[], UPDATE[1:]]
    assert server.sandbox.read("/var/qmail/control/rcpthosts") == rcpthosts
    assert server.sandbox.rcpt(MINE).startswith("550")
    assert "mxbackup" not in server.sandbox.read("/var/cache/e-smith/navigation")


def test_the_interpreter_alone(server: Server) -> None:
    server.dnf("install", package(UTF8), package(PYTHON))
    assert server.dnf("reinstall", package(PYTHON)) == [[]]


def test_one_build_replaces_the_other(server: Server) -> None:
    server.dnf("install", package(LEGACY), package(PYTHON))
    server.sandbox.run(["mxbackup", "add", "dupontnet.com"])
    server.dnf("install", package(UTF8))
    assert server.sandbox.rcpt(MINE).startswith("250")
    assert server.sandbox.sh("ls -d /etc/e-smith/events/smeserver-*") == "".join(
        f"/etc/e-smith/events/{name}-update\n" for name in sorted((PYTHON, UTF8))
    )


@pytest.mark.parametrize("way", ["rpm -Uvh", "dnf -y --noplugins --disablerepo=* install"])
def test_where_no_event_follows_the_package_does_it_itself(server: Server, way: str) -> None:
    """With rpm, and with a dnf that has no plugin."""
    before = server.manager()
    server.sandbox.sh(f"{way} {package(UTF8)} {package(PYTHON)}")
    assert server.sandbox.run(["config", "getprop", "mxbackup", "status"]).stdout == "enabled\n"
    assert "mxbackup\n" in server.sandbox.read("/var/cache/e-smith/navigation")
    assert server.knows("mxbackup+")
    assert server.sandbox.sh("mxbackup status > /dev/null; echo $?") == "0\n"
    wait_until(lambda: server.manager() != before)


def test_a_package_without_its_event_asks_for_a_reboot(server: Server, tmp_path: Path) -> None:
    """What these tests would see, if an event had another name."""
    server.dnf("install", package(UTF8), package(PYTHON))
    server.sandbox.sh(f"mv /etc/e-smith/events/{UTF8}-update /etc/e-smith/events/mxbackup-updated")
    server.sandbox.run(["dnf", "-y", "--disablerepo=*", "remove", UTF8])
    assert server.sandbox.run(["config", "get", "UnsavedChanges"]).stdout == "yes\n"
