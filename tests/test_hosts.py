# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of server: what each answers."""

import os
from pathlib import Path

import pytest

from mxbackup.errors import HostError, QueueError
from mxbackup.hosts import kind_of
from mxbackup.hosts.esmith import Esmith
from mxbackup.hosts.plain_qmail import PlainQmail
from mxbackup.hosts.postfix import PlainPostfix
from mxbackup.routing.qmail_remote import KINDS, PATCHED
from mxbackup.rules import RuleSet
from tests.postfixhost import plain_postfix
from tests.scratch import Scratch
from tests.test_plain_qmail import CONTROL, plain_qmail


def test_kinds_are_told_apart(tmp_path: Path, server: Scratch) -> None:
    plain, esmith, nothing = (
        kind_of(plain_qmail(tmp_path / "a").host),
        kind_of(server.host),
        kind_of(Scratch(tmp_path / "b").host),
    )
    assert [type(kind) for kind in (plain, esmith, nothing)] == [PlainQmail, Esmith, Esmith]
    assert [kind.command for kind in (plain, esmith)] == ["mxbackup apply", "signal-event mxbackup-update"]
    assert [kind.mail_systems() for kind in (plain, esmith, nothing)] == [KINDS, (PATCHED,), KINDS]


def test_only_targets_whose_directory_is_there_are_present(server: Scratch) -> None:
    assert [target.name for target in kind_of(server.host).targets()] == ["rcpthosts", "smtproutes"]
    server.path("/var/spool/smtpd/etc").mkdir(parents=True)
    assert [target.name for target in kind_of(server.host).targets()] == [
        "smtpd_check_rules",
        "rcpthosts",
        "smtproutes",
    ]


def test_a_file_without_a_template_but_ours_is_not_replaced(server: Scratch) -> None:
    server.write("/etc/e-smith/templates/var/qmail/control/smtproutes/30mxbackup")
    server.write("/etc/e-smith/templates/var/qmail/control/rcpthosts/20mxbackup")
    server.write("/etc/e-smith/templates/var/qmail/control/rcpthosts/10local")
    assert [target.name for target in kind_of(server.host).targets()] == ["rcpthosts"]
    server.write("/etc/e-smith/templates-custom/var/qmail/control/smtproutes/10smarthost")
    assert [target.name for target in kind_of(server.host).targets()] == ["rcpthosts", "smtproutes"]


def test_without_e_smith_the_targets_are_control_files(tmp_path: Path) -> None:
    found = {target.name: str(target.path) for target in kind_of(plain_qmail(tmp_path).host).targets()}
    assert found == {name: f"{CONTROL}/{name}" for name in ("smtproutes", "morercpthosts", "rcpthosts")}


def test_the_queue_of_a_kind(tmp_path: Path) -> None:
    assert kind_of(plain_qmail(tmp_path / "plain").host).queue.waiting() == []
    with pytest.raises(QueueError, match="/var/qmail/queue"):
        kind_of(Scratch(tmp_path / "empty").host).queue.waiting()


@pytest.mark.parametrize("service", ["qmail", "qmail-send"])
def test_without_e_smith_qmail_send_is_found_by_either_name(tmp_path: Path, service: str) -> None:
    server = plain_qmail(tmp_path)
    control = server.path(f"/service/{service}/supervise/control")
    control.parent.mkdir(parents=True)
    os.mkfifo(control)
    heard = os.open(control, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert kind_of(server.host).queue.make_due([], []) == f"/service/{service}/supervise/control"
        assert os.read(heard, 9) == b"a"
    finally:
        os.close(heard)


def test_without_a_supervisor_the_usual_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="Nothing supervises qmail-send on this server"):
        kind_of(plain_qmail(tmp_path).host).queue.make_due([], [])


def test_postfix_is_met_without_e_smith_and_qmail_alone(tmp_path: Path) -> None:
    server = plain_postfix(tmp_path)
    assert type(kind_of(server.host)) is PlainPostfix
    server.path(CONTROL).mkdir(parents=True)
    assert type(kind_of(server.host)) is PlainQmail
    server.path("/home/e-smith").mkdir(parents=True)
    assert type(kind_of(server.host)) is Esmith


def test_only_postfix_has_to_be_told_of_our_files(tmp_path: Path) -> None:
    kind = kind_of(plain_qmail(tmp_path).host)
    assert (kind.findings(RuleSet()), kind.settings_to_change(RuleSet())) == ([], [])
    with pytest.raises(HostError, match="there is nothing to configure"):
        kind.configure([])
