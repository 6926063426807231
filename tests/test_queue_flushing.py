# SPDX-License-Identifier: GPL-2.0-or-later
"""Time-outs are forgotten one by one, and qmail-send is told through real supervisors only."""

import fcntl
import os
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import HostError, QueueError
from mxbackup.queue.qmail import tcpto
from mxbackup.queue.qmail.flushing import make_due
from mxbackup.queue.qmail.tcpto import TimeOut
from tests.heldmail import RECORDED, empty_queue, recorded_queue
from tests.scratch import Scratch

HERS, HIS = IPv4Address("203.0.113.10"), IPv4Address("192.0.2.25")


def record(address: IPv4Address, count: int = 2, when: int = 1_795_505_585, unused: bytes = b"xyz") -> bytes:
    return address.packed + bytes([count]) + unused + struct.pack("<Q", when)


def file_of(queue: Path, contents: bytes) -> Path:
    path = queue / "lock/tcpto"
    path.write_bytes(contents)
    return path


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return empty_queue(tmp_path / "queue", split=1)


# tcpto


def test_the_recorded_time_out(tmp_path: Path) -> None:
    [recorded] = RECORDED["tcpto"]["records"]
    queue = recorded_queue(tmp_path)
    [found] = tcpto.read_time_outs(queue)
    assert found == TimeOut(IPv4Address(recorded["ip"]), recorded["count"], recorded["when"])
    assert tcpto.clear(queue, found.address)
    assert (queue / "lock/tcpto").read_bytes() == bytes(RECORDED["tcpto"]["file_size"])
    assert not tcpto.clear(queue, found.address)


@given(st.lists(st.tuples(st.ip_addresses(v=4), st.integers(0, 10), st.integers(0, 2**40)), max_size=64))
def test_whatever_is_recorded_is_read(records: list[tuple[IPv4Address, int, int]]) -> None:
    contents = b"".join(record(*values) for values in records)
    assert tcpto.parse(contents.ljust(1024, b"\0")) == [TimeOut(*values) for values in records if values[1]]


