# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel on SME 10, which has no suidperl: root comes from a C program of the host that every panel links to."""

import html
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.browser import published
from tests.system.cgi import CGI, ENTRY, HOSTILE, LINK, Visitor, call, lay_traps, trapped
from tests.system.machine import CHECKOUT, Sandbox

WRAPPER = "/etc/e-smith/web/functions/wrapper"
# What is not known of the real one.
KINDS = ["", "-DREAL_ROOT", "-DCLEAN_ENVIRONMENT", "-DREAL_ROOT -DCLEAN_ENVIRONMENT"]
DATABASES = "cat /home/e-smith/db/domains /home/e-smith/db/configuration"


@pytest.fixture(scope="module")
def sme10() -> Iterator[Sandbox]:
    machine = Sandbox("sme10", "sme10")
    machine.install("smeserver-mxbackup-utf8")
    machine.sh("useradd --no-create-home jean; mxbackup add dupontnet.com")
    yield machine
    machine.stop()


@pytest.fixture(params=KINDS)
def wrapped(request: pytest.FixtureRequest, sme10: Sandbox) -> Sandbox:
    """SME 10 with each kind of wrapper."""
    sme10.sh(
        f"cc {request.param} -o {WRAPPER} /usr/share/sme-sandbox/wrapper.c;"
        f"chown root:admin {WRAPPER}; chmod 4750 {WRAPPER}"
    )
    return sme10


def way_in(server: Sandbox) -> str:
    """Where the panel's link leads to, and the mode of the panel."""
    return server.sh(f"readlink {LINK}; stat -c '%a %U:%G' {ENTRY}")


def test_the_panel_links_to_the_wrapper(sme10: Sandbox) -> None:
    assert way_in(sme10) == "../../../functions/wrapper\n750 root:admin\n"
    assert sme10.run(["rpm", "-V", "smeserver-mxbackup-utf8"]).stdout == ""
    assert "6000\t6710\tConfiguration\tMX-Backup\tmxbackup\n" in sme10.read("/var/cache/e-smith/navigation")


def test_the_life_of_a_rule_in_the_panel(wrapped: Sandbox) -> None:
    with published(wrapped) as address:
        panel = Visitor(address)
        assert "does not run this page as root" not in panel.ask("GET")[1]
        assert panel.submit(do="save", name="martin.fr", kind="host", smarthost="bypass")[0] == 303
        assert wrapped.rcpt("paul@martin.fr").startswith("250")
        assert wrapped.rcpt("paul@www.martin.fr").startswith("550")
        before = panel.ask("GET", "?page=edit&rule=martin.fr")[1]
        expected = html.unescape(before.partition('name="expected" value="')[2].partition('"')[0])
        changed = panel.submit(
            do="save", rule="martin.fr", expected=expected, name="martin.fr", kind="domain", smarthost="bypass"
        )
        assert changed[0] == 303, changed
        assert wrapped.rcpt("paul@www.martin.fr").startswith("250")
        assert panel.submit(do="remove", rule="martin.fr")[0] == 303
        assert wrapped.rcpt("paul@martin.fr").startswith("550")


def test_root_may_call_it(wrapped: Sandbox) -> None:
    page = call(wrapped, "root", LINK, CGI)
    assert page.startswith("Status: 200 OK\n")
    assert "does not run this page as root" not in page


@pytest.mark.parametrize("user", ["admin", "www"])
def test_a_hostile_environment_does_not_reach_root(wrapped: Sandbox, user: str) -> None:
    lay_traps(wrapped)
    page = call(wrapped, user, LINK, CGI | HOSTILE)
    assert page.startswith("Status: 200 OK\n")
    assert "<strong>dupontnet.<wbr>com</strong>" in page
    assert "does not run this page as root" not in page
    assert "<script" not in page
    assert trapped(wrapped) == ""


@pytest.mark.parametrize("program", [LINK, WRAPPER, ENTRY, f"/usr/bin/perl {ENTRY}", "/usr/bin/mxbackup panel"])
def test_an_ordinary_user_gets_nothing(wrapped: Sandbox, program: str) -> None:
    lay_traps(wrapped)
    before = wrapped.sh(DATABASES)
    wrapped.write("/tmp/call", f"#!/bin/sh\nPATH=/usr/bin:/bin MXBACKUP_ROOT= exec {program}\n", mode="755")
    for environment in (CGI, CGI | HOSTILE):
        said = call(wrapped, "jean", "/tmp/call", environment)
        assert "dupontnet" not in said
        assert "Status: 200" not in said
    assert wrapped.sh(DATABASES) == before


def test_the_way_in_follows_the_host(new_sandbox: Callable[..., Sandbox], newer_manager: Path) -> None:
    """A host gets its wrapper with a later package, or by an upgrade; and loses it when it is put back."""
    host = new_sandbox(binds=[newer_manager.parent])
    host.install("smeserver-mxbackup-utf8")
    by_suidperl, by_wrapper = (
        "../../../functions/mxbackup\n4750 root:admin\n",
        "../../../functions/wrapper\n750 root:admin\n",
    )
    assert way_in(host) == by_suidperl
    host.run(["rpm", "-Uvh", str(newer_manager)])
    assert way_in(host) == by_wrapper
    host.run(["rpm", "-e", "e-smith-manager"])
    host.run(["signal-event", "post-upgrade"])
    assert way_in(host) == by_suidperl
    host.sh(f"touch {WRAPPER}")
    host.run(["signal-event", "bootstrap-console-save"])
    assert way_in(host) == by_wrapper


@pytest.fixture(scope="module")
def newer_manager(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the host that brings the wrapper."""
    top = tmp_path_factory.mktemp("manager")
    spec = top / "manager.spec"
    spec.write_text(
        "Name: e-smith-manager\nVersion: 2.8.0\nRelease: 5\nSummary: s\nLicense: GPL\nBuildArch: noarch\n"
        "%description\n%install\ninstall -D /dev/null %{buildroot}" + WRAPPER + f"\n%files\n{WRAPPER}\n"
    )
    command = ["rpmbuild", "-bb", "--quiet", f"--load={CHECKOUT}/rpm/macros", f"--define=_topdir {top}", str(spec)]
    subprocess.run(command, check=True, capture_output=True)
    return next(top.rglob("*.noarch.rpm"))
