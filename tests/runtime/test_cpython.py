# SPDX-License-Identifier: GPL-2.0-or-later
"""CPython's own tests under Linux 2.6.9: all pass but those listed, each for a reason that is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runtime.hosts import PYTHON, Emulators, Runtime

# Linux 2.6.9 has no F_SETPIPE_SZ (2.6.35), no SO_REUSEPORT (3.9) and no AF_VSOCK (3.9).
NO_PIPE_SIZE = "OSError: [Errno 22] Invalid argument"
NO_REUSEPORT = "OSError: [Errno 92] Protocol not available"
NO_VSOCK = "OSError: [Errno 97] Address family not supported by protocol"
KNOWN: dict[str, dict[str, str]] = {
    "test_math": {},
    "test_float": {},
    "test_statistics": {},
    "test_os": {
        # the isolated interpreter that it starts sees the package's library alone, without `test`
        "test.test_os.ForkTests.test_fork": "AssertionError",
        # musl's pathconf answers from a table and does not look at the descriptor
        "test.test_os.TestInvalidFD.test_fpathconf": "AssertionError",
    },
    "test_subprocess": {
        f"test.test_subprocess.{case}.{test}": NO_PIPE_SIZE
        for case in ("ProcessTestCase", "ProcessTestCaseNoPoll")
        for test in ("test_pipesize_default", "test_pipesizes")
    },
    "test_socket": {
        "test.test_socket.BasicVSOCKTest.testCreateSocket": NO_VSOCK,
        "test.test_socket.BasicVSOCKTest.testSocketBufferSize": NO_VSOCK,
        "test.test_socket.CreateServerTest.test_reuse_port": NO_REUSEPORT,
        "test.test_socket.ThreadedVSOCKSocketStreamTest.testStream": NO_VSOCK,
    },
    "test_sqlite3": {},
}


@pytest.mark.parametrize("module", KNOWN)
def test_cpython(runtime: Runtime, emulators: Emulators, module: str) -> None:
    interpreter = runtime.directory / "root" / PYTHON[1:]
    script = Path(__file__).with_name("cpython.py")
    host = emulators.host("2.6.9", Path("/"))
    done = host.run(interpreter, "-B", script, runtime.directory / "src", module)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["failed"] == KNOWN[module]
