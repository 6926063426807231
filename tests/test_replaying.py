# SPDX-License-Identifier: GPL-2.0-or-later
"""`mxbackup check --replay`: one message through the queue, and what the log says became of it."""

import json
import time
from collections.abc import Callable
from email import message_from_string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.lookup.answers import FAILED, Answer, Outcome
from mxbackup.outage import Event, Happening
from mxbackup.queue import Attempt, Ending
from mxbackup.queue.postfix import maillog
from mxbackup.queue.qmail import sendlog
from mxbackup.service import inspecting, replaying
from mxbackup.service.outages import Outages, Turn
from tests.heldmail import DATA
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
SENDER = "mxbackup-1@example.com"
STAMP = "@400000006b053d3800000000"
LOG = "/var/log/qmail/current"
FORBIDS = Answer(Outcome.FOUND, ("other", "v=spf1 -all"))
POSTFIX = """\
Nov 24 12:00:00 sme postfix/qmgr[9]: 4XyzAB12: from=<mxbackup-1@example.com>, size=400, nrcpt=1 (queue active)
Nov 24 12:00:00 sme postfix/qmgr[9]: 77AB: from=<other@example.com>, size=400, nrcpt=1 (queue active)
Nov 24 12:00:01 sme postfix/smtp[8]: 77AB: to=<a@b.org>, relay=b.org[192.0.2.1]:25, delay=1, status=sent (250 ok)
"""
ANSWER = (
    "Nov 24 12:00:01 sme postfix/smtp[8]: 4XyzAB12: to=<postmaster@dupontnet.com>, relay=dupontnet.com[192.0.2.25]:25, "
    "delay=1, dsn=5.7.1, status={status} (host dupontnet.com[192.0.2.25] said: {text})\n"
)


def qmail_log(sender: str, result: str) -> str:
    lines = (
        "new msg 3", "info msg 3: bytes 400 from <other@example.com> qp 7 uid 0",
        "starting delivery 1: msg 3 to remote a@b.org",
        "new msg 5", f"info msg 5: bytes 400 from <{sender}> qp 8 uid 0",
        "starting delivery 2: msg 5 to remote postmaster@dupontnet.com",
        "delivery 1: success: 192.0.2.1_accepted_message./", f"delivery 2: {result}", "end msg 5",
    )  # fmt: skip
    return "".join(f"{STAMP} {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("result", "attempt"),
    [
        (
            "success: 192.0.2.25_accepted_message./Remote_host_said:_250_taken/",
            Attempt(Ending.ACCEPTED, "192.0.2.25 accepted message. Remote host said: 250 taken"),
        ),
        ("deferral: Connected_but_greylisted/", Attempt(Ending.DEFERRED, "Connected but greylisted")),
        ("failure: 550_SPF_says_no/", Attempt(Ending.REFUSED, "550 SPF says no")),
    ],
)
def test_what_qmail_logs(result: str, attempt: Attempt) -> None:
    lines = qmail_log(SENDER, result).encode().splitlines()
    assert sendlog.attempt(lines, SENDER) == attempt
    assert sendlog.attempt(lines[:7], SENDER) is None
    assert sendlog.attempt(lines, "another@example.com") is None


def test_what_the_recorded_log_says_of_the_last_of_several() -> None:
    """All of them have one sender there, which no message of ours shares with another."""
    lines = (DATA / "qmail-send.log").read_bytes().splitlines()
    found = sendlog.attempt(lines, "sender@out.example.org")
    assert found
    assert (found.ending, found.text[:10]) == (Ending.REFUSED, "127.0.0.20")


@pytest.mark.parametrize(
    ("status", "ending"), [("sent", Ending.ACCEPTED), ("deferred", Ending.DEFERRED), ("bounced", Ending.REFUSED)]
)
def test_what_postfix_logs(status: str, ending: Ending) -> None:
    assert maillog.attempt(POSTFIX.splitlines(), SENDER) is None
    lines = (POSTFIX + ANSWER.format(status=status, text="550 5.7.1 SPF (no)")).splitlines()
    said = "host dupontnet.com[192.0.2.25] said: 550 5.7.1 SPF (no)"
    assert maillog.attempt(lines, SENDER) == Attempt(ending, said)


@given(st.lists(st.text()), st.lists(st.binary()))
def test_whatever_a_log_holds_is_no_answer_to_us(texts: list[str], lines: list[bytes]) -> None:
    assert maillog.attempt(texts, SENDER) is None
    assert sendlog.attempt(lines, SENDER) is None


