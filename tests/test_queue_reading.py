# SPDX-License-Identifier: GPL-2.0-or-later
"""The queue is read as qmail means it: the recorded one, made ones, and those that are being changed or broken."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import QueueError
from mxbackup.queue import Channel, Recipient
from mxbackup.queue.messages import waiting
from mxbackup.queue.qmail.messages import QmailMessage, Sender, next_try, retry
from mxbackup.queue.qmail.reading import read, split
from tests.heldmail import RECORDED, empty_queue, hold, in_todo, recorded_queue

QUEUED: list[dict[str, Any]] = [message for message in RECORDED["messages"] if message["state"] == "queued"]
NOW: int = RECORDED["snapshot"]


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return empty_queue(tmp_path / "queue")


def kind(sender: str) -> Sender:
    kinds = {"": Sender.BOUNCE, "list-return-@out.example.org-@[]": Sender.VERP}
    return kinds.get(sender, Sender.ORDINARY)


def told(message: dict[str, Any]) -> dict[str, Any]:
    """What the description of the recorded queue tells of a message, in the words of ours."""
    recipients = [
        (to["address"], to["address"].rpartition("@")[2].lower(), to["channel"], to["done"])
        for to in message["recipients"]
    ]
    return {
        "ident": message["id"],
        "sender": kind(message["sender"]),
        "birth": message["birth"] and int(message["birth"]),
        "arrival": int(message["arrival"]),
        "size": message["size"],
        "recipients": sorted(recipients, key=str),
        "remote": message.get("next_remote_try"),
        "local": message.get("next_local_try"),
    }


def seen(message: QmailMessage) -> dict[str, Any]:
    return {
        "ident": message.ident,
        "sender": message.sender,
        "birth": message.birth,
        "arrival": message.arrival,
        "size": message.size,
        "recipients": sorted((tuple(to) for to in message.recipients), key=str),
        "remote": next_try(message, NOW),
        "local": next_try(message, NOW, Channel.LOCAL),
    }


def test_the_recorded_queue(tmp_path: Path) -> None:
    messages = read(recorded_queue(tmp_path))
    assert sorted(map(seen, messages), key=str) == sorted(
        (told(message) for message in RECORDED["messages"] if message["state"] != "aborted"), key=str
    )
    assert all(message.whole for message in messages)
    assert split(tmp_path / "queue") == RECORDED["conf_split"]


@pytest.mark.parametrize("message", QUEUED, ids=lambda message: str(message["id"]))
def test_the_recorded_schedule(message: dict[str, Any]) -> None:
    birth = int(message["birth"])
    assert retry(birth, message["last_remote_try"]) == message["next_remote_try"]
    assert retry(birth, NOW) == message["next_remote_try_if_tried_at_snapshot"]


@given(st.integers(0, 10**6), st.sampled_from(Channel))
def test_a_schedule_that_nothing_disturbs(age: int, channel: Channel) -> None:
    """From a fresh message: 400, 1,600, 3,600 s, and so on; the next of them is told at any time."""
    to = Recipient("jean@dupontnet.com", "dupontnet.com", channel)
    message = QmailMessage(1, "1", Sender.ORDINARY, 1000, 1000, 1, (to,), ((channel, 1000),))
    slot = 1000
    while slot <= 1000 + age:
        slot = retry(1000, slot, channel)
    assert next_try(message, 1000 + age, channel) == slot


def test_the_last_try_counts_more_than_the_file_unless_the_birth_is_younger(queue: Path) -> None:
    hold(queue, 5, ["Ta@dupontnet.com"], birth=1000, due=9000)
    [message] = read(queue)
    assert next_try(message, now=5000) == 9000
    assert next_try(message, now=5000, tried=3500) == 1000 + (50 + 20) ** 2
    assert next_try(message, now=5000, tried=900) == 9000
    assert next_try(message, now=9000) == 1000 + 100**2


def test_nothing_is_tried_for_those_who_have_it(queue: Path) -> None:
    hold(queue, 5, ["Da@dupontnet.com", "Db@dupontnet.com"], birth=1000)
    [message] = read(queue)
    assert next_try(message, now=2000) is None
    assert list(waiting(message.recipients)) == []


@pytest.mark.parametrize("parts", [1, 2, 23, 401])
@pytest.mark.parametrize("split_todo", [False, True])
def test_the_split_is_detected(tmp_path: Path, parts: int, split_todo: bool) -> None:
    queue = empty_queue(tmp_path / "queue", parts, split_todo)
    hold(queue, 1000, ["Ta@DupontNet.com"], birth=1000)
    in_todo(queue, 1001, b"u0\0p7\0F#@[]\0Tb@dupontnet.com\0", arrival=2000)
    assert read(queue) == [
        QmailMessage(1000, str(1000 % parts), Sender.ORDINARY, 1000, 1000, 100,
                (Recipient("a@DupontNet.com", "dupontnet.com", Channel.REMOTE),), ((Channel.REMOTE, 1000),)),
        QmailMessage(1001, str(1001 % parts), Sender.DOUBLE_BOUNCE, None, 2000, 100,
                (Recipient("b@dupontnet.com", "dupontnet.com", None),)),
    ]  # fmt: skip
    assert split(queue) == parts


def test_what_is_in_todo_is_told_by_that_alone(queue: Path) -> None:
    """qmail-send has begun to write its channels: what stands there may be the half."""
    in_todo(queue, 46, b"u0\0p7\0Fa@b.net\0Ta@one.com\0Tb@two.com\0", arrival=2000)
    (queue / "info/0/46").write_bytes(b"")
    (queue / "remote/0/46").write_bytes(b"Ta@one.com\0Tb@t")
    [message] = read(queue)
    assert [to.address for to in message.recipients] == ["a@one.com", "b@two.com"]
    assert message.birth is None
    assert message.whole


def test_a_half_written_file_gives_what_is_whole_of_it_and_says_so(queue: Path) -> None:
    hold(queue, 5, ["Ta@one.com"], birth=1000)
    with (queue / "remote/5/5").open("a") as file:
        file.write("Tb@tw")
    [message] = read(queue)
    assert [to.address for to in message.recipients] == ["a@one.com"]
    assert not message.whole


def test_what_has_no_message_or_no_envelope_is_not_held(queue: Path) -> None:
    hold(queue, 5, ["Ta@one.com"], birth=1000)
    (queue / "mess/5/5").unlink()
    hold(queue, 6, ["Ta@one.com"], birth=1000)
    (queue / "info/6/6").unlink()
    assert read(queue) == []


def test_what_vanishes_meanwhile_is_tolerated(queue: Path) -> None:
    for ident in range(1000):
        hold(queue, ident, ["Ta@one.com"], birth=1000)
    stop = threading.Event()

    def deliver() -> None:
        for ident in range(1000):
            for part in ("remote", "info", "mess"):
                (queue / part / str(ident % 23) / str(ident)).unlink()
        stop.set()

    delivering = threading.Thread(target=deliver)
    delivering.start()
    counts = []
    while not stop.is_set():
        counts.append(len(read(queue)))
    delivering.join()
    assert counts == sorted(counts, reverse=True)
    assert read(queue) == []


@pytest.mark.parametrize("part", ["", "info", "remote", "local", "mess", "todo"])
def test_a_queue_without_one_of_its_directories_is_refused(queue: Path, part: str) -> None:
    missing = queue / part
    missing.rename(queue.with_name("away"))
    with pytest.raises(QueueError) as refused:
        read(queue)
    assert str(refused.value) == f"The mail queue {queue} cannot be read: No such file or directory."


def test_directories_that_are_no_split_are_refused(queue: Path) -> None:
    (queue / "info/7").rmdir()
    with pytest.raises(QueueError, match="is no queue of qmail: its directories are not numbered"):
        read(queue)


def test_a_queue_that_may_not_be_read_is_refused(queue: Path) -> None:
    """As another user, since root may read all."""
    for path in [*queue.parents][:3]:
        path.chmod(0o755)
    (queue / "info/7").chmod(0o700)
    child = os.fork()
    if not child:
        os.setuid(65534)
        try:
            read(queue)
        except QueueError as error:
            os._exit(7 if str(error) == f"The mail queue {queue} cannot be read: Permission denied." else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("part", ["info", "remote"])
def test_what_is_no_plain_file_is_refused_and_never_waited_for(queue: Path, part: str) -> None:
    hold(queue, 5, ["Ta@one.com"], birth=1000)
    (queue / part / "5/5").unlink()
    os.mkfifo(queue / part / "5/5")
    with pytest.raises(QueueError, match="is no plain file"):
        read(queue)
    (queue / part / "5/5").unlink()
    (queue / part / "5/5").symlink_to("/etc/passwd")
    with pytest.raises(QueueError, match="Too many levels of symbolic links"):
        read(queue)


_ADDRESSES = st.lists(
    st.tuples(st.sampled_from("TD"), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)),
    max_size=5,
)


@given(
    messages=st.lists(
        st.tuples(st.integers(1, 10**9), st.integers(1, 2**31), _ADDRESSES, _ADDRESSES),
        unique_by=lambda message: message[0],
        max_size=8,
    )
)
def test_whatever_is_put_in_is_read(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[int, int, Any, Any]]
) -> None:
    queue = empty_queue(tmp_path_factory.mktemp("any") / "queue", split=3)
    for ident, birth, local, remote in messages:
        for channel, recipients in (("local", local), ("remote", remote)):
            hold(queue, ident, [f"{done}{address}" for done, address in recipients], birth, channel=channel)
    assert {
        message.ident: (message.birth, [(to.channel, "D" if to.done else "T", to.address) for to in message.recipients])
        for message in read(queue)
    } == {
        ident: (birth, [("local", *to) for to in local] + [("remote", *to) for to in remote])
        for ident, birth, local, remote in messages
    }
