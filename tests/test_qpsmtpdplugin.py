# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether qpsmtpd asks our plugin is read from its lists and from what the plugin noted, and nowhere else."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup.errors import HostError
from mxbackup.rules import Recipients, Rule
from mxbackup.rules.names import Name
from mxbackup.service import plugin
from mxbackup.targets import qpsmtpdplugin
from tests.conftest import Outcome
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch

CONFIG = "/var/service/qpsmtpd/config"
STATE = "/var/spool/qpsmtpd/mxbackup"
ANY = [Rule(Name("dupontnet.com"))]
LIST = [*ANY, Rule(Name("martin.fr"), recipients=Recipients.LIST)]
LEARN = [*ANY, Rule(Name("martin.fr"), recipients=Recipients.LEARN)]
GOOD = "# ours\nbadrcptto\nmxbackup\ncheck_smtp_forward\ncheck_goodrcptto extn -\nrcpt_ok\nqueue/qmail-queue\n"
STAT = "4711 (qpsmtpd (x) y) S 1 4711 4711 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 1 0 {began} 1000 1\n"


@pytest.fixture
def running(server: Scratch) -> Scratch:
    """A server whose qpsmtpd, process 4711, has loaded the plugin for strangers and for clients of ours."""
    for peers in ("0", "local"):
        server.write(f"{CONFIG}/peers/{peers}", GOOD)
    server.write("/proc/4711/stat", STAT.format(began=1234567))
    server.write(f"{STATE}/loaded", "4711 1234567\n")
    return server


def found(server: Scratch, rules: list[Rule] = LIST, served: bool = True) -> list[tuple[str, str, str]]:
    findings = qpsmtpdplugin.findings(server.host, rules, lambda: served)
    assert not findings or not qpsmtpdplugin.is_asked(server.host)
    return [(finding.severity.value, finding.id, str(finding.path)) for finding in findings]


def test_nothing_is_wrong_with_a_plugin_that_is_asked_in_time(running: Scratch) -> None:
    assert found(running) == []
    assert qpsmtpdplugin.is_asked(running.host)


def test_a_plugin_that_is_asked_is_not_loaded_anew_and_no_rule_is_read_for_that(running: Scratch) -> None:
    running.script(EXPAND_TEMPLATE, EXPANSION)
    running.path("/home/e-smith/db/domains").unlink(missing_ok=True)
    assert plugin.load_missing(running.context) == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GOOD.replace("mxbackup", "mxbackup:1 x"), ""),
        ("  mxbackup\n", ""),
        (GOOD.replace("mxbackup", "# mxbackup"), "plugin-missing"),
        (GOOD.replace("mxbackup", "mxbackup2"), "plugin-missing"),
        ("", "plugin-missing"),
        (GOOD.replace("badrcptto", "rcpt_ok"), "plugin-late"),
        (GOOD.replace("badrcptto", "check_goodrcptto extn -"), "plugin-late"),
        (GOOD.replace("badrcptto", "check_smtp_forward"), "plugin-late"),
    ],
)
def test_a_list_of_plugins(running: Scratch, text: str, code: str) -> None:
    running.write(f"{CONFIG}/peers/local", text)
    assert found(running, ANY) == ([("error", code, f"{CONFIG}/peers/local")] if code else [])


def test_where_there_are_no_peers_the_list_of_the_start_counts(running: Scratch) -> None:
    running.write(f"{CONFIG}/plugins", "hosts_allow\npeers\n")
    assert found(running) == []
    for peers in ("0", "local"):
        running.path(f"{CONFIG}/peers/{peers}").unlink()
    assert found(running) == [("error", "plugin-missing", f"{CONFIG}/plugins")]
    running.write(f"{CONFIG}/plugins", GOOD)
    assert found(running) == []


PLUGIN = "/usr/share/qpsmtpd/plugins/mxbackup"