@pytest.fixture
def ready(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """A server with a rule in force, whose sendmail notes what it is given, and logs what /answer says."""
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    monkeypatch.setattr(inspecting, "outdated", lambda context, inventory: [])
    monkeypatch.setattr(replaying, "_published", lambda context, domain: FORBIDS)
    monkeypatch.setattr(replaying, "PATIENCE", 0.2)
    monkeypatch.setattr(replaying, "PAUSE", 0.01)
    server.write(LOG, "")
    server.write("/answer", "success: 192.0.2.25_accepted_message./Remote_host_said:_250_taken/")
    note = qmail_log("$2", "$(cat $root/answer)").replace("\n", "\\n")
    server.script(
        "/var/qmail/bin/qmail-inject",
        f'root={server.root}; cat > $root/message; echo "$@" > $root/arguments; printf "{note}" >> $root{LOG}',
    )
    return server


def test_it_is_sent_and_told(ready: Scratch, mxbackup: Run) -> None:
    status, out, err = mxbackup("check", "--replay", "dupontnet.com", "--yes")
    sender = ready.read("/arguments").split()[1]
    assert sender.startswith("mxbackup-")
    assert sender.endswith("@example.com")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == f"Sent through this server's queue, from {sender} to postmaster@dupontnet.com."
    assert out.splitlines()[1].endswith(" s: 192.0.2.25 accepted message. Remote host said: 250 taken")
    message = message_from_string(ready.read("/message"))
    assert (message["From"], message["To"]) == (sender, "postmaster@dupontnet.com")
    assert [event.happening for event in Outages(ready.host).past("dupontnet.com").events] == ["replayed", "answered"]


def test_a_refusal_says_what_the_owner_should_do(ready: Scratch, mxbackup: Run) -> None:
    ready.write("/answer", "failure: 550_SPF_says_no/")
    status, out, _ = mxbackup("check", "--replay", "dupontnet.com", "--yes", "--recipient", "jean@www.dupontnet.com")
    assert status == 1
    assert "It was refused for good" in out
    assert "mxbackup letter dupontnet.com" in out
    assert "to jean@www.dupontnet.com." in out


def test_as_json(ready: Scratch, mxbackup: Run) -> None:
    ready.write("/answer", "deferral: greylisted/")
    status, out, _ = mxbackup("check", "--replay", "dupontnet.com", "--yes", "--json")
    told = json.loads(out)
    assert status == 1
    assert (told["version"], told["name"], told["outcome"], told["text"]) == (
        1, "dupontnet.com", "deferred", "greylisted",
    )  # fmt: skip


def test_without_an_answer_nothing_is_known(ready: Scratch, mxbackup: Run) -> None:
    ready.script("/var/qmail/bin/qmail-inject", "cat > /dev/null")
    status, out, _ = mxbackup("check", "--replay", "dupontnet.com", "--yes")
    assert status == 3
    assert "To see: mxbackup queue dupontnet.com" in out


def test_one_an_hour(ready: Scratch, mxbackup: Run) -> None:
    now = int(time.time())
    store = Outages(ready.host)
    old = [Event(now - 3700, Happening.REPLAYED, "dupontnet.com"), Event(now, Happening.REPLAYED, "durand.org")]
    store.update(lambda known: Turn(known.states, old))
    assert mxbackup("check", "--replay", "dupontnet.com", "--yes")[0] == 0
    ready.path("/message").unlink()
    status, out, err = mxbackup("check", "--replay", "dupontnet.com", "--yes")
    assert (status, out) == (3, "")
    assert "less than an hour ago" in err
    assert not ready.path("/message").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["dupontnet.com"], 2, "Ask its owner, then add --yes."),
        (["--yes"], 2, "--replay is for one NAME."),
        (["dupontnet.com", "durand.org", "--yes"], 2, "--replay is for one NAME."),
        (["durand.org", "--yes"], 1, 'There is no rule for "durand.org"'),
        (["dupontnet.com", "--yes", "--recipient", "jean@durand.org"], 2, "jean@durand.org is no recipient of"),
        (["dupontnet.com", "--yes", "--recipient", "jean"], 2, '"jean" is no e-mail address'),
    ],
)
def test_what_is_not_sent(ready: Scratch, mxbackup: Run, arguments: list[str], status: int, said: str) -> None:
    code, _, err = mxbackup("check", "--replay", *arguments)
    assert code == status
    assert said in err
    assert not ready.path("/message").exists()


@pytest.mark.parametrize("answer", [FAILED, Answer(Outcome.FOUND, ("v=spf1 mx -all",))])
def test_a_sender_that_may_be_ours_proves_nothing(
    ready: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(replaying, "_published", lambda context, domain: answer)
    status, _, err = mxbackup("check", "--replay", "dupontnet.com", "--yes", "--sender-domain", "durantcom.net")
    assert status == 2
    assert 'The records of durantcom.net do not say "v=spf1 -all"' in err
    assert not ready.path("/message").exists()


def test_a_log_that_cannot_be_read_is_said_before(ready: Scratch, mxbackup: Run) -> None:
    ready.path(LOG).unlink()
    ready.path(LOG).parent.rmdir()
    status, _, err = mxbackup("check", "--replay", "dupontnet.com", "--yes")
    assert status == 3
    assert "/var/log/qmail cannot be read" in err
    assert not ready.path("/message").exists()