@given(st.binary(max_size=2000))
def test_anything_is_read_as_qmail_remote_does(contents: bytes) -> None:
    assert len(tcpto.parse(contents)) <= min(len(contents) // 16, 64)


@pytest.mark.parametrize(("count", "age", "skipped"), [(1, 0, False), (2, 0, True), (2, 5823, True), (10, 5824, False)])
def test_when_an_address_is_skipped(count: int, age: int, skipped: bool) -> None:
    assert TimeOut(HERS, count, 1000).skipped(1000 + age) is skipped


def test_only_the_records_of_the_address_are_zeroed(queue: Path) -> None:
    free, his, hers = bytes(16), record(HIS), record(HERS)
    path = file_of(queue, his + free + hers + record(HIS, count=1) + free * 60)
    inode = path.stat().st_ino
    assert tcpto.clear(queue, HERS)
    assert path.read_bytes() == his + free + free + record(HIS, count=1) + free * 60
    assert path.stat().st_ino == inode


def test_an_address_without_a_record_changes_nothing(queue: Path) -> None:
    contents = record(HIS) + bytes(16)
    path = file_of(queue, contents)
    assert not tcpto.clear(queue, HERS)
    assert path.read_bytes() == contents


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_file_of_an_odd_size(queue: Path, size: int) -> None:
    path = file_of(queue, record(HERS).ljust(size, b"\0")[:size])
    before = path.read_bytes()
    if size % 16:
        with pytest.raises(QueueError, match=f"its size is {size} bytes, and no multiple of 16"):
            tcpto.clear(queue, HERS)
    else:
        assert not tcpto.clear(queue, HERS)
    assert path.read_bytes() == before


def test_a_missing_file_is_told(queue: Path) -> None:
    for attempt in (lambda: tcpto.read_time_outs(queue), lambda: tcpto.clear(queue, HERS)):
        with pytest.raises(QueueError) as refused:
            attempt()
        assert str(refused.value) == (
            f"The mail queue {queue / 'lock/tcpto'} cannot be read: No such file or directory."
        )


def test_a_lock_that_is_not_given_up_is_not_waited_for_for_ever(queue: Path) -> None:
    path = file_of(queue, record(HERS))
    with path.open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(QueueError, match=r"was locked for 0 seconds\. Nothing was changed"):
            tcpto.clear(queue, HERS, patience=0.1)
        assert path.read_bytes() == record(HERS)
    assert tcpto.clear(queue, HERS, patience=0.1)


def test_links_lead_nowhere(queue: Path, tmp_path: Path) -> None:
    """The directories belong to qmail's users, who are not to decide what root writes to."""
    victim = tmp_path / "victim"
    victim.write_bytes(record(HERS))
    path = queue / "lock/tcpto"
    path.symlink_to(victim)
    with pytest.raises(QueueError, match="Too many levels of symbolic links"):
        tcpto.clear(queue, HERS)
    path.unlink()
    os.link(victim, path)
    with pytest.raises(QueueError, match="is no plain file"):
        tcpto.clear(queue, HERS)
    (queue / "lock").rename(queue / "lock.away")
    (queue / "lock").symlink_to(tmp_path)
    victim.rename(tmp_path / "tcpto")
    with pytest.raises(QueueError, match=r"Not a directory|Too many levels"):
        tcpto.clear(queue, HERS)
    assert (tmp_path / "tcpto").read_bytes() == record(HERS)


# ALRM

TRAP = """\
trap 'echo alarm >> signals' ALRM
trap 'echo term >> signals; exit' TERM
echo up >> signals
while :; do sleep 0.05; done
"""


@pytest.fixture(params=["runsv", "supervise"])
def supervised(request: pytest.FixtureRequest, server: Scratch) -> Iterator[Scratch]:
    """A service `qmail` that notes its signals, under the supervisor of SME 7 or that of SME 6."""
    server.script("/service/qmail/run", TRAP)
    tool = {"runsv": "sv", "supervise": "svc"}[request.param]
    server.path("/usr/bin").mkdir(parents=True)
    server.path(f"/usr/bin/{tool}").symlink_to(f"/usr/bin/{tool}")
    server.path("/out").touch()
    with subprocess.Popen([request.param, "."], cwd=server.path("/service/qmail")) as process:
        await_(lambda: noted(server) == ["up"] and any(status_pid(server)))
        yield server
        subprocess.run([f"/usr/bin/{tool}", *{"sv": ["x"], "svc": ["-dx"]}[tool], server.path("/service/qmail")])
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def status_pid(server: Scratch) -> bytes:
    """What the supervisor says of the process: it writes that after it has started it."""
    status = server.path("/service/qmail/supervise/status")
    return status.read_bytes()[12:16] if status.exists() else b""


def noted(server: Scratch) -> list[str]:
    path = server.path("/service/qmail/signals")
    return path.read_text().split() if path.exists() else []


def await_(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "that never happened"
        time.sleep(0.02)


def test_a_real_supervisor_hands_on_the_alarm(supervised: Scratch) -> None:
    used = supervised.host.alarm("qmail")
    assert used in ("sv a /service/qmail", "svc -a /service/qmail")
    await_(lambda: noted(supervised) == ["up", "alarm"])


def test_without_its_program_the_supervisor_is_told_by_its_fifo(supervised: Scratch) -> None:
    for tool in ("sv", "svc"):
        supervised.path(f"/usr/bin/{tool}").unlink(missing_ok=True)
    assert supervised.host.alarm("qmail") == "/service/qmail/supervise/control"
    await_(lambda: noted(supervised) == ["up", "alarm"])


def test_a_service_that_is_down_is_told(supervised: Scratch) -> None:
    tool = next(supervised.path("/usr/bin").iterdir())
    subprocess.run([tool, {"sv": "d", "svc": "-d"}[tool.name], supervised.path("/service/qmail")], check=True)
    await_(lambda: noted(supervised) == ["up", "term"])
    time.sleep(0.3)
    with pytest.raises(HostError) as refused:
        supervised.host.alarm("qmail")
    assert str(refused.value) == "qmail is not running."


def test_a_host_where_nothing_supervises_qmail(server: Scratch) -> None:
    server.script("/etc/rc.d/init.d/qmail", "exit 0")
    with pytest.raises(HostError) as refused:
        server.host.alarm("qmail")
    assert str(refused.value) == "Nothing supervises qmail on this server, so no signal can reach it."


def test_systemd_signals_the_main_process_of_a_unit(server: Scratch) -> None:
    server.script("/usr/bin/systemctl", f'echo "$*" >> {server.root}/calls')
    assert server.host.alarm("qmail") == "systemctl kill --kill-who=main --signal=ALRM qmail"
    assert server.read("/calls") == "cat qmail.service\nkill --kill-who=main --signal=ALRM qmail.service\n"


def test_a_supervisor_that_is_dead_is_told(server: Scratch) -> None:
    server.path("/service/qmail/supervise").mkdir(parents=True)
    os.mkfifo(server.path("/service/qmail/supervise/control"))
    with pytest.raises(HostError, match="qmail could not be sent a signal: /service/qmail/supervise/control"):
        server.host.alarm("qmail")


# Together


def test_making_due_clears_the_primary_and_signals_after_that(queue: Path) -> None:
    path = file_of(queue, record(HERS) + record(HIS) + bytes(16))
    seen: list[bytes] = []

    def alarm() -> str:
        seen.append(path.read_bytes())
        return "sv a /service/qmail"

    assert make_due(queue, [HERS], alarm) == "sv a /service/qmail"
    assert seen == [bytes(16) + record(HIS) + bytes(16)]


def test_what_could_not_be_cleared_is_not_signalled(queue: Path) -> None:
    def alarm() -> str:
        raise AssertionError

    with pytest.raises(QueueError):
        make_due(queue, [HERS], alarm)
