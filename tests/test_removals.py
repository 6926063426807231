# SPDX-License-Identifier: GPL-2.0-or-later
"""A database that lost rules does not take them out of force unless somebody confirms; what a command removed goes."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from mxbackup.errors import DatabaseError, HostError
from mxbackup.service import applying, changing, inspecting, knowing
from tests.conftest import Outcome
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch
from tests.test_plain_qmail import CONTROL, plain_qmail

NAMES = [f"{letter}.example.com" for letter in "abcdef"]
LOST = (
    "Rules that are in force are gone from the database ({count} of {all}, the first is {first}), and no command "
    "removed them. The mail files stay as they are. If the database is damaged, restore it from a backup; if the rules "
    "are to go, run: mxbackup apply --confirm"
)


@pytest.fixture
def server(tmp_path: Path) -> Scratch:
    """A plain qmail with rules in force."""
    scratch = plain_qmail(tmp_path / "host")
    record(scratch, NAMES)
    applying.apply(scratch.context)
    return scratch


@pytest.fixture
def sme(tmp_path: Path) -> Scratch:
    """An SME Server with rules in force, whose events expand."""
    scratch = Scratch(tmp_path / "sme")
    scratch.script(EXPAND_TEMPLATE, EXPANSION)
    scratch.with_events()
    scratch.database("configuration", "DomainName=durantcom.net", "SystemName=sme")
    scratch.path(CONTROL).mkdir(parents=True)
    scratch.database("domains", *(f"{name}=mxbackup|Kind|host" for name in NAMES))
    applying.expand(scratch.context)
    return scratch


def record(server: Scratch, names: Iterable[str]) -> None:
    """Make the database of a plain qmail these rules, behind the back of every command."""
    lines = "".join(f"{name}=mxbackup|Kind|domain\n" for name in names)
    server.write("/etc/mxbackup/domains", f"# comment\n{lines}")


def accepted(server: Scratch) -> list[str]:
    return [line for line in server.read(f"{CONTROL}/rcpthosts").splitlines() if line in NAMES]


@pytest.mark.parametrize(("left", "kept"), [(0, True), (2, True), (3, False), (5, False)])
def test_when_more_than_half_are_gone_the_files_stay(server: Scratch, left: int, kept: bool) -> None:
    record(server, NAMES[:left])
    if kept:
        with pytest.raises(HostError) as refused:
            applying.apply(server.context)
        assert str(refused.value) == LOST.format(count=6 - left, all=6, first=NAMES[left])
    else:
        applying.apply(server.context)
    assert accepted(server) == (NAMES if kept else NAMES[:left])


def test_one_rule_that_is_gone_is_no_loss_and_two_of_two_are(server: Scratch) -> None:
    record(server, NAMES[:3])
    applying.apply(server.context)
    record(server, NAMES[:2])
    applying.apply(server.context)
    record(server, [])
    with pytest.raises(HostError, match=r"\(2 of 2, the first is a\.example\.com\)"):
        applying.apply(server.context)


def test_new_rules_do_not_hide_a_loss(server: Scratch) -> None:
    record(server, [f"new{number}.example.com" for number in range(20)])
    with pytest.raises(HostError, match="6 of 6"):
        applying.apply(server.context)


def test_a_record_that_holds_no_rule_and_a_name_that_became_local_are_not_lost(server: Scratch) -> None:
    lines = "".join(f"{name}=mxbackup|Kind|none\n" for name in NAMES[:3])
    server.write("/etc/mxbackup/domains", lines)
    server.write(f"{CONTROL}/locals", "".join(f"{name}\n" for name in NAMES[3:]))
    applying.apply(server.context)
    assert accepted(server) == []


def test_what_commands_removed_is_confirmed(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    for name in NAMES[:5]:
        assert mxbackup("remove", name)[0] == 0
    assert mxbackup("apply")[:2] == (0, f"changed {CONTROL}/rcpthosts\n")
    assert accepted(server) == NAMES[5:]
    assert server.read("/etc/mxbackup/mxbackup_removed").splitlines()[6:] == []


def test_a_removal_confirms_no_other_loss(server: Scratch) -> None:
    changing.remove(server.context, NAMES[0])
    record(server, [])
    with pytest.raises(HostError, match="5 of 6"):
        applying.apply(server.context)


def test_status_says_it_and_apply_confirm_lets_them_go(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    record(server, NAMES[:1])
    said = LOST.format(count=5, all=6, first=NAMES[1])
    status, out, _ = mxbackup("status")
    assert (status, f"error: {server.path('/etc/mxbackup/domains')}: {said}\n" in out) == (1, True)
    assert mxbackup("apply") == (3, "", f"mxbackup: {said}\n")
    status, out, _ = mxbackup("apply", "--dry-run")
    assert (status, out.count("\n-")) == (0, 10)
    assert accepted(server) == NAMES
    assert mxbackup("apply", "--confirm") == (
        0,
        f"Rules that are to go: {', '.join(NAMES[1:])}\nchanged {CONTROL}/rcpthosts\n",
        "",
    )
    assert accepted(server) == NAMES[:1]
    assert mxbackup("apply", "--confirm") == (0, "No rule is lost.\nNothing to do: the files are up to date.\n", "")
    assert mxbackup("status")[0] == 0


def test_while_disabled_all_are_to_go(server: Scratch) -> None:
    record(server, [])
    changing.enable(server.context, False)
    applying.apply(server.context)
    assert accepted(server) == []


def test_no_event_takes_lost_rules_out(
    sme: Scratch, mxbackup: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    sme.database("domains", "a.example.com=mxbackup|Kind|host")
    done = [sme.run("action", "expand"), sme.run("render", "rcpthosts")]
    said = LOST.format(count=5, all=6, first=NAMES[1])
    assert [(one.returncode, one.stdout, one.stderr) for one in done] == [(3, "", f"mxbackup: {said}\n")] * 2
    assert accepted(sme) == NAMES
    confirmed = sme.run("apply", "--confirm")
    assert (confirmed.returncode, confirmed.stdout) == (0, f"Rules that are to go: {', '.join(NAMES[1:])}\n")
    assert sme.events() == ["mxbackup-update"]
    assert sme.run("action", "expand").returncode == 0
    assert accepted(sme) == NAMES[:1]


def test_what_was_removed_without_an_event_goes_with_the_next(sme: Scratch) -> None:
    for name in NAMES:
        changing.remove(sme.context, name, event=False)
    applying.expand(sme.context)
    assert accepted(sme) == []


def test_a_rule_that_came_back_is_not_confirmed_any_more(sme: Scratch) -> None:
    for name in NAMES:
        changing.remove(sme.context, name, event=False)
    sme.database("domains", *(f"{name}=mxbackup|Kind|host" for name in NAMES))
    applying.expand(sme.context)
    sme.database("domains")
    with pytest.raises(HostError, match="6 of 6"):
        applying.expand(sme.context)


def test_smtpd_check_rules_tell_too_what_is_in_force(sme: Scratch) -> None:
    sme.path(f"{CONTROL}/rcpthosts").unlink()
    sme.path("/var/spool/smtpd/etc").mkdir(parents=True)
    block = applying.fragment(sme.context, "smtpd_check_rules")
    sme.write("/var/spool/smtpd/etc/smtpd_check_rules", f"deny:x\n{block}noto:ALL:ALL:ALL\n")
    sme.database("domains")
    with pytest.raises(HostError, match="6 of 6"):
        applying.expand(sme.context)


def test_a_database_whose_last_line_has_no_end_was_cut_off(sme: Scratch) -> None:
    path = sme.path("/home/e-smith/db/domains")
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    context = sme.context
    for act in (
        partial(applying.expand, context),
        partial(inspecting.status, context),
        lambda: changing.remove(context, "a.example.com"),
    ):
        with pytest.raises(DatabaseError) as refused:
            act()
        assert str(refused.value) == (
            f"The last line of the database {path} has no end: the file was cut off. Restore it from a backup. "
            f"If nothing is missing, end the line: echo >> {path}"
        )
    assert path.read_bytes() == whole[:-3]
    assert accepted(sme) == NAMES


def test_learning_changes_no_table_while_rules_are_lost(sme: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "/var/service/qpsmtpd/config/mxbackup"
    sme.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    applying.expand(sme.context)
    before = sme.read(table)
    sme.database("domains", "z.example.com=mxbackup|Kind|host|Recipients|learn")
    monkeypatch.setattr("mxbackup.recipients.learning.run", lambda *_: None)
    knowing.learn(sme.context)
    assert sme.read(table) == before
