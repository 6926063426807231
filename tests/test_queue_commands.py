# SPDX-License-Identifier: GPL-2.0-or-later
"""Held mail as the commands tell it: the recorded queue, whole outputs, and a queue that cannot be read."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup import rules
from mxbackup.hosts import kind_of
from mxbackup.service import held
from tests.heldmail import DATA, RECORDED, hold, recorded_queue
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
NOW: int = RECORDED["snapshot"]
RULES = ("dupontnet.com=mxbackup|Kind|domain", "martin.example.org=mxbackup|Kind|domain")
GONE = "The mail queue {path} cannot be read: No such file or directory."


@pytest.fixture
def recorded(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """A server with the recorded queue and its log, at the time it was recorded."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    server.database("domains", *RULES)
    shutil.rmtree(server.path("/var/qmail/queue"))
    recorded_queue(server.path("/var/qmail"))
    server.write("/var/log/qmail/current", (DATA / "qmail-send.log").read_bytes())
    return server


def test_the_json_is_what_was_recorded(recorded: Scratch, mxbackup: Run) -> None:
    status, out, err = mxbackup("queue", "--json")
    said = json.loads(out)
    assert (status, err, said["version"]) == (0, "", 1)
    assert list(said) == ["version", "rules", "without_rule"]
    messages = {message["id"]: message for message in RECORDED["messages"]}
    for entry in [*said["rules"], *said["without_rule"]]:
        own = {
            message["id"]: sum(not to["done"] and _of(to, entry["name"]) for to in message["recipients"])
            for message in RECORDED["messages"]
        }
        waiting = [messages[ident] for ident, count in own.items() if count]
        assert entry["messages"] == len(waiting)
        assert entry["recipients"] == sum(own.values())
        assert entry["bytes"] == sum(message["size"] for message in waiting)
        assert entry["oldest"] == int(min(message["arrival"] for message in waiting))
    names = [[entry["name"] for entry in said[part]] for part in ("rules", "without_rule")]
    assert names == [["dupontnet.com", "martin.example.org"], ["stranger.example.net"]]
    assert said["rules"][0]["reason"] == "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"


def _of(to: dict[str, str], name: str) -> bool:
    host = to["address"].rpartition("@")[2].lower()
    return to["channel"] != "local" and (host == name or host.endswith(f".{name}"))


def test_only_what_was_asked_for(recorded: Scratch, mxbackup: Run) -> None:
    said = json.loads(mxbackup("queue", "martin.example.org", "--json")[1])
    assert [entry["name"] for entry in said["rules"]] == ["martin.example.org"]
    assert said["without_rule"] == []
    said = json.loads(mxbackup("queue", "Stranger.example.net", "--json")[1])
    assert [entry["name"] for entry in said["without_rule"]] == ["stranger.example.net"]
    assert mxbackup("queue", "hotmail.com") == (
        1, "", 'mxbackup: There is no rule for "hotmail.com". See: mxbackup list\n'
    )  # fmt: skip


def test_in_words(server: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: 1_078_866_000.0 + 9 * 3600)
    server.database("domains", *RULES)
    queue = server.path("/var/qmail/queue")
    hold(queue, 1, ["Tjean@DupontNet.com", "Tanne@dupontnet.com"], 1_078_866_000, size=3000)
    hold(queue, 2, ["Ttomy@hotmail.com"], 1_078_866_000)
    server.write(
        "/var/log/qmail/current",
        "@40000000404e2dd400000000 starting delivery 1: msg 1 to remote jean@DupontNet.com\n"
        "@40000000404e2dd500000000 delivery 1: deferral: Sorry,_nobody_answers_(#4.4.1)/\n",
    )
    status, out, err = mxbackup("queue")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == ("NAME           MESSAGES  RECIPIENTS  SIZE  WAITS FOR  NEXT TRY          SENT BACK FROM")
    assert lines[1].startswith("dupontnet.com  1         2           3 KB  9 h")
    assert lines[1].endswith("2004-03-16 21:00")
    assert lines[2] == "dupontnet.com: Sorry, nobody answers (#4.4.1)"
    assert lines[3] == "Without a rule:"
    assert lines[5].startswith("hotmail.com")
    assert lines[6] == "Messages held: 1 (3 KB), for rules: 1; the oldest waits for 9 h."
    assert lines[7:] == []


