# SPDX-License-Identifier: GPL-2.0-or-later
"""The packaged interpreter on old machines: what it can do there, and what it copes with."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.runtime.hosts import PYTHON, Emulators, Runtime

NO_CALL = "OSError: [Errno 38] Function not implemented"
NO_THREAD = "RuntimeError: can't start new thread"
# Linux 2.4 has no futex, no set_thread_area, no epoll, no statfs64.
FAILING: dict[str, dict[str, str]] = {
    "chroot": {},
    "pentium3": {},
    "2.6.9": {},
    "2.4.20": {
        "file_system_size": f"{NO_CALL}: '.'",
        "epoll": NO_CALL,
        "threads": NO_THREAD,
        "thread_that_forks": NO_THREAD,
        "asyncio_subprocess": NO_THREAD,
    },
}
# System calls that are tried first and, but for the features above, replaced by older ones.
TOO_NEW_FOR_2_6 = """
    accept4 bind clock_gettime64 connect epoll_create1 epoll_pwait futimesat getpeername getrandom getsockname
    getsockopt listen pipe2 prlimit64 recvfrom sendto setsockopt socket socketpair statx utimensat
"""
TOO_NEW_FOR_2_4 = """
    clock_getres clock_gettime epoll_create exit_group futex sendfile64 set_thread_area set_tid_address statfs64
    utimes
"""
RUN_FEATURES = "import runpy, sys; sys.path.append('/tests/lib'); runpy.run_path('/tests/features.py')"
CALLS_2_6 = set(TOO_NEW_FOR_2_6.split())
CALLS_2_4 = CALLS_2_6 - {"epoll_pwait"} | set(TOO_NEW_FOR_2_4.split())  # without epoll_create nothing waits


@pytest.mark.parametrize(
    ("name", "unknown_calls"),
    [("chroot", set()), ("pentium3", set()), ("2.6.9", CALLS_2_6), ("2.4.20", CALLS_2_4)],
    ids=FAILING,
)
def test_features(emulators: Emulators, name: str, unknown_calls: set[str]) -> None:
    """All features but those listed work, and these are the calls that the kernel did not have."""
    host = emulators.host(name)
    done = host.run(PYTHON, "-I", "-S", "-B", "-c", RUN_FEATURES)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert {feature: error for feature, error in results.items() if error} == FAILING[name], done.stderr
    assert len(results) > 40
    assert host.unknown_calls() == unknown_calls


@pytest.mark.parametrize("name", ["2.6.9", "2.4.20"])
def test_kernel_names_itself(emulators: Emulators, name: str) -> None:
    done = emulators.host(name).run(PYTHON, "-ISBc", "import os; print(os.uname().release.partition('-')[0])")
    assert (done.stdout, done.stderr, done.returncode) == (f"{name}\n", "", 0)


def test_starts_silently_and_alone(emulators: Emulators) -> None:
    """No warning about directories, nothing read outside its own directory, no site-packages."""
    program = "import sys; print(sys.version_info[:2], sys.flags.isolated, *sys.path, sep='\\n')"
    done = emulators.host("chroot").run(PYTHON, "-ISBc", program)
    library = "/usr/share/mxbackup/python/lib"
    expected = [
        "(3, 11)",
        "1",
        f"{library}/python311.zip",
        f"{library}/python3.11",
        f"{library}/python3.11/lib-dynload",
    ]
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")


def test_traceback_names_file_and_line(emulators: Emulators) -> None:
    done = emulators.host("chroot").run(PYTHON, "-ISBc", "import json; json.loads('{')")
    place = 'File "/usr/share/mxbackup/python/lib/python3.11/json/__init__.py", line 346, in loads'
    assert place in done.stderr


def test_perl_is_there(emulators: Emulators) -> None:
    done = emulators.host("2.6.9").run("/usr/bin/perl", "-MText::Template", "-e", "print Text::Template->VERSION > 1")
    assert (done.stdout, done.returncode) == ("1", 0)


def test_no_instruction_of_a_later_processor(runtime: Runtime) -> None:
    """No SSE or MMX register is named anywhere in the program: a Pentium Pro has neither."""
    command = ["objdump", "--disassemble", "--no-show-raw-insn", str(runtime.directory / "root" / PYTHON[1:])]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert len(listing.splitlines()) > 500_000
    assert re.findall(r".*%[xyz]?mm\d.*", listing) == []