@pytest.mark.parametrize(
    ("rules", "served", "expected"),
    [
        ([], True, []),
        (ANY, True, [("warning", "plugin-not-loaded", PLUGIN)]),
        (LIST, True, [("error", "plugin-not-loaded", PLUGIN)]),
        (LEARN, True, [("error", "plugin-not-loaded", PLUGIN)]),
        (LIST, False, [("warning", "qpsmtpd-silent", PLUGIN)]),
    ],
)
def test_a_server_that_has_not_loaded_it(
    running: Scratch, rules: list[Rule], served: bool, expected: list[object]
) -> None:
    running.path(f"{STATE}/loaded").unlink()
    assert found(running, rules, served) == expected


def remove(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def link_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def stranger(path: Path) -> None:
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("change", [remove, link, link_directory, pipe, stranger])
def test_a_note_that_is_not_the_plugins_is_none(running: Scratch, change: Callable[[Path], None]) -> None:
    assert qpsmtpdplugin.loaded(running.host)
    change(running.path(f"{STATE}/loaded"))
    assert qpsmtpdplugin.note(running.host) == ""
    assert qpsmtpdplugin.loaded(running.host) is False


@pytest.mark.parametrize(
    "text", ["", "4711", "4711 1234567", "4711 1234568\n", "4712 1234567\n", "4711 1234567\n" * 9, "../4711 1234567\n"]
)
def test_a_note_that_proves_nothing(running: Scratch, text: str) -> None:
    running.write(f"{STATE}/loaded", text)
    assert qpsmtpdplugin.loaded(running.host) is False


def test_no_more_of_a_note_is_read_than_it_can_hold(running: Scratch) -> None:
    with running.path(f"{STATE}/loaded").open("wb") as file:
        file.truncate(2**32)
    assert len(qpsmtpdplugin.note(running.host)) == qpsmtpdplugin.NOTE_LIMIT


def test_the_first_client_after_a_start_has_it_loaded(running: Scratch) -> None:
    running.write(f"{STATE}/loaded", "99 1\n")

    def knock() -> bool:
        running.write(f"{STATE}/loaded", "4711 1234567\n")
        return True

    assert qpsmtpdplugin.findings(running.host, LIST, knock) == []


def test_the_spool_directory_is_where_qpsmtpd_is_told(running: Scratch) -> None:
    running.write(f"{CONFIG}/spool_dir", "/srv/spool\n")
    assert qpsmtpdplugin.loaded(running.host) is False
    running.write("/srv/spool/mxbackup/loaded", "4711 1234567\n")
    assert qpsmtpdplugin.loaded(running.host)


@pytest.mark.parametrize("before", ["4711 1234567\n", ""])
def test_only_another_server_than_before_has_loaded_it_anew(running: Scratch, before: str) -> None:
    if before:
        with pytest.raises(HostError, match="has not loaded our plugin"):
            qpsmtpdplugin.await_loaded(running.host, before, patience=0)
    else:
        qpsmtpdplugin.await_loaded(running.host, before, patience=0)


def test_status_says_so_and_what_to_do(running: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    running.write("/etc/e-smith/templates/var/service/qpsmtpd/config/peers/0/38check_goodrcptto")
    running.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    running.write(f"{CONFIG}/peers/local", "rcpt_ok\nmxbackup\n")
    running.write(f"{CONFIG}/peers/0", "")
    code, out, _ = mxbackup("status")
    assert code == 1
    assert (
        f'error: {CONFIG}/peers/0: The line "mxbackup" is missing, so qpsmtpd does not ask our plugin: lists of '
        "recipients, and what was learnt of them, count for nothing. Run: mxbackup action load-plugin\n"
        f'error: {CONFIG}/peers/local: The line "mxbackup" stands behind "rcpt_ok", which refuses mail for our rules '
        "before our plugin is asked. Have it come before, then run: mxbackup action load-plugin\n"
    ) in out
    findings = json.loads(mxbackup("status", "--json")[1])["findings"]
    assert [finding["code"] for finding in findings if "peers" in finding["path"]] == ["plugin-missing", "plugin-late"]
    running.database("domains")
    assert "load-plugin" not in mxbackup("status")[1]
