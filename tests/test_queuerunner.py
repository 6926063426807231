# SPDX-License-Identifier: GPL-2.0-or-later
"""The test rig does what was seen on a real qmail, and our reading, flushing and holding work against it."""

import os
import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from mxbackup.queue import Channel
from mxbackup.queue.qmail.births import renew, renewals
from mxbackup.queue.qmail.flushing import make_due
from mxbackup.queue.qmail.messages import next_try
from mxbackup.queue.qmail.reading import read
from mxbackup.queue.qmail.sendlog import SendLog, parse
from mxbackup.queue.qmail.tcpto import read_time_outs
from sandbox.queuerunner.layout import LOCAL, REMOTE, inject, make_queue
from sandbox.queuerunner.log import Log, safe, stamp
from sandbox.queuerunner.remote import Remote
from sandbox.queuerunner.routes import relay_for
from sandbox.queuerunner.runner import DEFERRAL, SUCCESS, Result, Runner
from tests.heldmail import DATA

WEEK, DAY = 604_800, 86_400
HERE = "127.0.0.1"
BACK = "203.0.113.10"  # never connected to: its time-outs are handed in


class Session(socketserver.StreamRequestHandler):
    """A primary's side of one connection."""

    server: "Primary"

    def handle(self) -> None:
        self.say("220 primary")
        for line in self.rfile:
            match line.split()[0].upper():
                case b"DATA":
                    self.say("354 go on")
                    body = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        body.append(text.removeprefix(b"."))
                    self.server.got.append(b"".join(body))
                    self.say("250 ok queued")
                case b"QUIT":
                    self.say("221 bye")
                    return
                case b"RCPT":
                    name = line.decode().partition("<")[2].partition("@")[0]
                    self.say({"later": "451 4.2.1 mailbox busy", "no": "550 5.1.1 no such user"}.get(name, "250 ok"))
                case _:
                    self.say("250 ok")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Primary(socketserver.ThreadingTCPServer):
    """A primary on a port of its own, which keeps what it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HERE, 0), Session)
        self.got: list[bytes] = []


@pytest.fixture
def primary() -> Iterator[Primary]:
    with Primary() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@dataclass
class Rig:
    """A runner whose clock stands until it is moved; its one route can be changed."""

    queue: Path
    port: int = 1
    up: bool = True
    time: float = 1_795_505_454.0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_queue(self.queue)
        self.remote = Remote(self.queue, lambda _: [(HERE, self.port)], "mx.durantcom.net", self.clock, 5, 5)
        self.runner = self.make()
        self.runner.start()

    def make(self, lifetime: int = WEEK, control: Path | None = None) -> Runner:
        deliver = {LOCAL: lambda *_: Result(DEFERRAL, ""), REMOTE: self.deliver}
        return Runner(
            self.queue, deliver, self.log, "mx.durantcom.net", lambda name: name == "mx.durantcom.net", lifetime,
            self.clock, control=control,
        )  # fmt: skip

    def clock(self) -> float:
        return self.time

    def log(self, line: str) -> None:
        self.lines.append(f"{stamp(self.time)} {line}")

    def deliver(self, message: Path, sender: str, recipient: str) -> Result:
        """What happens on a network on which packets are lost while the primary is down."""
        if self.up:
            return self.remote(message, sender, recipient)
        if not self.remote._skipped(HERE):
            self.remote._note(HERE, timed_out=True)
        return Result(DEFERRAL, "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n")

    def put(
        self, *recipients: str, sender: str = "sender@out.example.org", body: bytes = b"Subject: x\n\nyes\n"
    ) -> int:
        return inject(self.queue, body, sender, recipients, self.clock)

    def run(self, seconds: float) -> None:
        """Let that much time pass, stopping wherever there is something to do."""
        end = self.time + seconds
        self.runner.step()
        while (wake := self.runner.wake()) + self.time <= end:
            self.time += wake
            self.runner.step()
        self.time = end

    def tries(self) -> list[int]:
        """When remote deliveries began, in seconds since the beginning."""
        begun = (line for line in self.lines if " to remote " in line)
        return [int(line[2:17], 16) - 10 - 1_795_505_454 for line in begun]

    def said(self) -> list[str]:
        return [line.split(" ", 1)[1] for line in self.lines]

    def sendlog(self) -> SendLog:
        return parse(line.encode() for line in self.lines)


@pytest.fixture
def rig(tmp_path: Path, primary: Primary) -> Rig:
    return Rig(tmp_path / "queue", primary.server_address[1])


def test_a_message_is_delivered_and_gone(rig: Rig, primary: Primary) -> None:
    ident = rig.put("jean@dupontnet.com", body=b"Subject: x\n\n.dot\nyes\n")
    rig.run(0)
    assert primary.got == [b"Subject: x\r\n\r\n.dot\r\nyes\r\n"]
    assert read(rig.queue) == []
    assert rig.said()[1:] == [
        f"new msg {ident}",
        f"info msg {ident}: bytes 21 from <sender@out.example.org> qp {os.getpid()} uid {os.getuid()}",
        f"starting delivery 1: msg {ident} to remote jean@dupontnet.com",
        "status: local 0/10 remote 1/20",
        "delivery 1: success: 127.0.0.1_accepted_message./Remote_host_said:_250_ok_queued/",
        f"end msg {ident}",
        "status: local 0/10 remote 0/20",
    ]
    left = [path.parts[-2] for path in rig.queue.rglob("*") if not path.is_dir()]
    assert left == ["lock"] * 3


def test_the_lines_of_its_log_are_those_of_qmail(rig: Rig) -> None:
    """In form: each with its numbers, names and reports taken out."""

    def forms(lines: list[str]) -> set[str]:
        return {
            re.sub(r"(success|failure|deferral): .*", r"\1", re.sub(r"<.*>|[\w.]+@[\w.]+|[0-9]+", "#", line))
            for line in lines
        }

    rig.put("later@dupontnet.com", "no@dupontnet.com", "ok@dupontnet.com", "busy@mx.durantcom.net")
    rig.run(500)
    rig.runner.stop()
    recorded = [line.split(" ", 1)[1] for line in (DATA / "qmail-send.log").read_text().splitlines()]
    assert forms(rig.said()) <= forms(recorded)


def test_the_schedule(rig: Rig) -> None:
    rig.up = False
    rig.put("jean@dupontnet.com")
    rig.run(4000)
    assert rig.tries() == [0, 400, 1600, 3600]


def test_what_we_tell_of_the_schedule_comes_true(rig: Rig) -> None:
    """At any moment, with the log or without."""
    rig.up = False
    rig.put("jean@dupontnet.com", "busy@mx.durantcom.net")
    rig.run(0)
    for pause in (1, 50, 399, 1, 3000, 7777, 40_000, 90_000):
        rig.run(pause)
        [message] = read(rig.queue)
        for channel in Channel:
            [(due, _)] = rig.runner._due[channel]
            assert next_try(message, rig.runner.now, channel) == due
        assert (
            next_try(message, rig.runner.now, tried=rig.sendlog().tried[message.ident]) == rig.runner._due[REMOTE][0][0]
        )


def test_after_an_alarm_the_log_tells_when_it_is_tried_next(rig: Rig) -> None:
    rig.up = False
    rig.put("jean@dupontnet.com")
    rig.run(1000)
    rig.runner.alarm()
    rig.run(1)
    [message] = read(rig.queue)
    tried = rig.sendlog().tried[message.ident]
    assert rig.tries() == [0, 400, 1000]
    assert next_try(message, rig.runner.now, tried=tried) == rig.runner._due[REMOTE][0][0]


def test_a_restart_keeps_the_schedule(rig: Rig) -> None:
    rig.up = False
    rig.put("jean@dupontnet.com")
    rig.run(1000)
    rig.runner.alarm()
    rig.run(10)
    due = rig.runner._due
    rig.runner.stop()
    [message] = read(rig.queue)
    assert next_try(message, rig.runner.now) == due[REMOTE][0][0]
    rig.runner = rig.make()
    rig.runner.start()
    assert rig.runner._due == due


def test_touching_the_channel_does_nothing_while_it_runs(rig: Rig) -> None:
    rig.up = False
    ident = rig.put("jean@dupontnet.com")
    rig.run(10)
    os.utime(rig.queue / "remote" / str(ident % 23) / str(ident), (0, 0))
    rig.run(380)
    assert rig.tries() == [0]


def test_an_alarm_alone_does_not_deliver_and_with_the_time_out_cleared_it_does(rig: Rig, primary: Primary) -> None:
    """The table of what was seen on a real qmail."""
    rig.up = False
    rig.put("jean@dupontnet.com")
    rig.run(2000)
    [record] = read_time_outs(rig.queue)
    assert (str(record.address), record.count >= 2) == (HERE, True)
    (rig.queue / "lock/tcpto").open("r+b").close()
    rig.up = True
    rig.runner.alarm()
    rig.run(1)
    assert primary.got == []
    assert rig.said()[-2].endswith("deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/")

    def alarm() -> str:
        rig.runner.alarm()
        return "a"

    make_due(rig.queue, [IPv4Address(HERE)], alarm)
    rig.run(1)
    assert len(primary.got) == 1
    assert read(rig.queue) == []


def test_cleared_without_an_alarm_it_waits_for_its_slot(rig: Rig, primary: Primary) -> None:
    rig.up = False
    rig.put("jean@dupontnet.com")
    rig.run(2000)
    rig.up = True
    make_due(rig.queue, [IPv4Address(HERE)], lambda: "")
    rig.run(3599 - 2000)
    assert primary.got == []
    rig.run(2)
    assert len(primary.got) == 1


def test_time_outs_less_than_two_minutes_apart_are_one(rig: Rig) -> None:
    for at, count in ((0, 1), (119, 1), (120, 2), (121, 2), (240, 3)):
        rig.time = 1_795_505_454 + at
        rig.remote._note(BACK, timed_out=True)
        assert [record.count for record in read_time_outs(rig.queue)] == [count]
    rig.time += 64 * 60 - 1
    assert rig.remote._skipped(BACK)
    rig.time += 31 * 64 + 1  # as long as the last bits of a process number make it (tcpto.c)
    assert not rig.remote._skipped(BACK)
    rig.remote._note(BACK, timed_out=False)
    assert read_time_outs(rig.queue) == []


def test_the_memory_of_time_outs_has_an_end(rig: Rig) -> None:
    for number in range(70):
        rig.time += 1
        rig.remote._note(f"192.0.2.{number}", timed_out=True)
    assert (rig.queue / "lock/tcpto").stat().st_size == 1024
    kept = {str(record.address) for record in read_time_outs(rig.queue)}
    assert kept == {f"192.0.2.{number}" for number in range(6, 70)}


def test_refused_is_told_at_once_and_the_rest_of_the_message_goes_on(rig: Rig, primary: Primary) -> None:
    rig.put("no@dupontnet.com", "later@dupontnet.com", "ok@dupontnet.com")
    rig.run(0)
    [message] = read(rig.queue)
    assert [(to.address, to.done) for to in message.recipients] == [
        ("no@dupontnet.com", True),
        ("later@dupontnet.com", False),
        ("ok@dupontnet.com", True),
    ]
    assert len(primary.got) == 1
    assert rig.sendlog().reason(["later@dupontnet.com"]) == (
        "127.0.0.1 does not like recipient. Remote host said: 451 4.2.1 mailbox busy Giving up on 127.0.0.1."
    )


def test_too_long_in_the_queue_it_bounces_at_its_next_try(rig: Rig, primary: Primary) -> None:
    rig.up = False
    ident = rig.put("jean@dupontnet.com")
    rig.run(WEEK)
    assert [message.ident for message in read(rig.queue)] == [ident]
    rig.run(DAY / 2)
    assert f"bounce msg {ident} qp {os.getpid()}" in rig.said()
    [bounce] = read(rig.queue)
    assert [to.address for to in bounce.recipients] == ["sender@out.example.org"]
    assert bounce.sender == "bounce"
    rig.up = True
    rig.runner.alarm()
    make_due(rig.queue, [IPv4Address(HERE)], lambda: "")
    rig.run(1)
    assert b"Subject: failure notice" in primary.got[0]


def test_renewed_in_time_it_lives_on_and_is_delivered_weeks_later(rig: Rig, primary: Primary) -> None:
    rig.up = False
    ident = rig.put("jean@dupontnet.com")
    born = rig.runner.now
    for _ in range(28 * 4):
        rig.run(DAY / 4)
        renew(rig.queue, renewals(read(rig.queue), lambda _: 30 * DAY, WEEK, rig.runner.now, rig.sendlog().running))
    [message] = read(rig.queue)
    assert (message.ident, message.arrival) == (ident, born)
    rig.up = True
    make_due(rig.queue, [IPv4Address(HERE)], lambda: "")
    rig.runner.alarm()
    rig.run(1)
    assert len(primary.got) == 1
    assert not any("too_long" in line for line in rig.said())


def test_at_the_end_of_its_time_it_bounces_as_usual(rig: Rig) -> None:
    rig.up = False
    ident = rig.put("jean@dupontnet.com")
    for day in range(1, 12):
        rig.run(DAY)
        renew(rig.queue, renewals(read(rig.queue), lambda _: 10 * DAY, WEEK, rig.runner.now))
        there = ident in [message.ident for message in read(rig.queue)]
        assert there or day > 10
    assert f"bounce msg {ident} qp {os.getpid()}" in rig.said()


def test_letters_through_the_fifo_of_a_supervisor(rig: Rig, tmp_path: Path) -> None:
    rig.runner.stop()
    control = tmp_path / "control"
    os.mkfifo(control)
    rig.runner = rig.make(control=control)
    rig.runner.start()
    rig.up = False
    rig.put("jean@dupontnet.com")
    rig.run(10)
    control_ = os.open(control, os.O_WRONLY | os.O_NONBLOCK)
    os.write(control_, b"a")
    rig.run(1)
    assert rig.tries() == [0, 10]
    due = rig.runner._due[REMOTE]
    os.write(control_, b"t")
    rig.run(1)
    assert rig.said()[-2:] == ["status: exiting", "status: local 0/10 remote 0/20"]
    assert rig.runner._due[REMOTE] == due
    os.close(control_)


def test_only_one_runs_a_queue(rig: Rig) -> None:
    with pytest.raises(BlockingIOError):
        rig.make().start()


def test_the_log_is_stamped_as_multilog_does(tmp_path: Path) -> None:
    log = Log(tmp_path / "qmail", lambda: 1_795_505_454.0)
    log("status: local 0/10 remote 0/20")
    assert (tmp_path / "qmail/current").read_text() == "@400000006b053d3800000000 status: local 0/10 remote 0/20\n"
    assert safe("jérôme@x y%\n") == "j__r__me@x_y_/"


@pytest.mark.parametrize(
    ("name", "relay"),
    [("a.com", "one"), ("x.a.com", "two"), ("y.x.a.com", "two"), ("b.com", "[192.0.2.1]:26"), ("z.org", "rest")],
)
def test_smtproutes(name: str, relay: str) -> None:
    assert relay_for(name, "# no\nA.com:one\n.a.com:two \nb.com:[192.0.2.1]:26\n:rest\n") == relay
    assert relay_for(name, "c.com:x\n") == ""


def test_delivered_to_somebody_is_noted_for_him_alone(rig: Rig) -> None:
    assert SUCCESS == "success"
    ident = rig.put("busy@mx.durantcom.net", "ok@dupontnet.com")
    rig.run(0)
    [message] = read(rig.queue)
    assert [(to.channel, to.done) for to in message.recipients] == [(Channel.LOCAL, False)]
    assert not (rig.queue / "remote" / str(ident % 23) / str(ident)).exists()
