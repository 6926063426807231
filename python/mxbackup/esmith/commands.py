# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of the host: started in a clean environment, ended when they take too long, what they said kept.

What they say goes to files without a name, not through pipes: so none dies in the middle of its work, of SIGPIPE,
because we did, and a daemon that one leaves behind keeps nobody waiting.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from mxbackup.errors import HostError

COMMAND_PATH = ("/sbin/e-smith", "/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin")
# Bytes of what a program said that are looked at, where no more are asked for: the last ones.
KEPT = 65536


@dataclass(frozen=True)
class Done:
    """What came of a program. `status` is its exit status, or less than 0 when a signal ended it."""

    status: int
    out: str
    errors: str


class Running:
    """A program that was started, with a process group of its own."""

    def __init__(
        self,
        command: Iterable[Path | str],
        environment: Mapping[str, str],
        *,
        stdin: IO[str] | None = None,
        inherited: Collection[int] = (),
        largest: int = 0,
    ) -> None:
        """Start it with nothing in its environment but COMMAND_PATH and what is given.

        It inherits the descriptors `inherited`. With `largest` it is ended by SIGXFSZ when it prints more bytes.
        Raises HostError when it is not there.
        """
        words = [str(word) for word in command]
        clean = {"PATH": ":".join(COMMAND_PATH), "LC_ALL": "C", **environment}
        self._out, self._errors = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed at its end
        try:
            self._process = subprocess.Popen(
                words, env=clean, stdin=stdin or subprocess.DEVNULL, stdout=self._out, stderr=self._errors,
                pass_fds=inherited, process_group=0,
                preexec_fn=_limited(largest) if largest else None,
            )  # fmt: skip
        except OSError as error:
            self._out.close()
            self._errors.close()
            raise cannot_run(words[0], error) from error

    def end(self, limit: float, kept: int = KEPT) -> Done:
        """Wait for its end, at most `limit` seconds, then kill it with all that it started.

        Of what it printed the last `kept` bytes are looked at.
        """
        late = ""
        try:
            status = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            status = self._kill()
            late = f"\nit took more than {limit:.0f} seconds and was killed"
        with self._out, self._errors:
            return Done(status, tail(self._out, kept), tail(self._errors) + late)

    def _kill(self) -> int:
        """Kill the group, and give all of it the moment that they need to be gone."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        end = time.monotonic() + 1
        with suppress(ProcessLookupError):
            while time.monotonic() < end:
                os.killpg(self._process.pid, 0)
                time.sleep(0.01)
        return status


def _limited(largest: int) -> Callable[[], None]:
    import resource  # few programs are limited, and not every interpreter has it

    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest, largest))


def cannot_run(command: Path | str, error: OSError) -> HostError:
    """Return what to say of a program that is not there."""
    return HostError(
        "{command} cannot be run: {reason}. Is this an SME Server?", command=command, reason=error.strerror
    )


def one_line(text: str) -> str:
    """Return what a program said as one line."""
    return " / ".join(line.strip() for line in text.splitlines() if line.strip()) or "no message"


def tail(file: IO[bytes], kept: int = KEPT) -> str:
    """Return the last `kept` bytes of a file as text."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - kept))
    return file.read().decode("utf-8", "replace")
