# SPDX-License-Identifier: GPL-2.0-or-later
"""Held mail keeps its way out when its rule goes: removed, disabled, deleted by hand; and only as long as it waits."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import DatabaseError
from mxbackup.esmith import files
from mxbackup.outage import Contact, Event, Happening, Outage, State
from mxbackup.service import applying, changing, draining
from mxbackup.service.outages import Outages, Turn
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.draining import NOTHING, Waiting
from tests.conftest import Outcome
from tests.heldmail import empty_queue, hold, in_todo
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch, way_back
from tests.test_plain_qmail import CONTROL, plain_qmail

Run = Callable[..., Outcome]
QUEUE = "/var/qmail/queue"
SMTPROUTES = f"{CONTROL}/smtproutes"
NOTED = "mxbackup_draining"
ROUTED = "dupontnet.com=mxbackup|Description|Chez Dupont|Kind|domain|Route|192.0.2.25"
BYPASS = "martin.org=mxbackup|Kind|host"
DUPONTNET = '{"name": "dupontnet.com", "kind": "domain", "route": "192.0.2.25", "description": "Chez Dupont"}'
MARTIN = '{"name": "martin.org", "kind": "host"}'


@pytest.fixture
def sme(tmp_path: Path) -> Scratch:
    """An SME Server with a smart host and two rules in force, whose events expand."""
    scratch = Scratch(tmp_path / "sme")
    scratch.script(EXPAND_TEMPLATE, EXPANSION)
    scratch.database("configuration", "DomainName=durantcom.net", "SMTPSmartHost=smtp.provider.net", "SystemName=sme")
    scratch.path(CONTROL).mkdir(parents=True)
    for name in ("rcpthosts", "smtproutes"):
        scratch.write(f"/etc/e-smith/templates{CONTROL}/{name}/10others")
    empty_queue(scratch.path(QUEUE), split=1)
    scratch.database("domains", ROUTED, BYPASS)
    scratch.with_events()
    applying.expand(scratch.context)
    return scratch


def event(server: Scratch) -> None:
    """What an event of ours does, in a process of its own as it were."""
    applying.expand(server.context)


def block(*lines: str) -> str:
    return "".join(f"{line}\n" for line in (BEGIN, *lines, END))


def accepted(server: Scratch) -> str:
    return server.read(f"{CONTROL}/rcpthosts")


def noted(server: Scratch) -> list[str]:
    return server.records(NOTED) if server.path(f"/home/e-smith/db/{NOTED}").exists() else []


def wait_for(server: Scratch, *addresses: str, ident: int = 7) -> Path:
    return hold(server.path(QUEUE), ident, [f"T{address}" for address in addresses], 1000)


def deliver(server: Scratch) -> None:
    for path in server.path(QUEUE).glob("*/*/*"):
        path.unlink()


def test_a_removed_rule_keeps_the_way_of_what_waits(sme: Scratch) -> None:
    wait_for(sme, "jean@dupontnet.com", "anne@Mail.DupontNet.com")
    removed = changing.remove(sme.context, "dupontnet.com")
    assert removed == changing.Removal("dupontnet.com", None, Waiting(1))
    event(sme)
    assert sme.records("domains") == [BYPASS]
    assert noted(sme) == ["dupontnet.com=draining|Description|Chez Dupont|Kind|domain|Route|192.0.2.25"]
    assert accepted(sme) == block("martin.org")
    kept = block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25", "martin.org:")
    assert sme.read(SMTPROUTES) == kept
    assert draining.end_draining(sme.context) == []
    assert sme.read(SMTPROUTES) == kept
    deliver(sme)
    assert draining.end_draining(sme.context) == ["dupontnet.com"]
    assert (noted(sme), sme.read(SMTPROUTES)) == ([], block("martin.org:"))
    assert draining.end_draining(sme.context) == []


def test_a_removed_rule_without_mail_is_gone_at_the_event(sme: Scratch) -> None:
    wait_for(sme, "x@martin.org")
    assert changing.remove(sme.context, "dupontnet.com") == changing.Removal("dupontnet.com")
    event(sme)
    assert (noted(sme), sme.read(SMTPROUTES)) == ([], block("martin.org:"))


def test_mail_that_came_between_the_look_and_the_end_of_acceptance_is_kept(sme: Scratch) -> None:
    changing.remove(sme.context, "dupontnet.com")
    in_todo(sme.path(QUEUE), 9, b"u0\0p0\0Fa@b.c\0Tjean@dupontnet.com\0", 1000)
    event(sme)
    assert noted(sme) == ["dupontnet.com=draining|Kind|domain|Route|192.0.2.25"]
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25", "martin.org:")


def test_nothing_is_let_go_of_before_acceptance_has_ended(sme: Scratch) -> None:
    sme.database("domains", BYPASS)
    before = sme.read(SMTPROUTES)
    assert draining.end_draining(sme.context) == []
    assert sme.read(SMTPROUTES) == before


def test_a_queue_that_cannot_be_read_holds_for_all(sme: Scratch) -> None:
    sme.path(QUEUE).rename(sme.path("/var/qmail/away"))
    before = sme.read(SMTPROUTES)
    removed = changing.remove(sme.context, "dupontnet.com")
    assert removed.waiting.messages == 0
    assert str(removed.waiting.trouble).endswith(f"{QUEUE} cannot be read: No such file or directory.")
    sme.database("domains")
    event(sme)
    assert (accepted(sme), sme.read(SMTPROUTES)) == (block(), before)
    sme.path("/var/qmail/away").rename(sme.path(QUEUE))
    event(sme)
    assert (noted(sme), sme.read(SMTPROUTES)) == ([], block())


def test_a_record_that_was_deleted_by_hand_or_is_no_rule_any_more_keeps_its_way_too(sme: Scratch) -> None:
    wait_for(sme, "jean@www.dupontnet.com")
    wait_for(sme, "x@martin.org", ident=8)
    sme.database("domains", "martin.org=mxbackup|Kind|nonsense")
    event(sme)
    assert accepted(sme) == block()
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25", "martin.org:")
    assert noted(sme) == ["dupontnet.com=draining|Kind|domain|Route|192.0.2.25", "martin.org=draining|Kind|host"]
    deliver(sme)
    event(sme)
    assert (noted(sme), sme.read(SMTPROUTES)) == ([], block())


def test_while_disabled_the_rules_with_mail_keep_their_way(sme: Scratch) -> None:
    wait_for(sme, "jean@www.dupontnet.com", "a@other.org")
    assert changing.enable(sme.context, False) == Waiting(1)
    event(sme)
    assert accepted(sme) == block()
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25")
    assert noted(sme) == []
    deliver(sme)
    assert draining.end_draining(sme.context, held=[]) == ["dupontnet.com"]
    assert sme.read(SMTPROUTES) == block()
    assert changing.enable(sme.context, True) == NOTHING
    event(sme)
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25", "martin.org:")


def test_a_rule_made_anew_counts_instead_of_the_removed_one(sme: Scratch) -> None:
    wait_for(sme, "jean@dupontnet.com")
    changing.remove(sme.context, "dupontnet.com")
    event(sme)
    changing.add(sme.context, rules.make("dupontnet.com", kind="host"))
    assert noted(sme) == []
    event(sme)
    assert sme.read(SMTPROUTES) == block("dupontnet.com:", ".dupontnet.com:", "martin.org:")
    deliver(sme)
    event(sme)
    assert sme.read(SMTPROUTES) == block("dupontnet.com:", "martin.org:")


def test_what_a_rule_in_force_or_this_server_takes_does_not_drain(sme: Scratch) -> None:
    wait_for(sme, "x@martin.org", "jean@dupontnet.com")
    for name in ("martin.org", "dupontnet.com"):
        changing.remove(sme.context, name)
    sme.database("domains", "dupontnet.com=domain|Content|Primary", "org.example=mxbackup|Kind|domain")
    assert [rule.name for rule in sme.context.inventory().draining] == ["martin.org"]
    sme.database("domains", "dupontnet.com=domain", "martin.org=mxbackup|Kind|domain")
    assert list(sme.context.inventory().draining) == []


def test_a_rule_below_a_domain_rule_leaves_its_mail_to_that_one(sme: Scratch) -> None:
    sme.database("domains", ROUTED, "www.dupontnet.com=mxbackup|Kind|host")
    event(sme)
    wait_for(sme, "jean@www.dupontnet.com")
    assert not changing.remove(sme.context, "www.dupontnet.com").waiting
    event(sme)
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25")


def test_a_domain_rule_that_becomes_a_host_rule_keeps_the_way_of_what_waits_below(sme: Scratch) -> None:
    wait_for(sme, "jean@www.dupontnet.com")
    changing.change(sme.context, "dupontnet.com", {"Kind": "host", "Route": "192.0.2.26"})
    assert draining.end_draining(sme.context, held=[]) == []
    event(sme)
    assert accepted(sme) == block("dupontnet.com", "martin.org")
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.26", ".dupontnet.com:192.0.2.26", "martin.org:")
    assert noted(sme) == []
    assert [rule.name for rule in sme.context.inventory().with_draining] == ["dupontnet.com", "martin.org"]
    deliver(sme)
    assert draining.end_draining(sme.context) == ["dupontnet.com"]
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.26", "martin.org:")


def test_a_record_deleted_by_hand_drains_where_it_needs_no_entry(sme: Scratch) -> None:
    sme.database("configuration", "DomainName=durantcom.net", "SystemName=sme")
    sme.database("domains", ROUTED, "martin.org=mxbackup|Kind|domain")
    event(sme)
    wait_for(sme, "x@www.martin.org")
    sme.database("domains", ROUTED)
    event(sme)
    assert noted(sme) == ["martin.org=draining|Kind|domain"]
    assert sme.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25")
    sme.database("configuration", "DomainName=durantcom.net", "SMTPSmartHost=smtp.provider.net", "SystemName=sme")
    event(sme)
    assert "martin.org:\n.martin.org:\n" in sme.read(SMTPROUTES)
    deliver(sme)
    event(sme)
    assert (noted(sme), "martin" in sme.read(SMTPROUTES)) == ([], False)


def test_a_record_deleted_by_hand_that_used_the_smart_host_goes_on_doing_so(sme: Scratch) -> None:
    sme.database("domains", "martin.org=mxbackup|Kind|host|Smarthost|use")
    event(sme)
    wait_for(sme, "x@martin.org")
    sme.database("domains")
    event(sme)
    assert noted(sme) == ["martin.org=draining|Kind|host|Smarthost|use"]
    assert sme.read(SMTPROUTES) == block()


def test_where_no_routes_count_nothing_drains(sme: Scratch) -> None:
    sme.path(f"/etc/e-smith/templates{CONTROL}/smtproutes/10others").rename(
        sme.path(f"/etc/e-smith/templates{CONTROL}/smtproutes/30mxbackup")
    )
    wait_for(sme, "jean@dupontnet.com")
    assert changing.remove(sme.context, "dupontnet.com") == changing.Removal("dupontnet.com")
    assert (noted(sme), list(sme.context.inventory().draining)) == ([], [])


def test_killed_between_its_two_records_a_removal_leaves_the_rule(
    sme: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(sme, "jean@dupontnet.com")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mxbackup.esmith.database.Store._write", killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                changing.remove(sme.context, "dupontnet.com")
    assert (sme.records("domains"), noted(sme)) == ([ROUTED, BYPASS], [])
    context = sme.context
    with monkeypatch.context() as patch:
        patch.setattr(context.domains, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            changing.remove(context, "dupontnet.com")
    assert sme.records("domains") == [ROUTED, BYPASS]
    assert list(sme.context.inventory().draining) == []
    event(sme)
    assert accepted(sme) == block("dupontnet.com", ".dupontnet.com", "martin.org")


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("late", [False, True])
def test_killed_at_any_write_a_removal_loses_no_way_and_the_next_try_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """`late` is whether the file was written already."""
    entry = "dupontnet.com:192.0.2.25\n"
    replace = files.replace

    def killed(moment: int, act: Callable[[], object]) -> bool:
        writes = 0

        def write(*arguments: Any, **options: Any) -> bool:
            nonlocal writes
            writes += 1
            if writes > moment and not late:
                raise Killed
            done = replace(*arguments, **options)
            if writes > moment:
                raise Killed
            return done

        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(files, "replace", write)
            act()
            return False
        return True

    def remove(server: Scratch) -> None:
        if server.context.inventory().rules:
            changing.remove(server.context, "dupontnet.com")
        applying.apply(server.context)

    for moment in range(20):
        server = plain_qmail(tmp_path / str(moment))
        changing.add(server.context, rules.make("dupontnet.com", route="192.0.2.25"))
        applying.apply(server.context)
        wait_for(server, "jean@dupontnet.com")
        removing = killed(moment, partial(remove, server))
        assert server.read(SMTPROUTES).count(entry) == 2
        remove(server)
        assert (server.read(SMTPROUTES).count(entry), "dupontnet" in accepted(server)) == (2, False)
        assert server.context.inventory().draining.names() == {"dupontnet.com"}
        deliver(server)
        ending = killed(moment, partial(draining.end_draining, server.context))
        assert server.read(SMTPROUTES).count(entry) in (0, 2)
        draining.end_draining(server.context)
        assert (server.read(SMTPROUTES), list(server.context.inventory().draining)) == ("", [])
        if not removing and not ending:
            break
    assert moment > 3


def test_a_note_that_cannot_be_written_removes_nothing(sme: Scratch) -> None:
    wait_for(sme, "jean@dupontnet.com")
    sme.write(f"/home/e-smith/db/{NOTED}")
    with pytest.raises(DatabaseError, match=r"is empty: it was damaged"):
        changing.remove(sme.context, "dupontnet.com")
    assert sme.records("domains") == [ROUTED, BYPASS]


def test_plain_qmail_keeps_the_way_too(tmp_path: Path) -> None:
    plain = plain_qmail(tmp_path / "plain")
    changing.add(plain.context, rules.make("dupontnet.com", kind="host", route="192.0.2.25"))
    applying.apply(plain.context)
    hold(plain.path(QUEUE), 7, ["Tjean@dupontnet.com"], 1000)
    assert changing.remove(plain.context, "dupontnet.com").waiting == Waiting(1)
    assert [change.path.name for change in applying.apply(plain.context) if change.pending] == ["rcpthosts"]
    assert plain.read(SMTPROUTES) == block("dupontnet.com:192.0.2.25")
    deliver(plain)
    changes = applying.apply(plain.context, dry_run=True)
    assert [(change.path.name, change.after) for change in changes if change.pending] == [("smtproutes", "")]
    changes = applying.apply(plain.context)
    assert [(change.path.name, change.after) for change in changes if change.pending] == [("smtproutes", "")]
    assert plain.read(SMTPROUTES) == ""


@pytest.fixture
def server(sme: Scratch) -> Scratch:
    """Where the commands run."""
    return sme


def test_who_removes_or_disables_is_told(server: Scratch, mxbackup: Run) -> None:
    wait_for(server, "jean@dupontnet.com")
    assert mxbackup("remove", "martin.org") == (0, "Removed martin.org.\n" + way_back(MARTIN), "")
    said = "No new mail is accepted, and these are still delivered.\n"
    assert mxbackup("disable") == (0, f"MX backup is disabled.\nMessages that wait: 1. {said}", "")
    assert mxbackup("enable") == (0, "MX backup is enabled.\n", "")
    said = "No new mail is accepted for it, and these are still delivered.\n"
    assert mxbackup("remove", "dupontnet.com") == (
        0,
        f"Removed dupontnet.com.\nMessages that wait for dupontnet.com: 1. {said}{way_back(DUPONTNET)}",
        "",
    )


@pytest.mark.parametrize("waits", [True, False])
def test_a_rule_that_is_made_anew_keeps_its_past_while_mail_of_it_waits(
    server: Scratch, mxbackup: Run, waits: bool
) -> None:
    if waits:
        wait_for(server, "jean@dupontnet.com")
    begun = Event(int(time.time()) - 60, Happening.BEGUN, "dupontnet.com", reason="Connection refused")
    lasting = State(contact=Contact.UNREACHABLE, outage=Outage(begun.time, "Connection refused", recorded=True))
    Outages(server.host).update(lambda known: Turn({"dupontnet.com": lasting}, [begun]))
    assert mxbackup("remove", "dupontnet.com")[0] == 0
    event(server)
    draining.end_draining(server.context)
    assert mxbackup("add", "dupontnet.com", "--route", "192.0.2.25")[0] == 0
    known = Outages(server.host)
    assert known.read().states == ({"dupontnet.com": lasting} if waits else {})
    assert known.past("dupontnet.com").events == ([begun] if waits else [])
    assert ("Connection refused" in mxbackup("history", "dupontnet.com")[1]) is waits


def test_who_removes_or_disables_is_told_that_the_queue_cannot_be_read(server: Scratch, mxbackup: Run) -> None:
    server.path(QUEUE).rename(server.path("/var/qmail/away"))
    trouble = f"The mail queue {server.path(QUEUE)} cannot be read: No such file or directory."
    status, out, _ = mxbackup("disable")
    assert (status, out) == (
        0,
        f"MX backup is disabled.\n{trouble} So it is not known whether mail waits. No new mail is accepted, and the "
        "way out of all rules stays until the queue can be read and holds nothing more.\n",
    )
    status, out, _ = mxbackup("remove", "dupontnet.com")
    assert (status, out) == (
        0,
        f"Removed dupontnet.com.\n{trouble} So it is not known whether mail waits for dupontnet.com. No new mail is "
        "accepted for it, and its way out stays until the queue can be read and holds nothing more.\n"
        + way_back(DUPONTNET),
    )
    state = (
        "dupontnet.com is removed, and its mail in the queue is still delivered (192.0.2.25; messages: not known).\n"
    )
    assert state in mxbackup("list")[1]

    assert json.loads(mxbackup("list", "--json")[1])["draining"][0]["messages"] is None


def test_a_draining_rule_is_shown_until_it_is_gone(server: Scratch, mxbackup: Run) -> None:
    wait_for(server, "jean@dupontnet.com")
    for name in ("martin.org", "dupontnet.com"):
        mxbackup("remove", name)
    event(server)
    state = "dupontnet.com is removed, and its mail in the queue is still delivered (192.0.2.25; messages: 1).\n"
    told = {
        "name": "dupontnet.com",
        "kind": "domain",
        "route": "192.0.2.25",
        "smarthost": "bypass",
        "description": "Chez Dupont",
        "hold": None,
        "contact": "",
        "messages": 1,
    }
    assert mxbackup("list") == (0, state, "")
    assert mxbackup("show", "DupontNet.com") == (0, state, "")
    assert json.loads(mxbackup("show", "dupontnet.com", "--json")[1]) == {"version": 1, **told}
    assert json.loads(mxbackup("list", "--json")[1])["draining"] == [told]
    status, out, _ = mxbackup("status")
    assert (status, state in out) == (0, True)
    assert json.loads(mxbackup("status", "--json")[1])["draining"] == [told]
    assert mxbackup("remove", "dupontnet.com")[0] == 1
    deliver(server)
    event(server)
    assert mxbackup("list") == (0, "No rule yet. Make one: mxbackup add example.com\n", "")


NAMES = ["a.example", "b.a.example", "c.b.a.example", "d.example"]
WAYS = {"Route|192.0.2.25": "192.0.2.25", "Description|-": "", "Smarthost|use": "smtp.provider.net"}
RULES = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from(["domain", "host"]), st.sampled_from(sorted(WAYS)))
)


@given(RULES, st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from([*NAMES, "x.a.example"])), st.booleans())
def test_after_any_change_what_waits_goes_the_way_of_the_rule_that_decided(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, tuple[str, str]],
    after: set[str],
    held: set[str],
    enabled: bool,
) -> None:
    """A name that a rule in force covers goes the way of that one."""
    server = plain_qmail(tmp_path_factory.mktemp("any") / "host")
    server.write(SMTPROUTES, ":smtp.provider.net\n")

    def put(kept: Iterable[str]) -> None:
        lines = [f"{name}=mxbackup|Kind|{before[name][0]}|{before[name][1]}\n" for name in kept]
        server.write("/etc/mxbackup/domains", "# x\n" + "".join(lines))

    put(before)
    applying.apply(server.context)
    first = server.context.inventory().rules
    for number, name in enumerate(sorted(held)):
        wait_for(server, f"x@{name}", ident=number + 1)
    put(after & before.keys())
    changing.enable(server.context, enabled)
    context = server.context
    context.removals.refuse_loss = lambda inventory: None  # type: ignore[method-assign]
    applying.apply(context)
    second = server.context.inventory().rules
    routes = dict(line.split(":", 1) for line in server.read(SMTPROUTES).splitlines() if ":" in line and line[0] != "#")
    for name in held:
        decides = (second.nearest(name) if enabled else None) or first.nearest(name)
        if decides is not None:
            suffixes = [name, *(name[at:] for at, char in enumerate(name) if char == ".")]
            assert next(routes[key] for key in (*suffixes, "") if key in routes) == WAYS[before[decides.name][1]]


def test_what_an_erase_leaves(sme: Scratch) -> None:
    def leave() -> tuple[int, str, str]:
        done = sme.run("action", "leave")
        return done.returncode, done.stdout, done.stderr

    assert leave() == (0, "", "")
    wait_for(sme, "jean@www.dupontnet.com", "a@other.org")
    said = "mxbackup: dupontnet.com: messages that wait: 1\n"
    assert leave() == (0, block("dupontnet.com:192.0.2.25", ".dupontnet.com:192.0.2.25"), said)
    sme.path(QUEUE).rename(sme.path("/var/qmail/away"))
    trouble = f"The mail queue {sme.path(QUEUE)} cannot be read: No such file or directory."
    said = f"mxbackup: dupontnet.com: {trouble}\nmxbackup: martin.org: {trouble}\n"
    assert leave() == (0, sme.read(SMTPROUTES), said)
