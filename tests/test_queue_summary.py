# SPDX-License-Identifier: GPL-2.0-or-later
"""What is held, by rule: the recorded queue as it was described when it was recorded, and whatever may be in one."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mxbackup.queue import Channel, Held, Message, Recipient, summarise
from mxbackup.queue.messages import waiting
from mxbackup.queue.qmail import as_seen
from mxbackup.queue.qmail.reading import read
from mxbackup.queue.qmail.sendlog import SendLog, read_log
from tests.heldmail import DATA, RECORDED, recorded_queue

NOW: int = RECORDED["snapshot"]
LIFETIME: int = RECORDED["queuelifetime"]
RULES = ("dupontnet.com", "martin.example.org")


def rule_of(name: str) -> str | None:
    return next((rule for rule in RULES if name == rule or name.endswith(f".{rule}")), None)


def recorded(below: Path, log: SendLog | None = None) -> list[Message]:
    return as_seen(read(recorded_queue(below)), log or SendLog(), LIFETIME, NOW)


def nothing(name: str) -> None:
    """No rule holds longer."""


def truth(name: str | None) -> dict[str, Any]:
    """What the description says of one rule, or of the names without."""
    waiting = [
        (message, to)
        for message in RECORDED["messages"]
        for to in message["recipients"]
        if not to["done"] and to["channel"] != "local" and rule_of(to["address"].rpartition("@")[2].lower()) == name
    ]
    messages = {message["id"]: message for message, _ in waiting}.values()
    return {
        "name": name or "stranger.example.net",
        "messages": len(messages),
        "recipients": len(waiting),
        "bytes": sum(message["size"] for message in messages),
        "oldest": int(min(message["arrival"] for message in messages)),
        "next": min(message["next_remote_try"] for message in messages if message["state"] == "queued"),
        "expires": int(min(message["birth"] or message["arrival"] for message in messages)) + LIFETIME,
        "reason": None,
    }


def test_the_recorded_queue_is_told_as_it_was_recorded(tmp_path: Path) -> None:
    summary = summarise(recorded(tmp_path), rule_of, nothing)
    assert summary.to_json() == {
        "rules": [truth("dupontnet.com"), truth("martin.example.org")],
        "without_rule": [truth(None)],
    }
    assert json.loads(json.dumps(summary.to_json())) == summary.to_json()


def test_a_message_for_two_rules_counts_once_in_the_totals(tmp_path: Path) -> None:
    summary = summarise(recorded(tmp_path), rule_of, nothing)
    both = 315, 379  # the messages that have recipients of both
    sizes = {message["id"]: message["size"] for message in RECORDED["messages"]}
    assert summary.messages == sum(held.messages for held in summary.rules) - len(both)
    assert summary.bytes == sum(held.bytes for held in summary.rules) - sum(sizes[ident] for ident in both)
    assert summary.recipients == sum(held.recipients for held in summary.rules)


def test_why_it_waits_is_the_last_answer(tmp_path: Path) -> None:
    log = read_log(DATA / "qmail-send.log")
    summary = summarise(recorded(tmp_path, log), rule_of, nothing, log.reason)
    assert [held.reason for held in summary.rules] == [
        "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)",
        "127.0.0.20 does not like recipient. Remote host said: 451 4.2.1 mailbox busy, try again later "
        "Giving up on 127.0.0.20.",
    ]


def test_nothing_held() -> None:
    summary = summarise([], rule_of, nothing)
    assert summary.to_json() == {"rules": [], "without_rule": []}
    assert (summary.messages, summary.recipients, summary.bytes) == (0, 0, 0)


def test_what_is_in_todo_counts_for_its_rule_and_for_no_name_without() -> None:
    recipients = tuple(Recipient(f"a@{name}", name, None) for name in ("dupontnet.com", "durantcom.net"))
    message = Message(1, 500, 10, recipients, None, 500 + LIFETIME)
    assert summarise([message], rule_of, nothing).rules == (
        Held("dupontnet.com", 1, 1, 10, 500, None, 500 + LIFETIME, ""),
    )
    assert summarise([message], rule_of, nothing).without_rule == ()


_RECIPIENTS = st.builds(
    lambda name, channel, done: Recipient(f"a@{name}", name, channel, done),
    st.sampled_from([*RULES, "www.dupontnet.com", "stranger.example.net", "hotmail.com"]),
    st.sampled_from(Channel),
    st.booleans(),
)
_MESSAGES = st.lists(
    st.builds(
        Message,
        st.integers(1, 10**6),
        st.integers(1, NOW),
        st.integers(1, 10**6),
        st.lists(_RECIPIENTS, max_size=4).map(tuple),
        st.integers(1, NOW),
        st.integers(1, NOW),
    ),
    unique_by=lambda message: message.ident,
    max_size=10,
)


@given(_MESSAGES)
def test_nobody_who_waits_is_forgotten_or_counted_twice(messages: list[Message]) -> None:
    summary = summarise(messages, rule_of, nothing)
    left = [to for message in messages for to in waiting(message.recipients, Channel.REMOTE)]
    ours = [
        message for message in messages if any(rule_of(to.name) for to in waiting(message.recipients, Channel.REMOTE))
    ]
    told = (*summary.rules, *summary.without_rule)
    assert sum(held.recipients for held in told) == len(left)
    assert summary.messages == len(ours)
    assert summary.bytes == sum(message.size for message in ours)
    assert {held.name for held in summary.without_rule} == {to.name for to in left if not rule_of(to.name)}
    assert {held.next for held in told} <= {message.next for message in messages}
