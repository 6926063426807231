# SPDX-License-Identifier: GPL-2.0-or-later
"""What `tend` does beside a queue: real files, a real small primary, and the programs of the host as scripts."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email import message_from_string
from pathlib import Path

import pytest

from mxbackup.errors import HostError
from mxbackup.esmith import files
from mxbackup.hooks import idle
from mxbackup.outage import Condition, Event, Happening, State
from mxbackup.queue.qmail.tcpto import read_time_outs
from mxbackup.service import changing, contacting, held, outages, tending
from mxbackup.service.outages import Outages, Turn
from mxbackup.smtp import reach
from tests.heldmail import empty_queue, hold
from tests.postfixhost import MAIN, MAIN_CF, plain_postfix
from tests.scratch import PACKAGE, Scratch

Run = Callable[..., tuple[int, str, str]]
MINUTE, HOUR, DAY = 60, 3600, 86_400
QUEUE = "/var/qmail/queue"


class Primary:
    """A mail server on 127.0.0.25; `says` are its replies, the last one for all that follow."""

    def __init__(self) -> None:
        self.says = ["220 here", "250 ok"]
        self.dialogues = 0
        with socket.socket() as free:
            free.bind(("127.0.0.25", 0))
            self.port: int = free.getsockname()[1]
        self.listening: socket.socket | None = None

    def up(self) -> None:
        self.listening = socket.create_server(("127.0.0.25", self.port))
        threading.Thread(target=self._serve, args=(self.listening,), daemon=True).start()

    def down(self) -> None:
        if self.listening:
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()
            self.listening = None

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as lines:
            try:
                for count in range(20):
                    reply = self.says[min(count, len(self.says) - 1)]
                    if reply == "hang":
                        time.sleep(30)
                    lines.write(reply.encode() + b"\r\n")
                    lines.flush()
                    if not lines.readline():
                        return
                    self.dialogues += count == 0
            except OSError:
                return


@pytest.fixture
def primary() -> Iterator[Primary]:
    found = Primary()
    yield found
    found.down()


@pytest.fixture
def outage(server: Scratch, primary: Primary) -> Scratch:
    """A server with a rule whose primary is away, a supervisor that notes signals, and a sendmail that keeps mails."""
    route = f"[127.0.0.25]:{primary.port}"
    server.database("configuration", "DomainName=durantcom.net", "SystemName=sme")
    server.database("domains", f"dupontnet.com=mxbackup|Kind|domain|Route|{route}")
    server.write("/var/qmail/control/smtproutes", f"dupontnet.com:{route}\n".replace("[127", "127").replace("]", ""))
    server.path("/service/qmail/supervise").mkdir(parents=True)
    server.write("/service/qmail/supervise/status", bytes(12) + b"\1\0\0\0" + bytes(4))
    server.script("/usr/bin/sv", f'echo "$*" >> {server.root}/signals')
    server.script("/usr/sbin/sendmail", f'cat >> {server.root}/sent; echo "$*" > {server.root}/arguments')
    server.write("/var/log/qmail/current", "")
    server.write(f"{QUEUE}/lock/tcpto", struct.pack("<4sB3xQ", bytes((127, 0, 0, 25)), 2, int(time.time())))
    return server


def put(server: Scratch, ident: int = 1, age: int = 5 * MINUTE, to: str = "jean@dupontnet.com") -> None:
    hold(server.path(QUEUE), ident, [f"T{to}"], int(time.time()) - age)


def deliver(server: Scratch) -> None:
    shutil.rmtree(server.path(QUEUE))
    empty_queue(server.path(QUEUE), split=1)


def state(server: Scratch) -> State:
    return Outages(server.host).read().states["dupontnet.com"]


def signals(server: Scratch) -> list[str]:
    path = server.path("/signals")
    return path.read_text().splitlines() if path.exists() else []


def mails(server: Scratch) -> list[str]:
    path = server.path("/sent")
    text = path.read_text() if path.exists() else ""
    return [line.removeprefix("Subject: ") for line in text.splitlines() if line.startswith("Subject: ")]


def later(server: Scratch, seconds: int) -> None:
    """As if it had been remembered so many seconds earlier."""
    path = server.path("/var/lib/mxbackup/outages.json")
    told = json.loads(path.read_text())
    for rule in told["rules"].values():
        for part in (rule, rule.get("outage") or {}):
            for key in ("since", "asked", "flushed", "begun", "back", "told"):
                if part.get(key):
                    part[key] -= seconds
    path.write_text(json.dumps(told))


def quiet(lines: list[str]) -> None:
    """For who reads no log."""


def tend(server: Scratch, log: Callable[[list[str]], None] = quiet) -> tending.Tended:
    done = tending.tend(server.context, log)
    assert done is not None
    return done


def test_an_outage_from_begin_to_end(outage: Scratch, primary: Primary) -> None:
    put(outage)
    assert tend(outage).flushed == ()
    assert (state(outage).condition, state(outage).reason) == (Condition.UNREACHABLE, "Connection refused")
    later(outage, 16 * MINUTE)
    assert tend(outage).told == 1
    assert mails(outage) == ["MX backup: dupontnet.com cannot be reached, messages that wait: 1"]
    assert "Auto-Submitted: auto-generated" in outage.read("/sent")
    assert outage.read("/arguments") == "-i -f <> -t\n"
    assert tend(outage).told == 0
    primary.up()
    done = tend(outage)
    assert (done.flushed, done.used) == (("dupontnet.com",), "sv a /service/qmail")
    assert signals(outage) == [f"a {outage.path('/service/qmail')}"]
    assert read_time_outs(outage.path(QUEUE)) == []
    assert state(outage).condition == Condition.DRAINING
    deliver(outage)
    assert tend(outage).told == 1
    assert mails(outage)[1] == "MX backup: dupontnet.com is back and has its mail"
    assert state(outage).condition == Condition.FINE
    events = Outages(outage.host).past("dupontnet.com").events
    assert [event.happening for event in events] == [
        Happening.BEGUN, Happening.HELD, Happening.BACK, Happening.DRAINED,
    ]  # fmt: skip
    deliver(outage)
    before = outage.path("/var/lib/mxbackup/outages.json").stat().st_mtime_ns
    assert tend(outage) == tending.Tended()
    assert outage.path("/var/lib/mxbackup/outages.json").stat().st_mtime_ns == before


def test_what_was_refused_is_not_told_as_delivered(outage: Scratch, primary: Primary) -> None:
    put(outage)
    put(outage, 2)
    tend(outage)
    later(outage, 16 * MINUTE)
    tend(outage)
    primary.up()
    tend(outage)
    deliver(outage)
    tai = f"@{2**62 + 10 + int(time.time()):x}00000000"
    outage.write(
        "/var/log/qmail/current",
        f"{tai} starting delivery 1: msg 1 to remote jean@dupontnet.com\n"
        f"{tai} starting delivery 2: msg 2 to remote jean@dupontnet.com\n"
        f"{tai} delivery 1: success: taken/\n{tai} delivery 2: failure: no/\n{tai} end msg 2\n",
    )
    tend(outage)
    text = outage.read("/sent").partition("is back and has its mail")[2]
    assert "Messages delivered: 1; the longest waited 5 min." in text
    assert "Messages that it refused for good, and that went back to their senders: 1." in text
    drained = Outages(outage.host).past().events[-1]
    assert (drained.happening, drained.messages) == (Happening.DRAINED, 1)


def test_what_was_kept_too_long_is_told_apart_from_what_was_refused(outage: Scratch, primary: Primary) -> None:
    put(outage)
    put(outage, 2)
    put(outage, 3)
    tend(outage)
    later(outage, 16 * MINUTE)
    tend(outage)
    tai = f"@{2**62 + 10 + int(time.time()):x}00000000"
    too_long = "I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long."
    outage.write(
        "/var/log/qmail/current",
        f"{tai} starting delivery 2: msg 2 to remote jean@dupontnet.com\n"
        f"{tai} delivery 2: failure: Sorry,_no_connection._(#4.4.1)/{too_long}/\n{tai} end msg 2\n",
    )
    for part in ("mess", "info", "remote"):
        outage.path(f"{QUEUE}/{part}/0/2").unlink()
    tend(outage)
    primary.up()
    tend(outage)
    deliver(outage)
    tend(outage)
    text = outage.read("/sent").partition("is back and has its mail")[2]
    assert "Messages delivered: 2; the longest waited 5 min." in text
    assert "Messages that were kept too long, and that went back to their senders: 1." in text
    assert "refused for good" not in text
    events = [(event.happening, event.messages) for event in Outages(outage.host).past().events]
    assert events == [
        (Happening.BEGUN, 0), (Happening.HELD, 3), (Happening.RETURNED, 1), (Happening.BACK, 2), (Happening.DRAINED, 2),
    ]  # fmt: skip


def test_flush_sends_nothing_back_to_its_senders(outage: Scratch, primary: Primary, mxbackup: Run) -> None:
    primary.says = ["220 here", "250 ok", "250 ok", "550 go away"]
    primary.up()
    put(outage)
    assert mxbackup("flush") == (
        3,
        "",
        "mxbackup: The primary of dupontnet.com refuses its mail, which would go back to its senders: 550 go away. "
        "To try it all the same: mxbackup flush --force dupontnet.com\n",
    )
    assert signals(outage) == []
    assert mxbackup("flush", "--force")[0] == 0
    assert signals(outage) == [f"a {outage.path('/service/qmail')}"]


def test_qmail_that_does_not_run_is_told_where_one_looks(outage: Scratch, mxbackup: Run) -> None:
    put(outage)
    outage.write("/service/qmail/supervise/status", bytes(20))
    assert mxbackup("queue")[2] == "mxbackup: qmail is not running.\n"
    status = mxbackup("status")
    assert status[0] == 1
    assert "qmail is not running.\n" in status[1]


def test_what_is_on_its_way_is_left_to_qmail(outage: Scratch, primary: Primary) -> None:
    primary.up()
    put(outage, age=10)
    assert (tend(outage).flushed, primary.dialogues) == ((), 0)


@pytest.mark.parametrize(
    ("says", "condition"),
    [
        (["421 busy"], Condition.REFUSES),
        (["554 no"], Condition.REFUSES),
        (["220 here", "250 ok", "250 ok", "451 later"], Condition.REFUSES),
        (["220 here", "250 ok", "250 ok", "550 no"], Condition.REFUSES),
        (["220 here", "250 ok", "451 4.3.0 to everything"], Condition.REFUSES),
        (["hang"], Condition.UNREACHABLE),
        (["no SMTP"], Condition.UNREACHABLE),
    ],
)
def test_a_primary_that_takes_no_mail_is_not_back(
    outage: Scratch, primary: Primary, monkeypatch: pytest.MonkeyPatch, says: list[str], condition: Condition
) -> None:
    monkeypatch.setattr(contacting, "EACH", 0.5)
    primary.says = says
    primary.up()
    put(outage)
    assert tend(outage).flushed == ()
    assert state(outage).condition == condition
    assert signals(outage) == []


def test_a_refusal_of_postmaster_alone_is_none(outage: Scratch, primary: Primary) -> None:
    primary.says = ["220 here", "250 ok", "250 ok", "550 no postmaster", "250 ok"]
    primary.up()
    put(outage)
    assert tend(outage).flushed == ("dupontnet.com",)


def test_who_answers_for_one_rule_is_back_for_all(outage: Scratch, primary: Primary) -> None:
    hosts = {"dupontnet.com": "127.0.0.25", "martin.fr": "127.0.0.25", "elsewhere.org": "127.0.0.26"}
    rules = (f"{name}=mxbackup|Kind|domain|Route|[{host}]:{primary.port}" for name, host in hosts.items())
    outage.database("domains", *rules)
    routes = "".join(f"{name}:{host}:{primary.port}\n" for name, host in hosts.items())
    outage.write("/var/qmail/control/smtproutes", routes)
    for ident, name in enumerate(hosts, 1):
        put(outage, ident, to=f"jean@{name}")

    def conditions() -> list[Condition]:
        states = Outages(outage.host).read().states
        return [states[name].condition if name in states else Condition.FINE for name in hosts]

    tend(outage)
    assert conditions() == [Condition.UNREACHABLE] * 3
    deliver(outage)
    put(outage)
    tend(outage)
    assert conditions() == [Condition.UNREACHABLE] * 3
    primary.up()
    tend(outage)
    assert conditions() == [Condition.DRAINING, Condition.FINE, Condition.UNREACHABLE]
    assert primary.dialogues == 1


def test_no_more_than_one_flush_in_five_minutes(outage: Scratch, primary: Primary) -> None:
    put(outage)
    for count in range(10):
        primary.up() if count % 2 else primary.down()
        tend(outage)
        later(outage, MINUTE)
    assert len(signals(outage)) == 2


def test_qmail_that_does_not_run_is_said_and_tried_again(outage: Scratch, primary: Primary) -> None:
    outage.write("/service/qmail/supervise/status", bytes(20))
    primary.up()
    put(outage)
    lines: list[str] = []
    assert [str(trouble) for trouble in tend(outage, lines.extend).troubles] == ["qmail is not running."]
    assert lines == ["tend: qmail is not running."]
    for _ in range(10):
        later(outage, HOUR)
        assert tend(outage).flushed == ()
    outage.write("/service/qmail/supervise/status", bytes(12) + b"\1\0\0\0" + bytes(4))
    later(outage, 6 * MINUTE)
    assert tend(outage).used == "sv a /service/qmail"


def test_a_queue_that_vanished_is_said_once_and_ends_nothing(outage: Scratch) -> None:
    put(outage)
    tend(outage)
    outage.path(QUEUE).rename(outage.path("/var/qmail/away"))
    lines: list[str] = []
    for _ in range(3):
        assert len(tend(outage, lines.extend).troubles) == 1
    assert len(lines) == 1
    assert state(outage).condition == Condition.UNREACHABLE
    assert Outages(outage.host).read().trouble
    outage.path("/var/qmail/away").rename(outage.path(QUEUE))
    tend(outage)
    assert Outages(outage.host).read().trouble == ""


def test_two_at_once(outage: Scratch) -> None:
    with files.alone(outage.path(str(tending.LOCK))):
        assert tending.tend(outage.context) is None


@pytest.mark.parametrize("failure", [ZeroDivisionError("x"), TimeoutError("x"), HostError("x")])
def test_what_goes_wrong_altogether_is_in_the_log(
    outage: Scratch, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(held, "read", fail)
    lines: list[str] = []
    with pytest.raises(type(failure)):
        tending.tend(outage.context, lines.extend)
    assert lines
    assert all(line.startswith("tend: ") for line in lines)


def test_a_mail_that_cannot_be_sent_is_sent_the_next_time_and_one_without_sendmail_is_left_out(outage: Scratch) -> None:
    put(outage)
    tend(outage)
    later(outage, 16 * MINUTE)
    works = outage.read("/usr/sbin/sendmail")
    outage.script("/usr/sbin/sendmail", "exit 1")
    assert (tend(outage).told, mails(outage)) == (0, [])
    outage.write("/usr/sbin/sendmail", works)
    assert (tend(outage).told, len(mails(outage))) == (1, 1)
    outage.path("/usr/sbin/sendmail").unlink()
    later(outage, DAY)
    lines: list[str] = []
    tend(outage, lines.extend)
    assert lines == ["not mailed, as there is no /usr/sbin/sendmail: lasts dupontnet.com"]
    assert tend(outage, lines.extend).told == 0


def test_the_owner_is_told_of_begin_and_end_in_two_languages(outage: Scratch, primary: Primary) -> None:
    record = outage.records("domains")[0].replace("|Kind", "|Contact|jean@provider.net|Kind")
    outage.database("domains", record)
    put(outage)
    tend(outage)
    later(outage, 16 * MINUTE)
    tend(outage)
    admin, owner = (message_from_string(f"From: {text}") for text in outage.read("/sent").split("From: ")[1:])
    assert (admin["To"], owner["To"]) == ("admin@durantcom.net", "jean@provider.net")
    content = owner.get_payload(decode=True)
    assert isinstance(content, bytes)
    text = content.decode()
    assert "n’a pas accepté de courrier depuis" in text
    assert "has taken no mail since" in text
    later(outage, DAY + HOUR)
    tend(outage)
    primary.up()
    tend(outage)
    deliver(outage)
    tend(outage)
    assert outage.read("/sent").count("To: jean@provider.net") == 2


def test_what_cannot_be_saved_is_not_acted_on(outage: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    put(outage)
    tend(outage)
    later(outage, 16 * MINUTE)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "replace", full)
        for _ in range(3):
            with pytest.raises(HostError, match="No space left on device"):
                tend(outage)
    assert mails(outage) == []
    assert tend(outage).told == 1


def test_a_rule_that_is_removed_and_made_again_has_no_past(outage: Scratch) -> None:
    put(outage)
    tend(outage)
    tend(outage)
    assert Outages(outage.host).past("dupontnet.com").events
    rule = changing.get(outage.context, "dupontnet.com")
    outage.database("domains")
    changing.add(outage.context, rule, event=False)
    assert Outages(outage.host).past("dupontnet.com").events == []
    assert Outages(outage.host).read().states == {}
    tend(outage)
    outage.database("domains")
    outage.write("/var/qmail/control/smtproutes", "")
    deliver(outage)
    tend(outage)
    assert Outages(outage.host).read().states == {}


def test_mail_is_kept_beyond_qmails_time_for_a_rule_that_holds_longer(outage: Scratch) -> None:
    outage.database("domains", f"{outage.records('domains')[0]}|Hold|30")
    put(outage, age=6 * DAY + 12 * HOUR)
    put(outage, 2, age=6 * DAY + 12 * HOUR, to="tomy@hotmail.com")
    assert tend(outage).kept == 1
    births = {ident: outage.path(f"{QUEUE}/info/0/{ident}").stat().st_mtime for ident in (1, 2)}
    assert time.time() - births[1] < MINUTE
    assert time.time() - births[2] > 6 * DAY


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1, "trouble": "", "rules": 5}'])
def test_a_damaged_file_is_set_aside_and_said(outage: Scratch, content: bytes) -> None:
    outage.write("/var/lib/mxbackup/outages.json", content)
    known = Outages(outage.host).read()
    assert (known.states, known.damage is not None) == ({}, True)
    put(outage)
    lines: list[str] = []
    tend(outage, lines.extend)
    assert outage.path("/var/lib/mxbackup/outages.json.damaged").read_bytes() == content
    assert len(lines) == 1
    assert "is damaged" in lines[0]
    assert state(outage).condition == Condition.UNREACHABLE


def test_a_history_that_was_cut_off_is_read_and_gone_on_with(outage: Scratch, mxbackup: Run) -> None:
    put(outage)
    tend(outage)
    tend(outage)
    path = outage.path("/var/lib/mxbackup/history")
    path.write_bytes(path.read_bytes()[:-5])
    outages_ = Outages(outage.host)
    outages_.update(lambda known: Turn(known.states, outages_.past().events, known.trouble))
    event = Event(int(time.time()), Happening.BACK, "dupontnet.com", 3)
    outages_.update(lambda known: Turn(known.states, [event], known.trouble))
    assert outages_.past().events[-1] == event
    assert outages_.past().damaged == 1
    status, out, err = mxbackup("history", "dupontnet.com", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["events"][-1] == event.to_json()
    assert json.loads(out)["damaged_lines"] == 1
    said = mxbackup("history")
    assert said[1].splitlines()[-1].endswith("  dupontnet.com  the primary is back, messages held: 3")
    assert said[2] == "Lines that are damaged: 1.\n"


def test_the_history_is_bounded(outage: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "LIMIT", 10_000)
    store = Outages(outage.host)
    for count in range(50):
        events = [Event(int(time.time()) + count, Happening.BEGUN, f"{count}.org", reason="x" * 500)] * 5
        store.update(lambda known, events=events: Turn(known.states, events))  # type: ignore[misc]
    assert outage.path("/var/lib/mxbackup/history").stat().st_size < 15_000
    assert store.past().events[-1].name == "49.org"


def test_the_files_are_of_root_alone(outage: Scratch) -> None:
    put(outage)
    tend(outage)
    tend(outage)
    for path in outage.path("/var/lib/mxbackup").glob("*"):
        assert path.stat().st_mode & 0o77 == 0, path


def test_flush_by_hand(outage: Scratch, mxbackup: Run) -> None:
    assert mxbackup("flush") == (0, "No mail is held.\n", "")
    put(outage)
    assert mxbackup("flush", "dupontnet.com") == (
        0, "To be tried now, by sv a /service/qmail: the mail held for dupontnet.com. See: mxbackup queue\n", ""
    )  # fmt: skip
    assert read_time_outs(outage.path(QUEUE)) == []
    assert mxbackup("flush", "hotmail.com")[0] == 1


def test_nothing_is_to_be_done_where_nothing_is_held(outage: Scratch, primary: Primary) -> None:
    root = str(outage.root)
    assert str(outages.STATES) == idle.STATES
    assert not idle.is_idle(root), "never looked"
    tend(outage)
    assert idle.is_idle(root)
    put(outage)
    assert not idle.is_idle(root), "mail is held"
    tend(outage)
    deliver(outage)
    assert not idle.is_idle(root), "an outage lasts"
    primary.up()
    tend(outage)
    tend(outage)
    assert idle.is_idle(root)
    os.utime(outage.path("/home/e-smith/db/domains"), (1_078_866_000,) * 2)
    assert not idle.is_idle(root), "rules came or went"
    tend(outage)
    assert idle.is_idle(root)


def test_nothing_is_to_be_done_where_postfix_holds_nothing(tmp_path: Path) -> None:
    postfix = plain_postfix(tmp_path)
    postfix.write("/etc/mxbackup/domains", "# DO NOT MODIFY THIS FILE.\n")
    root, places = str(postfix.root), ("deferred", "incoming", "active", "hold", "maildrop")
    for place in places:
        postfix.path(f"/var/spool/postfix/{place}/A").mkdir(parents=True)
    tend(postfix)
    assert idle.is_idle(root)
    for place in places:
        postfix.write(f"/var/spool/postfix/{place}/A/A000001")
        assert not idle.is_idle(root), place
        postfix.path(f"/var/spool/postfix/{place}/A/A000001").unlink()
    postfix.script("/usr/sbin/postqueue", "exit 1")
    os.utime(postfix.path("/etc/mxbackup/domains"), (1_078_866_000,) * 2)
    assert len(tend(postfix).troubles) == 1
    assert not idle.is_idle(root), "its queue could not be read"
    postfix.write("/usr/sbin/postqueue", "#!/bin/sh\n")
    tend(postfix)
    assert idle.is_idle(root)
    postfix.write(MAIN, f"{MAIN_CF}queue_directory = /elsewhere\n")
    assert not idle.is_idle(root), "it lies elsewhere"


def test_a_queue_that_is_not_there_is_said_once_and_its_return_is_seen(outage: Scratch) -> None:
    tend(outage)
    outage.path(QUEUE).rename(outage.path("/var/qmail/away"))
    assert not idle.is_idle(str(outage.root)), "nobody said it yet"
    assert len(tend(outage).troubles) == 1
    assert idle.is_idle(str(outage.root))
    outage.path("/var/qmail/away").rename(outage.path(QUEUE))
    assert not idle.is_idle(str(outage.root)), "it is back"
    tend(outage)
    assert idle.is_idle(str(outage.root))


def test_ten_thousand_held_are_one_flush(outage: Scratch, primary: Primary) -> None:
    arrival = int(time.time()) - HOUR
    for ident in range(1, 10_001):
        hold(outage.path(QUEUE), ident, [f"Tu{ident}@dupontnet.com"], arrival)
    primary.up()
    assert tend(outage).flushed == ("dupontnet.com",)
    assert (len(signals(outage)), primary.dialogues) == (1, 1)
    assert state(outage).mail.messages == 10_000
    assert outage.path("/var/lib/mxbackup/outages.json").stat().st_size < 1000


def test_a_look_at_nothing_loads_nothing(outage: Scratch) -> None:
    tend(outage)
    code = (
        "import sys; sys.argv = ['mxbackup', 'tend']; from mxbackup.__main__ import main; main(); print(*sys.modules)"
    )
    environment = {"PYTHONPATH": str(PACKAGE), "MXBACKUP_ROOT": str(outage.root)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert not {"re", "enum", "json", "pathlib", "dataclasses", "click", "mxbackup.service"} & set(done.stdout.split())


def test_one_killed_at_any_point_tells_nothing_twice(outage: Scratch) -> None:
    put(outage)
    tend(outage)
    later(outage, 16 * MINUTE)
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "MXBACKUP_ROOT": str(outage.root)}
    for pause in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0):
        process = subprocess.Popen([sys.executable, "-m", "mxbackup", "tend"], env=environment, stderr=subprocess.PIPE)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    tend(outage)
    assert len(mails(outage)) <= 1
    assert state(outage).condition == Condition.UNREACHABLE
    left = [path.name for path in outage.path("/var/lib/mxbackup").iterdir() if path.suffix[1:].isdigit()]
    assert len(left) <= 1


def test_which_servers_can_be_connected_to(primary: Primary, tmp_path: Path) -> None:
    primary.up()
    with socket.create_server(("127.0.0.26", 0), backlog=0) as full:
        busy = full.getsockname()
        keep = [socket.socket() for _ in range(4)]
        for one in keep:
            one.setblocking(False)
            one.connect_ex(busy)
        began = time.monotonic()
        found = reach.unreachable([("127.0.0.25", primary.port), ("127.0.0.27", 9), busy], 0.5)
        for one in keep:
            one.close()
    assert found == {("127.0.0.27", 9): "Connection refused", busy: "timed out"}
    assert time.monotonic() - began < 2


def test_what_the_commands_say_of_a_state(outage: Scratch, mxbackup: Run) -> None:
    put(outage)
    tend(outage)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(state(outage).since))
    said = f"the primary cannot be reached since {when} (Connection refused)"
    assert f"State: {said}\n" in mxbackup("show", "dupontnet.com")[1]
    assert f"dupontnet.com: {said}\n" in mxbackup("status")[1]
    told = {
        "condition": "unreachable",
        "since": state(outage).since,
        "reason": "Connection refused",
        "check": None,
        "checked": None,
        "codes": [],
    }
    assert json.loads(mxbackup("status", "--json")[1])["states"] == {"dupontnet.com": told}
    assert json.loads(mxbackup("show", "dupontnet.com", "--json")[1])["state"] == told
    (rule,) = json.loads(mxbackup("list", "--json")[1])["rules"]
    assert (rule["state"], rule["held"]["messages"]) == (told, 1)
    found = outages.overview(
        outage.host, outage.context.inventory(), held.look(outage.host, outage.context.inventory())
    )
    assert found.away["dupontnet.com"].condition == Condition.UNREACHABLE
    assert outages.Outages(outage.host).past("dupontnet.com").events == []
    outage.write("/var/lib/mxbackup/outages.json", "{")
    assert "outages.json is damaged" in mxbackup("status")[1]
