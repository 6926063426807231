# SPDX-License-Identifier: GPL-2.0-or-later
"""Installing, replacing one build by the other, and erasing, with a real rpm."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.machine import CHECKOUT, DIST, Sandbox

ACTIONS = "/etc/e-smith/events/actions"
LEGACY, UTF8 = "smeserver-mxbackup", "smeserver-mxbackup-utf8"
OURS = (
    rf"find / -xdev \( -path /proc -o -path /tmp -o -path {CHECKOUT} -o -path /var/lib/rpm \) -prune"
    r" -o \( -iname '*mxbackup*' -o -name smanager \) -print | sort"
)


@pytest.mark.parametrize("build", [UTF8, LEGACY])
def test_erase_leaves_the_databases_and_no_open_relay(new_sandbox: Callable[..., Sandbox], build: str) -> None:
    server = new_sandbox()
    before = server.sh(OURS)
    rcpthosts = server.read("/var/qmail/control/rcpthosts")
    server.install(build)
    server.run(["mxbackup", "add", "dupontnet.com"])
    assert server.rcpt("jean.dupont@dupontnet.com").startswith("250")
    assert server.run(["rpm", "-V", build]).stdout == ""
    server.run(["rpm", "-e", build, "smeserver-mxbackup-python"])
    assert server.rcpt("jean.dupont@dupontnet.com").startswith("550")
    assert server.rcpt("jean.dupont@dupontnet.com", port=2525).startswith("553")
    assert server.read("/var/qmail/control/rcpthosts") == rcpthosts
    assert server.run(["db", "domains", "getprop", "dupontnet.com", "Kind"]).stdout == "domain\n"
    assert server.sh(OURS) == before


def test_the_utf8_build_replaces_the_legacy_one_and_keeps_the_rules(new_sandbox: Callable[..., Sandbox]) -> None:
    server = new_sandbox()
    server.install(LEGACY)
    server.run(["mxbackup", "add", "dupontnet.com"])
    server.install(UTF8)
    installed = [name for name in server.run(["rpm", "-qa"]).stdout.split() if name.startswith("smeserver-mxbackup")]
    assert sorted(installed) == ["smeserver-mxbackup-python-3.11.2-1.i686", f"{UTF8}-1.0.0-1.noarch"]
    assert server.run(["rpm", "-V", UTF8]).stdout == ""
    assert server.run(["mxbackup", "status"]).returncode == 0
    assert server.rcpt("jean.dupont@dupontnet.com").startswith("250")


def test_a_step_that_fails_is_told_and_does_not_stop_rpm(new_sandbox: Callable[..., Sandbox]) -> None:
    server = new_sandbox()
    server.sh(f"printf '#!/bin/sh\\nexit 1\\n' > {ACTIONS}/navigation-conf")
    words = server.install(UTF8)
    assert f"mxbackup: FAILED, run it again by hand: {ACTIONS}/navigation-conf {UTF8}-update\n" in words
    [package] = DIST.glob(f"{UTF8}-[0-9]*.noarch.rpm")
    done = server.run(["env", "LC_ALL=fr_FR.UTF-8", "rpm", "-Uvh", "--force", str(package)])
    failed = "mxbackup: ÉCHEC, à lancer de nouveau à la main\u00a0:"
    assert f"{failed} {ACTIONS}/navigation-conf {UTF8}-update\n" in done.stdout + done.stderr
    assert "mxbackup: exécution de initialize-default-databases\n" in done.stdout or "mxbackup: réglage" in done.stdout
    assert server.run(["mxbackup", "status"]).returncode == 0


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of release 2, built as tools/build-rpms does from the source package of release 1."""
    top = tmp_path_factory.mktemp("release")
    (source,) = DIST.glob("smeserver-mxbackup-[0-9]*.src.rpm")
    defines = {"_topdir": top, "_tmppath": top, "charset": "utf-8", "python": sys.executable, "build_number": "2"}
    options = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
    command: list[str | Path] = ["rpmbuild", "--rebuild", "--quiet", f"--load={CHECKOUT}/rpm/macros", *options, source]
    subprocess.run(command, check=True, capture_output=True)
    (package,) = (top / "RPMS/noarch").glob("*.rpm")
    return package


def test_an_upgrade_leaves_all_as_packaged_and_a_downgrade_is_refused(
    new_sandbox: Callable[..., Sandbox], next_release: Path
) -> None:
    server = new_sandbox(binds=[next_release.parent])
    server.install(UTF8)
    server.run(["mxbackup", "add", "dupontnet.com"])
    server.run(["rpm", "-Uvh", str(next_release)])
    assert server.run(["rpm", "-q", UTF8]).stdout == f"{UTF8}-1.0.0-2.noarch\n"
    assert server.run(["rpm", "-V", UTF8, "smeserver-mxbackup-python"]).stdout == ""
    assert server.rcpt("jean.dupont@dupontnet.com").startswith("250")

    older = str(next(DIST.glob(f"{UTF8}-[0-9]*.noarch.rpm")))
    refused = server.run(["rpm", "-Uvh", older], check=False)
    assert refused.returncode != 0
    assert re.search(rf"{UTF8}-1.0.0-2.noarch \(which is newer than .*\) is already installed", refused.stderr)
    assert server.run(["rpm", "-q", UTF8]).stdout == f"{UTF8}-1.0.0-2.noarch\n"
    assert server.rcpt("jean.dupont@dupontnet.com").startswith("250")
