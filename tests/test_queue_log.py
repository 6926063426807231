# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-send's log says is told in plain words, whatever strangers made it hold."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import QueueError
from mxbackup.queue.qmail.sendlog import Deferral, as_logged, parse, read_log
from tests.heldmail import DATA

RECORDED = (DATA / "qmail-send.log").read_bytes().splitlines(keepends=True)
STAMP = b"@400000006b053d3800000000 "
WHEN = 0x6B053D38 - 10
NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"


def lines(*texts: str) -> list[bytes]:
    return [STAMP + text.encode() for text in texts]


def test_the_recorded_log() -> None:
    log = parse(RECORDED)
    assert log.deferral(["alice@dupontnet.com"]) == Deferral(NO_CONNECTION, 0x6B053DBB - 10)
    assert log.reason(["jérôme@dupontnet.com"]) == NO_CONNECTION
    assert log.reason(["later.carol@martin.example.org"]) == (
        "127.0.0.20 does not like recipient. Remote host said: 451 4.2.1 mailbox busy, try again later "
        "Giving up on 127.0.0.20."
    )
    assert log.running == frozenset()


def test_the_recorded_tries() -> None:
    """Those of messages that are still there; one of a local recipient is none."""
    assert parse(RECORDED).tried == {315: 0x6B053DB9 - 10, 345: 0x6B053D39 - 10}


def test_delivered_mail_waits_for_nothing() -> None:
    told = lines("starting delivery 1: msg 7 to remote a@one.com", "delivery 1: deferral: busy/")
    assert parse([*told, *told[:1], *lines("delivery 1: success: ok/")]).deferral(["a@one.com"]) is None


def test_an_address_without_an_answer_has_that_of_its_name() -> None:
    log = parse(lines("starting delivery 1: msg 7 to remote A@One.com", "delivery 1: deferral: busy/"))
    assert log.reason(["b@one.COM"]) == "busy"
    assert log.reason(["b@two.com"]) == ""
    assert log.reason([]) == ""


def test_the_latest_of_several_counts() -> None:
    later = b"@400000006b053d3900000000 "
    log = parse([
        *lines("starting delivery 1: msg 7 to remote a@one.com", "starting delivery 2: msg 7 to remote b@one.com"),
        later + b"delivery 2: deferral: second/",
        *lines("delivery 1: deferral: first/"),
    ])  # fmt: skip
    assert log.deferral(["a@one.com", "b@one.com"]) == Deferral("second", WHEN + 1)
    assert log.reason(["a@one.com"]) == "first"


def test_what_runs_and_ends() -> None:
    begun = lines("starting delivery 1: msg 7 to remote a@one.com", "starting delivery 2: msg 8 to local b@me.com")
    assert parse(begun).running == {7}
    assert parse([*begun, *lines("delivery 1: deferral: no/")]).running == frozenset()
    assert parse([*begun, *lines("status: local 0/10 remote 0/20")]).running == frozenset()
    assert parse([*begun, *lines("status: local 0/10 remote 1/20")]).running == {7}
    assert parse([*begun, *lines("status: exiting")]).running == frozenset()


def test_numbers_begin_anew_when_qmail_send_does() -> None:
    log = parse(lines(
        "starting delivery 1: msg 7 to remote a@one.com", "status: exiting", "status: local 0/10 remote 0/20",
        "starting delivery 1: msg 8 to remote b@two.com", "delivery 1: deferral: later/",
    ))  # fmt: skip
    assert log.reason(["a@one.com"]) == ""
    assert log.reason(["b@two.com"]) == "later"


def test_a_number_that_is_used_again_is_another_message() -> None:
    log = parse(lines("starting delivery 1: msg 7 to remote a@one.com", "end msg 7", "new msg 7"))
    assert log.tried == {}


def test_the_syslog_of_sme_5() -> None:
    log = parse([
        b"Mar  9 21:00:00 sme qmail: 1078866000.123456 starting delivery 5: msg 42 to remote a@one.com",
        b"Mar  9 21:00:01 sme qmail: 1078866001.000001 delivery 5: deferral: CNAME_lookup_failed._(#4.4.3)/",
        b"Mar  9 21:00:02 sme qmailfoo: 1078866002.000001 delivery 5: success: forged/",
        b"Mar  9 21:00:03 sme sshd[7]: delivery 5: success: forged/",
    ])  # fmt: skip
    assert log.deferral(["a@one.com"]) == Deferral("CNAME lookup failed. (#4.4.3)", 1_078_866_001)
    assert log.tried == {42: 1_078_866_000}


def test_a_stranger_cannot_write_to_the_terminal_or_forge_a_line() -> None:
    evil = b"\x1b]0;owned\x07\x9b31m_<b>\xe2\x80\xae_/delivery_2:_success:_x" + b"A" * 5000
    log = parse([*lines("starting delivery 1: msg 7 to remote a@one.com"), STAMP + b"delivery 1: deferral: " + evil])
    text = log.reason(["a@one.com"])
    assert re.fullmatch(r"[ -~]{1,500}", text)
    assert text.startswith("?]0;owned??31m <b>???")


@given(st.lists(st.binary(max_size=80) | st.sampled_from(RECORDED)), st.text(max_size=20))
def test_no_log_is_a_fault(noise: list[bytes], address: str) -> None:
    text = parse(noise).reason([address, "alice@dupontnet.com"])
    assert re.fullmatch(r"[ -~]{0,500}", text)


@given(st.text(max_size=30))
def test_addresses_are_looked_for_as_they_are_logged(address: str) -> None:
    logged = as_logged(address)
    assert re.fullmatch(r"[!-$&-~]*", logged)
    log = parse(lines(f"starting delivery 1: msg 7 to remote {logged}", "delivery 1: deferral: x/"))
    assert log.reason([address]) == "x"


# Files


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    path = tmp_path / "qmail"
    path.mkdir()
    return path


def test_a_directory_of_multilog_is_read_in_order(logs: Path) -> None:
    (logs / "@400000006b053d380000000f.s").write_bytes(b"".join(RECORDED[:4]))
    (logs / "@400000006b053dff0000000f.u").write_bytes(b"".join(RECORDED[4:25]))
    (logs / "current").write_bytes(b"".join(RECORDED[25:]))
    (logs / "state").write_text("nothing to be read\n")
    assert read_log(logs) == parse(RECORDED)


def test_a_file_is_read(logs: Path) -> None:
    (logs / "maillog").write_bytes(b"".join(RECORDED))
    assert read_log(logs / "maillog") == parse(RECORDED)


@pytest.mark.parametrize("limit", [1, 60, 500, 2000, 3279, 10**6])
def test_no_more_than_the_newest_bytes_are_read(logs: Path, limit: int) -> None:
    (logs / "@400000006b053d380000000f.s").write_bytes(b"".join(RECORDED[:20]))
    (logs / "current").write_bytes(b"".join(RECORDED[20:]))
    whole = [line for at, line in enumerate(RECORDED) if sum(map(len, RECORDED[at:])) <= limit]
    log = read_log(logs, limit)
    assert log == parse(whole)


def test_a_log_that_is_not_there_is_told(logs: Path) -> None:
    for path in (logs, logs / "current", logs / "no" / "log"):
        with pytest.raises(QueueError) as refused:
            read_log(path)
        assert str(refused.value) == f"The log {path} cannot be read: No such file or directory."


def test_what_is_no_plain_file_is_never_waited_for(logs: Path) -> None:
    os.mkfifo(logs / "current")
    with pytest.raises(QueueError, match="current is no plain file"):
        read_log(logs)
