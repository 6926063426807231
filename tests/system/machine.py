# SPDX-License-Identifier: GPL-2.0-or-later
"""A sandbox SME Server, driven from a test."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ENTER = str(CHECKOUT / "sandbox/enter")
DIALOGUE = str(CHECKOUT / "sandbox/dialogue.py")
DIST = CHECKOUT / "dist"
PATIENCE = 20.0  # seconds


class Sandbox:
    """The sandbox of one name; it starts with the first command."""

    def __init__(self, name: str, profile: str = "sme7", binds: Sequence[Path] = ()) -> None:
        self.name = f"{name}-{os.getpid()}"
        self.profile = profile
        self.binds = binds

    @property
    def enter(self) -> list[str]:
        """The command line that a command inside is appended to."""
        return [
            ENTER,
            f"--name={self.name}",
            f"--profile={self.profile}",
            *(f"--bind={path}" for path in self.binds),
        ]

    def run(
        self, command: Sequence[str], input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run COMMAND inside and return what came of it; CalledProcessError with its words when it fails.

        Texts are UTF-8, other bytes are surrogates (PEP 383).
        """
        done = subprocess.run(
            [*self.enter, *command],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        if check and done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, list(command), done.stdout, done.stderr)
            error.add_note(f"{done.stdout}{done.stderr}")
            raise error
        return done

    def sh(self, script: str, check: bool = True) -> str:
        """Run a shell script inside and return what it printed."""
        return self.run(["sh"], input=script, check=check).stdout

    def read(self, path: str) -> str:
        """Return the text of a file inside."""
        return self.run(["cat", path]).stdout

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file inside, its directory too when it is missing."""
        self.run(["install", "-D", "-m", mode, "/dev/stdin", path], input=text)

    def smtp(self, *lines: str, port: int = 25) -> str:
        """Return the session, as telnet would show it, in which LINES are said to the SMTP server."""
        return self.run([DIALOGUE, "127.0.0.1", str(port)], input="".join(f"{line}\n" for line in lines)).stdout

    def rcpt(self, address: str, port: int = 25) -> str:
        """Return what the SMTP server answers to a stranger who has mail for ADDRESS."""
        command = f"RCPT To:<{address}>"
        session = self.smtp(
            "HELO anything.other.org", "MAIL From:<admin@anything.other.org>", command, "QUIT", port=port
        )
        answer = re.search(rf"^{re.escape(command)}\n(.*)$", session, re.MULTILINE)
        assert answer, session
        return answer[1]

    def qmail_starts(self) -> int:
        """Return how often the stand-in for qmail-send has been started."""
        return len(self.read("/var/log/qmail-restarts").splitlines())

    def install(self, package: str) -> str:
        """Install a package of dist/, with the interpreter it requires where that is missing; return rpm's words."""
        [python] = DIST.glob("smeserver-mxbackup-python-*.i686.rpm")
        [contrib] = DIST.glob(f"{package}-[0-9]*.noarch.rpm")
        there = self.run(["rpm", "-q", "smeserver-mxbackup-python"], check=False).returncode == 0
        done = self.run(["rpm", "-Uvh", str(contrib), *([] if there else [str(python)])])
        return done.stdout + done.stderr

    def stop(self) -> None:
        """Discard it."""
        subprocess.run([ENTER, "--stop", f"--name={self.name}"], check=True)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when CONDITION holds, fail when it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "that never happened"
        time.sleep(0.05)
