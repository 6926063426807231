# SPDX-License-Identifier: GPL-2.0-or-later
"""Expansions that hang, fail, are locked out or are killed: none lasts for ever, and none leaves anything."""

import fcntl
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from mxbackup.errors import HostError, RenderError
from mxbackup.esmith.host import CONTROL, QPSMTPD
from tests.scratch import EXPAND_TEMPLATE, Scratch

RCPTHOSTS, SMTPROUTES = CONTROL / "rcpthosts", CONTROL / "smtproutes"
OURS = "/var/lib/mxbackup/expansion"
# As the host's library does: FILE.PID first, what is wrong is said, then FILE.PID is renamed or removed.
FAILING = 'echo > "$1.$$"; read -r _; for n in 1 2 3; do echo "ERROR: no fragment" >&2; done; rm "$1.$$"'
HANGING = 'echo > "$1.$$"; case "$1" in */rcpthosts) sleep 60;; esac; mv "$1.$$" "$1"'


# In the manner of the host's: a Perl program that loads a library, and takes one file.
IN_PERL = """#!/usr/bin/perl -w
package esmith;
use strict;
use lib "$ENV{MXBACKUP_ROOT}/perl";
use Library;
my $file = $ARGV[0] || die "Usage: $0 FILE\n";
my %does = (rcpthosts => sub { exit 3 }, smtproutes => sub { write_file("$file\n") }, goodrcptto => sub { die "no\n" });
$does{($file =~ m{([^/]+)$})[0]}->();
sub write_file { open my $out, '>', $file or die; print {$out} @_ }
__END__
}
"""

LIBRARY = """package Library;
open my $log, '>>', "$ENV{MXBACKUP_ROOT}/loaded" or die;
print {$log} "library\n";
"""


def left(server: Scratch) -> list[str]:
    """Everything that lies in our directory and beside the control files."""
    return sorted([*os.listdir(server.path(OURS)), *os.listdir(server.path("/var/qmail/control"))])


def expand(server: Scratch) -> None:
    with server.host.expansion_lock() as lock, server.host.expanding([RCPTHOSTS, SMTPROUTES], lock) as hand_over:
        hand_over({})


def test_nobody_else_can_open_the_lock(server: Scratch) -> None:
    with server.host.expansion_lock():
        directory = server.path(OURS)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o755


def test_a_rendering_that_fails_lets_the_templates_end_by_themselves(server: Scratch) -> None:
    """No pipe of ours breaks under them: one that dies of it leaves its FILE.PID."""
    server.script(EXPAND_TEMPLATE, FAILING)
    for _ in range(5):
        with (
            pytest.raises(RenderError),
            server.host.expansion_lock() as lock,
            server.host.expanding([RCPTHOSTS, SMTPROUTES], lock),
        ):
            raise RenderError("It failed.")
    assert left(server) == ["lock"]


def test_the_hosts_library_is_loaded_once_and_each_file_is_expanded_by_itself(server: Scratch) -> None:
    server.write(EXPAND_TEMPLATE, IN_PERL).chmod(0o755)
    server.write("/perl/Library.pm", LIBRARY)
    files = [RCPTHOSTS, SMTPROUTES, QPSMTPD / "goodrcptto"]
    with (
        pytest.raises(HostError) as refused,
        server.host.expansion_lock() as lock,
        server.host.expanding(files, lock) as hand_over,
    ):
        hand_over({})
    assert str(refused.value) == (
        "Not expanded, the old file stays: /var/qmail/control/rcpthosts (no message); "
        "/var/service/qpsmtpd/config/goodrcptto (no)."
    )
    assert server.read("/var/qmail/control/smtproutes") == f"{server.path('/var/qmail/control/smtproutes')}\n"
    assert server.read("/loaded") == "library\n"


def test_a_template_that_hangs_is_killed_and_named_and_the_others_are_done(
    server: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxbackup.esmith.expansion.EXPANSION_LIMIT", 1)
    server.script(EXPAND_TEMPLATE, HANGING)
    start = time.monotonic()
    with pytest.raises(HostError) as refused:
        expand(server)
    assert str(refused.value) == (
        "Not expanded, the old file stays: /var/qmail/control/rcpthosts (it took more than 1 seconds and was killed)."
    )
    assert time.monotonic() - start < 10
    assert left(server) == ["lock", "smtproutes"]
    with server.host.expansion_lock():
        pass  # what it had started holds it no longer


def test_a_template_that_hangs_ends_also_when_we_were_killed(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxbackup.esmith.expansion.ORPHAN_LIMIT", 1)
    ready = server.path("/ready")
    server.script(EXPAND_TEMPLATE, f'echo > "$1.$$"; echo > {ready}; exec sleep 60')
    child = os.fork()
    if not child:
        with server.host.expansion_lock() as lock, server.host.expanding([RCPTHOSTS], lock):
            while not ready.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(left(server)) == 4, "the lock, the list of processes, what they said, and FILE.PID"
    with server.host.expansion_lock():
        assert left(server) == ["lock"]


def test_whoever_comes_next_removes_what_a_killed_one_left(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, 'echo > "$1.$$"; kill -9 $$')
    child = os.fork()
    if not child:
        with server.host.expansion_lock() as lock, server.host.expanding([RCPTHOSTS, SMTPROUTES], lock) as hand_over:
            hand_over({RCPTHOSTS.name: ""})
            while len(os.listdir(server.path("/var/qmail/control"))) < 2:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert "rendered" in left(server)
    backup = server.write("/var/qmail/control/rcpthosts.20241124", "an administrator's own\n")
    with server.host.expansion_lock():
        assert left(server) == ["lock", backup.name]


def test_a_lock_that_is_never_given_back_is_told(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxbackup.esmith.expansion.LOCK_LIMIT", 0.1)
    with server.host.expansion_lock():
        path = server.path(f"{OURS}/lock")
        with Path(path).open("a") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(HostError) as refused, server.host.expansion_lock():
            pass
    assert str(refused.value) == (
        f"Another expansion has held {path} for 0.1 seconds, so nothing was done. See who holds it: fuser {path}"
    )


def test_a_command_of_the_host_that_hangs_is_ended(server: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxbackup.esmith.host.EVENT_LIMIT", 0.2)
    server.with_events()
    server.script("/sbin/e-smith/signal-event", "sleep 60")
    start = time.monotonic()
    with pytest.raises(HostError, match="the event mxbackup-update failed"):
        server.host.signal_event("mxbackup-update")
    assert time.monotonic() - start < 10


def test_a_daemon_that_a_restart_leaves_behind_keeps_nobody_waiting(server: Scratch) -> None:
    server.script("/etc/rc.d/init.d/qmail", "sleep 5 & exit 0")
    start = time.monotonic()
    assert server.host.restart("qmail") == "/etc/rc.d/init.d/qmail restart"
    assert time.monotonic() - start < 4
