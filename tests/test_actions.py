# SPDX-License-Identifier: GPL-2.0-or-later
"""What templates and events call: whole output or a message and a status, never half of a fragment."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mxbackup.words import scriptlets
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch

FRAGMENT = """\
# BEGIN mxbackup: rules of the domains database
dupontnet.com
.dupontnet.com
# END mxbackup
"""


@pytest.fixture(autouse=True)
def rules(server: Scratch) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain", b"caf\xe9.com=mxbackup|Kind|domain")


def outcome(server: Scratch, *arguments: str) -> tuple[int, str, str]:
    # The strictest locale: what holds here holds for all.
    done = server.run(*arguments, environment={"PYTHONIOENCODING": "utf-8:strict"})
    return done.returncode, done.stdout, done.stderr


def test_render_prints_the_fragment(server: Scratch) -> None:
    assert outcome(server, "render", "rcpthosts") == (0, FRAGMENT, "")


def test_render_refuses_an_unknown_target(server: Scratch) -> None:
    status, out, errors = outcome(server, "render", "morercpthosts")
    assert (status, out) == (2, "")
    assert errors.splitlines()[-1] == (
        "Error: Invalid value for 'TARGET': 'morercpthosts' is not one of 'smtpd_check_rules', 'rcpthosts', "
        "'smtproutes', 'goodrcptto', 'qpsmtpd'."
    )


@pytest.mark.parametrize("name", ["domains", "configuration"])
@pytest.mark.parametrize("arguments", [("render", "rcpthosts"), ("action", "expand")])
def test_a_broken_database_gives_no_output_and_status_3(server: Scratch, name: str, arguments: tuple[str, str]) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    path = server.path(f"/home/e-smith/db/{name}")
    path.unlink()
    path.mkdir()
    message = f"mxbackup: The database {path} cannot be read: Is a directory.\n"
    assert outcome(server, *arguments) == (3, "", message)
    assert not server.path("/var/qmail/control/rcpthosts").exists()


def test_a_missing_domains_database_gives_no_output_and_status_3(server: Scratch) -> None:
    path = server.path("/home/e-smith/db/domains")
    path.unlink()
    assert outcome(server, "render", "rcpthosts") == (3, "", f"mxbackup: There is no database {path}.\n")


def test_a_full_disk_gives_status_3(server: Scratch) -> None:
    with open("/dev/full", "w") as full:
        done = server.run("render", "rcpthosts", stdout=full)
    assert (done.returncode, done.stderr) == (3, "mxbackup: [Errno 28] No space left on device\n")


def test_expand_tells_what_it_expanded_and_what_it_left_out(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    status, said, errors = outcome(server, "action", "expand", "mxbackup-create", "dupontnet.com")
    expanded, left_out = said.splitlines()[:2], said.splitlines()[2:]
    assert (status, errors) == (0, "")
    assert expanded == ["expanded /var/qmail/control/rcpthosts", "expanded /var/qmail/control/smtproutes"]
    assert len(left_out) == 1
    assert left_out[0].startswith('left out record caf\\udce9.com: "caf\\udce9.com" is not a valid')
    assert server.read("/var/qmail/control/rcpthosts") == FRAGMENT


def test_an_expansion_that_failed_is_status_3(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, "case $1 in */rcpthosts) echo ERROR: no >&2;; esac")
    assert outcome(server, "action", "expand") == (
        3,
        "",
        "mxbackup: Not expanded, the old file stays: /var/qmail/control/rcpthosts (ERROR: no).\n",
    )


def test_enforce_expands_then_restarts_qmail_and_says_what_it_used(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    server.script("/etc/rc.d/init.d/qmail", f'cat "{server.root}/var/qmail/control/rcpthosts" > "{server.root}/seen"')
    status, said, errors = outcome(server, "action", "enforce", "mxbackup-update")
    assert (status, errors) == (0, "")
    assert said.splitlines()[0] == "expanded /var/qmail/control/rcpthosts"
    assert said.splitlines()[-1] == "restarted qmail with /etc/rc.d/init.d/qmail restart"
    assert server.read("/seen") == FRAGMENT


def test_enforce_on_a_host_without_qmail_is_no_failure(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    status, said, errors = outcome(server, "action", "enforce")
    assert (status, errors) == (0, "")
    assert said.splitlines()[-1] == "no qmail service on this host, nothing to restart"


def test_enforce_restarts_qmail_also_when_an_expansion_failed(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, "case $1 in */rcpthosts) echo ERROR: no >&2;; esac")
    server.script("/etc/rc.d/init.d/qmail", "exit 0")
    assert outcome(server, "action", "enforce") == (
        3,
        "restarted qmail with /etc/rc.d/init.d/qmail restart\n",
        "mxbackup: Not expanded, the old file stays: /var/qmail/control/rcpthosts (ERROR: no).\n",
    )


def test_a_restart_of_qmail_that_failed_is_status_3(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    server.script("/etc/rc.d/init.d/qmail", "echo broken; exit 1")
    status, said, errors = outcome(server, "action", "enforce")
    assert (status, said.splitlines()[0]) == (3, "expanded /var/qmail/control/rcpthosts")
    assert errors == "mxbackup: qmail could not be restarted: /etc/rc.d/init.d/qmail restart (broken).\n"


def test_load_plugin_says_what_it_restarted(server: Scratch) -> None:
    assert outcome(server, "action", "load-plugin") == (0, "no qpsmtpd on this host, no plugin to load\n", "")
    server.write("/var/service/qpsmtpd/config/peers/0")
    server.script(EXPAND_TEMPLATE, 'echo expanded > "$1"')
    server.script("/etc/rc.d/init.d/qpsmtpd", "exit 0")
    said = "restarted qpsmtpd with /etc/rc.d/init.d/qpsmtpd restart\n"
    assert outcome(server, "action", "load-plugin") == (0, said, "")
    assert server.read("/var/service/qpsmtpd/config/peers/0") == "expanded\n"


def test_after_an_installation_the_plugin_is_loaded_before_the_files_are_expanded(server: Scratch) -> None:
    server.write("/var/service/qpsmtpd/config/peers/0")
    server.script(EXPAND_TEMPLATE, 'case $1 in */peers/*) echo "$1" > "$1"; exit;; esac; ' + EXPANSION)
    server.write("/var/qmail/control/rcpthosts", "before\n")
    server.script("/etc/rc.d/init.d/qpsmtpd", f'cat "{server.root}/var/qmail/control/rcpthosts" > "{server.root}/seen"')
    status, said, errors = outcome(server, "action", "installed", "temp")
    assert (status, errors) == (0, "")
    assert said.splitlines()[0] == "restarted qpsmtpd with /etc/rc.d/init.d/qpsmtpd restart"
    assert server.read("/seen") == "before\n"
    assert server.read("/var/qmail/control/rcpthosts") == FRAGMENT


def test_an_unknown_action_is_wrong_use(server: Scratch) -> None:
    assert outcome(server, "action", "explode") == (
        2,
        "",
        "mxbackup: no action explode; actions: enforce, expand, load-plugin, installed, leave, words\n",
    )


SCRIPTS = [Path(__file__).parents[1] / name for name in ("smeserver-mxbackup.spec", "tools/build-deb")]


def test_the_scripts_of_the_packages_say_what_is_translated_and_no_more() -> None:
    script = "".join(path.read_text() for path in SCRIPTS)
    found = re.findall(r"\b(?:said |step |english=)(?:'([^']+)'|(doing)\b)", script)
    assert {quoted or bare for quoted, bare in found} == set(scriptlets.SAID)


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("C", b"doing"),
        ("fr_FR.UTF-8", "exécution de".encode()),
        ("fr_FR", "exécution de".encode("latin-1")),
        ("de_DE.UTF-8", b"ausgef\xc3\xbchrt wird"),
    ],
)
def test_the_words_of_the_packages_are_in_the_language_and_charset_of_who_runs_rpm(
    tmp_path: Path, locale: str, said: bytes
) -> None:
    package = Path(__file__).parents[1] / "python"
    environment = {"PYTHONPATH": str(package), "MXBACKUP_ROOT": str(tmp_path), "LANG": locale}
    command = [sys.executable, "-m", "mxbackup", "action", "words"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"doing = " + said in done.stdout.splitlines()
    assert done.stderr == b""