def test_nothing_is_held(server: Scratch, mxbackup: Run) -> None:
    assert mxbackup("queue") == (0, "No mail is held.\n", "")
    assert json.loads(mxbackup("queue", "--json")[1]) == {"version": 1, "rules": [], "without_rule": []}


def test_what_show_status_and_list_say(recorded: Scratch, mxbackup: Run) -> None:
    shown = next(line for line in mxbackup("show", "dupontnet.com")[1].splitlines() if line.startswith("Held"))
    assert shown.startswith("Held mail: messages: ")
    assert shown.endswith(". Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)")
    assert "Messages held: " in mxbackup("status")[1]
    assert "Messages for names without a rule: " in mxbackup("status")[1]
    queue = json.loads(mxbackup("queue", "--json")[1])
    listed = json.loads(mxbackup("list", "--json")[1])
    assert [rule["held"] for rule in listed["rules"]] == [queue["rules"][0], queue["rules"][1]]
    assert listed["queue_trouble"] is None
    assert json.loads(mxbackup("show", "martin.example.org", "--json")[1])["held"] == queue["rules"][1]
    status = json.loads(mxbackup("status", "--json")[1])
    assert status["without_rule"] == {other["name"]: other["messages"] for other in queue["without_rule"]}
    assert status["held"]["recipients"] == sum(rule["recipients"] for rule in queue["rules"])


def test_a_queue_that_is_gone_is_said_everywhere(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", *RULES)
    queue = server.path("/var/qmail/queue")
    shutil.rmtree(queue)
    said = GONE.format(path=queue)
    assert mxbackup("queue") == (3, "", f"mxbackup: {said}\n")
    assert f"Held mail: {said}\n" in mxbackup("show", "dupontnet.com")[1]
    assert f"{said}\n" in mxbackup("status")[1]
    for words in (("list",), ("show", "dupontnet.com"), ("status",)):
        document = json.loads(mxbackup(*words, "--json")[1])
        assert document["queue_trouble"] == said
    assert json.loads(mxbackup("status", "--json")[1])["held"] is None


def test_a_log_that_cannot_be_read_is_said(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", *RULES)
    hold(server.path("/var/qmail/queue"), 1, ["Tjean@dupontnet.com"], int(time.time()))
    status, out, err = mxbackup("queue", "--json")
    assert (status, json.loads(out)["rules"][0]["reason"]) == (0, None)
    assert err.startswith("Why it waits is not known: The log ")


def test_a_host_with_postfix_says_that_its_queue_is_not_read(server: Scratch, mxbackup: Run) -> None:
    server.database("configuration", "postfix=service|SMTPSmartHost||status|enabled")
    assert mxbackup("queue") == (
        3, "", "mxbackup: The mail of this server is held by Postfix, whose queue is not read here.\n"
    )  # fmt: skip


def test_mail_is_held_as_long_as_all_mail_is(server: Scratch) -> None:
    reading = kind_of(server.host).queue.read()
    assert held.hold(rules.make("dupontnet.com"), reading) == 604_800


def test_a_message_half_written_stops_nothing(server: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    server.database("domains", *RULES)
    queue = server.path("/var/qmail/queue")
    hold(queue, 1, ["Tjean@dupontnet.com"], int(time.time()))
    (queue / "remote/0/1").write_bytes(b"Tjean@dupontnet.com\0Tan")
    said = json.loads(mxbackup("queue", "--json")[1])
    assert [(rule["messages"], rule["recipients"]) for rule in said["rules"]] == [(1, 1)]
