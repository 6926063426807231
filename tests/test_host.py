# SPDX-License-Identifier: GPL-2.0-or-later
"""The host, made of small real programs: expanding, events, and every way to restart qmail."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mxbackup.errors import HostError, RenderError
from mxbackup.esmith.host import CONTROL as CONTROLS
from mxbackup.esmith.host import Host
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, SIGNAL_EVENT, Scratch

RCPTHOSTS, SMTPROUTES = CONTROLS / "rcpthosts", CONTROLS / "smtproutes"
SERVICE = "/service/qmail"
CONTROL = "/service/qmail/supervise/control"
INIT = "/etc/rc.d/init.d/qmail"


def refusal(host: Host, *arguments: str) -> str:
    with pytest.raises(HostError) as refused:
        host.signal_event(*arguments) if arguments else host.restart("qmail")
    return str(refused.value)


# Paths and targets


def test_every_path_lies_below_the_root(server: Scratch) -> None:
    assert server.host.path(Path("/etc/passwd")) == server.root / "etc/passwd"
    assert server.host.database("domains") == server.root / "home/e-smith/db/domains"
    assert Host().path(Path("/etc/passwd")) == Path("/etc/passwd")


@pytest.mark.parametrize(
    ("directories", "plain"),
    [
        (["/var/qmail/control"], True),
        (["/var/qmail/control", "/home/e-smith"], False),
        (["/home/e-smith"], False),
        ([], False),
    ],
)
def test_qmail_without_e_smith_is_plain(directories: list[str], plain: bool, tmp_path: Path) -> None:
    for directory in directories:
        (tmp_path / directory.lstrip("/")).mkdir(parents=True)
    assert Host(tmp_path).plain == plain
    assert Host(tmp_path).database("domains") == tmp_path / (
        "etc/mxbackup/domains" if plain else "home/e-smith/db/domains"
    )


# Expanding


def expand(server: Scratch, fragments: Mapping[Path, str]) -> None:
    with server.host.expansion_lock() as lock, server.host.expanding(fragments, lock) as hand_over:
        hand_over({path.name: text for path, text in fragments.items()})


def test_expanding_hands_each_fragment_to_the_template(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION + '; echo "$MXBACKUP_ROOT" >> "$1"')
    expand(server, {RCPTHOSTS: "dupontnet.com\n", SMTPROUTES: "dupontnet.com:\n"})
    assert server.read("/var/qmail/control/rcpthosts") == f"dupontnet.com\n{server.root}\n"
    assert server.read("/var/qmail/control/smtproutes") == f"dupontnet.com:\n{server.root}\n"


def test_an_expansion_that_failed_is_told_by_stderr_and_the_others_are_done(server: Scratch) -> None:
    server.script(
        EXPAND_TEMPLATE,
        'case "$1" in */rcpthosts) printf "ERROR: Template processing failed\\n ERROR: in 20mxbackup\\n\\n" >&2;;'
        ' *) echo "Warning: no ERROR" >&2; echo done > "$1";; esac',
    )
    with pytest.raises(HostError) as refused:
        expand(server, {RCPTHOSTS: "", SMTPROUTES: ""})
    assert str(refused.value) == (
        "Not expanded, the old file stays: /var/qmail/control/rcpthosts "
        "(ERROR: Template processing failed / ERROR: in 20mxbackup)."
    )
    assert server.read("/var/qmail/control/smtproutes") == "done\n"


def test_an_expansion_that_exits_with_a_status_has_failed(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, "exit 4")
    with pytest.raises(HostError) as refused:
        expand(server, {RCPTHOSTS: "", SMTPROUTES: ""})
    assert str(refused.value) == (
        "Not expanded, the old file stays: /var/qmail/control/rcpthosts (no message); "
        "/var/qmail/control/smtproutes (no message)."
    )


def test_templates_run_beside_the_rendering_and_wait_for_its_end(server: Scratch) -> None:
    started, went_on = server.path("/started"), server.path("/went-on")
    server.script(EXPAND_TEMPLATE, f"echo > {started}; read -r _; echo > {went_on}")
    with server.host.expansion_lock() as lock, server.host.expanding([RCPTHOSTS], lock) as hand_over:
        while not started.exists():
            time.sleep(0.01)
        hand_over({RCPTHOSTS.name: ""})
        time.sleep(0.1)
        assert not went_on.exists()
    assert went_on.exists()


def test_templates_hold_the_lock_when_we_are_killed(server: Scratch) -> None:
    ready, go = server.path("/ready"), server.path("/go")
    server.script(
        EXPAND_TEMPLATE, f"echo > {ready}; read -r _; while [ ! -e {go} ]; do sleep 0.01; done; echo > {go}ne"
    )
    child = os.fork()
    if not child:
        with server.host.expansion_lock() as lock, server.host.expanding([RCPTHOSTS], lock):
            while not ready.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with server.path("/var/lib/mxbackup/expansion/lock").open("a") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        go.touch()
        fcntl.flock(other, fcntl.LOCK_EX)
    assert server.path("/gone").exists()


def test_a_rendering_that_fails_leaves_no_fragment_to_any_template(server: Scratch) -> None:
    seen = server.path("/seen")
    server.script(EXPAND_TEMPLATE, f'read -r _; ls "$MXBACKUP_RENDERED" > {seen} 2>&1')
    with (
        pytest.raises(RenderError),
        server.host.expansion_lock() as lock,
        server.host.expanding([RCPTHOSTS, SMTPROUTES], lock),
    ):
        raise RenderError("The second one failed.")
    assert "No such file or directory" in seen.read_text()


def test_a_fragment_that_cannot_be_written_leaves_no_other_to_any_template(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    with pytest.raises(OSError, match="File name too long"):
        expand(server, {RCPTHOSTS: "dupontnet.com\n", SMTPROUTES.parent / ("x" * 300): ""})
    assert not server.path("/var/qmail/control/rcpthosts").exists()


def test_expanding_where_there_is_no_expand_template_is_an_error(server: Scratch) -> None:
    with pytest.raises(HostError) as refused:
        expand(server, {RCPTHOSTS: ""})
    assert str(refused.value) == (
        f"{server.path(EXPAND_TEMPLATE)} cannot be run: No such file or directory. Is this an SME Server?"
    )


def test_the_expansion_lock_keeps_others_out(server: Scratch) -> None:
    with server.host.expansion_lock():
        other = server.path("/var/lib/mxbackup/expansion/lock").open("a")
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    other.close()


def test_an_expansion_lock_that_cannot_be_taken_is_an_error(server: Scratch) -> None:
    path = server.path("/var/lib/mxbackup/expansion/lock")
    path.mkdir(parents=True)
    with pytest.raises(HostError) as refused, server.host.expansion_lock():
        pass
    assert str(refused.value) == f"{path} cannot be locked: Is a directory."


# Events


def test_an_event_gets_its_name_and_arguments(server: Scratch) -> None:
    server.with_events()
    server.host.signal_event("mxbackup-create", "dupontnet.com")
    server.host.signal_event("mxbackup-update")
    assert server.events() == ["mxbackup-create dupontnet.com", "mxbackup-update"]


def test_an_event_that_failed_is_told(server: Scratch) -> None:
    server.with_events(status=1)
    assert refusal(server.host, "mxbackup-create", "dupontnet.com") == (
        "The change is recorded, but the event mxbackup-create failed, so the mail files may be as they were. "
        "See /var/log/messages, mend what it says, then run: signal-event mxbackup-update"
    )


def test_events_are_missed_before_anything_is_changed(server: Scratch) -> None:
    with pytest.raises(HostError) as refused:
        server.host.require_events()
    assert str(refused.value) == (
        f"{server.path(SIGNAL_EVENT)} is missing, so this is no SME Server. Nothing was changed. "
        "To change the database only, add --no-event."
    )
    server.with_events()
    server.host.require_events()


# Restarting qmail


@pytest.fixture
def calls(server: Scratch) -> Path:
    """The file in which the scripts of `tell` write how they were called."""
    return server.root / "calls"


def tell(server: Scratch, program: str, then: str = "exit 0") -> None:
    """Lay down a program that records its call, its own name first."""
    server.script(program, f'echo "${{0##*/}} $*" >> "{server.root}/calls"\n{then}')


def test_a_host_without_qmail_has_nothing_to_restart(server: Scratch) -> None:
    tell(server, "/usr/bin/sv")
    tell(server, "/bin/systemctl", "exit 1")
    assert server.host.restart("qmail") == ""


@pytest.mark.parametrize(
    ("program", "used", "call"),
    [
        ("/usr/bin/sv", "sv t /service/qmail", "sv t {root}/service/qmail"),
        ("/usr/local/bin/svc", "svc -t /service/qmail", "svc -t {root}/service/qmail"),
        ("/etc/rc.d/init.d/qmail", "/etc/rc.d/init.d/qmail restart", "qmail restart"),
    ],
)
def test_a_program_restarts_qmail(server: Scratch, calls: Path, program: str, used: str, call: str) -> None:
    server.path(SERVICE).mkdir(parents=True)
    tell(server, program)
    assert server.host.restart("qmail") == used
    assert calls.read_text() == call.format(root=server.root) + "\n"


def test_systemctl_restarts_a_unit_that_it_has(server: Scratch, calls: Path) -> None:
    tell(server, "/usr/bin/systemctl")
    assert server.host.restart("qmail") == "systemctl restart qmail"
    assert calls.read_text() == "systemctl cat qmail.service\nsystemctl restart qmail.service\n"


def read_pipe(path: Path) -> tuple[threading.Thread, list[bytes]]:
    """Read from a named pipe, as a supervisor does, until the writer closes it."""
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    received: list[bytes] = []
    return threading.Thread(target=lambda: received.append(os.read(descriptor, 10))), received


def test_the_pipe_of_the_supervisor_gets_its_letter(server: Scratch) -> None:
    server.path(CONTROL).parent.mkdir(parents=True)
    reader, received = read_pipe(server.path(CONTROL))
    assert server.host.restart("qmail") == "/service/qmail/supervise/control"
    reader.start()
    reader.join()
    assert received == [b"t"]


def test_each_way_is_tried_when_the_one_before_failed(server: Scratch, calls: Path) -> None:
    server.path(CONTROL).parent.mkdir(parents=True)
    os.mkfifo(server.path(CONTROL))
    tell(server, "/usr/bin/sv", "echo 'fail: qmail: runsv not running'; exit 1")
    tell(server, "/usr/bin/svc", "echo 'svc: warning: unable to control qmail: file does not exist' >&2")
    tell(server, "/usr/bin/systemctl", '[ "$1" = cat ] || { echo "Access denied" >&2; exit 4; }')
    tell(server, INIT)
    assert server.host.restart("qmail") == "/etc/rc.d/init.d/qmail restart"
    service = server.path(SERVICE)
    assert calls.read_text().splitlines() == [
        f"sv t {service}",
        f"svc -t {service}",
        "systemctl cat qmail.service",
        "systemctl restart qmail.service",
        "qmail restart",
    ]


def test_when_every_way_failed_each_says_why(server: Scratch) -> None:
    server.path(CONTROL).parent.mkdir(parents=True)
    os.mkfifo(server.path(CONTROL))
    tell(server, "/usr/bin/sv", "echo 'fail: qmail: runsv not running'; exit 1")
    tell(server, "/usr/bin/svc", "echo 'svc: warning: unable to control qmail: file does not exist' >&2")
    tell(server, "/usr/bin/systemctl", '[ "$1" = cat ] || { echo "Access denied" >&2; exit 4; }')
    tell(server, INIT, "exit 1")
    assert refusal(server.host) == (
        "qmail could not be restarted: sv t /service/qmail (fail: qmail: runsv not running); "
        "svc -t /service/qmail (svc: warning: unable to control qmail: file does not exist); "
        "systemctl restart qmail (Access denied); "
        "/service/qmail/supervise/control "
        f"([Errno 6] No such device or address: '{server.path(CONTROL)}'); "
        "/etc/rc.d/init.d/qmail restart (no message)."
    )


def test_a_file_in_the_place_of_the_pipe_is_left_alone(server: Scratch) -> None:
    control = server.write(CONTROL, "not a pipe")
    assert server.host.restart("qmail") == ""
    assert control.read_text() == "not a pipe"


def test_a_host_program_runs_in_a_clean_environment(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERL5LIB", "/tmp/evil")
    server.script(SIGNAL_EVENT, f'env | grep -v "^PWD=\\|^SHLVL=\\|^_=" | sort > "{server.root}/environment"; cat')
    server.host.signal_event("mxbackup-update")
    assert server.read("/environment").splitlines() == [
        "LC_ALL=C",
        f"MXBACKUP_ROOT={server.root}",
        "PATH=/sbin/e-smith:/bin:/usr/bin:/sbin:/usr/sbin:/usr/local/bin",
    ]


PEERS = "/var/service/qpsmtpd/config/peers"


def test_a_host_without_qpsmtpd_has_no_plugin_to_load(server: Scratch) -> None:
    assert server.host.load_plugin() == ""


def test_loading_the_plugin_expands_its_lists_then_restarts_qpsmtpd(server: Scratch, calls: Path) -> None:
    server.write(f"{PEERS}/0")
    server.path("/service/qpsmtpd").mkdir(parents=True)
    tell(server, EXPAND_TEMPLATE)
    tell(server, "/usr/bin/sv")
    assert server.host.load_plugin() == "sv t /service/qpsmtpd"
    assert calls.read_text() == f"expand-template {server.root}{PEERS}/0\nsv t {server.root}/service/qpsmtpd\n"


def test_a_list_that_was_not_expanded_restarts_nothing(server: Scratch, calls: Path) -> None:
    server.write(f"{PEERS}/0")
    server.path("/service/qpsmtpd").mkdir(parents=True)
    tell(server, EXPAND_TEMPLATE, "echo 'ERROR: Template processing failed' >&2")
    tell(server, "/usr/bin/sv")
    with pytest.raises(HostError, match=f"Not expanded, the old file stays: {PEERS}/0"):
        server.host.load_plugin()
    assert "sv" not in calls.read_text().split()


def test_a_plugin_that_nobody_loads_is_told(server: Scratch) -> None:
    server.write(f"{PEERS}/0")
    tell(server, EXPAND_TEMPLATE)
    with pytest.raises(HostError, match="Restart qpsmtpd by hand"):
        server.host.load_plugin()
