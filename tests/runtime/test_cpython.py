# SPDX-License-Identifier: GPL-2.0-or-later
"""CPython's own tests under Linux 2.6.9: all pass but those listed, each for a reason that is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runtime.hosts import PYTHON, Emulators, Runtime

KNOWN: dict[str, set[str]] = {
    "test_math": set(),
    "test_float": set(),
    "test_statistics": set(),
    "test_os": {
        # the isolated interpreter that it starts sees the package's library alone, without `test`
        "ForkTests.test_fork",
        # musl's pathconf answers from a table and does not look at the descriptor
        "TestInvalidFD.test_fpathconf",
    },
    "test_subprocess": {
        # F_SETPIPE_SZ: since Linux 2.6.35
        "ProcessTestCase.test_pipesize_default",
        "ProcessTestCase.test_pipesizes",
        "ProcessTestCaseNoPoll.test_pipesize_default",
        "ProcessTestCaseNoPoll.test_pipesizes",
    },
    "test_socket": {
        # SO_REUSEPORT, AF_VSOCK: since Linux 3.9
        "BasicVSOCKTest.testCreateSocket",
        "BasicVSOCKTest.testSocketBufferSize",
        "CreateServerTest.test_reuse_port",
        "ThreadedVSOCKSocketStreamTest.testStream",
    },
    "test_sqlite3": set(),
}


@pytest.mark.parametrize("module", KNOWN)
def test_cpython(runtime: Runtime, emulators: Emulators, module: str) -> None:
    interpreter = runtime.directory / "root" / PYTHON[1:]
    script = Path(__file__).with_name("cpython.py")
    host = emulators.host("2.6.9", Path("/"))
    done = host.run(interpreter, "-B", script, runtime.directory / "src", module)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert {test.removeprefix(f"test.{module}.") for test in report["failed"]} == KNOWN[module], report["failed"]
    assert report["run"] > report["skipped"]
