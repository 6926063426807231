# SPDX-License-Identifier: GPL-2.0-or-later
"""The first RCPT of a connection to qpsmtpd, with our plugin and with rcpthosts alone."""

import os
import shutil
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import SIZES, fill

CONNECTIONS = 50
PORTS = {"mxbackup": 2601, "rcpt_ok": 2602}
SPOOL = Path("/var/spool/qpsmtpd")


@dataclass(frozen=True)
class Reply:
    """Shortest seconds from RCPT to its answer (the others had company), and the largest resident MiB of a child."""

    seconds: float
    mebibytes: float


def configure(plugin: str) -> Path:
    """Make the configuration of a qpsmtpd that has one plugin."""
    directory = Path(f"/tmp/bench-rcpt-{plugin}")  # noqa: S108 - the sandbox is ours alone
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    files = {
        "plugins": plugin,
        "plugin_dirs": "/usr/share/qpsmtpd/plugins",
        "spool_dir": SPOOL,
        "me": "sme.durantcom.net",
    }
    for name, text in files.items():
        (directory / name).write_text(f"{text}\n")
    return directory


def rules(directory: Path, size: int) -> None:
    """Write what the plugins read of `size` rules, by the contrib's own renderer."""
    fill(size)
    for name, target in (("mxbackup", "qpsmtpd"), ("rcpthosts", "rcpthosts")):
        with (directory / name).open("wb") as file:
            subprocess.run(["/usr/bin/mxbackup", "render", target], stdout=file, check=True)


@contextmanager
def serving(plugin: str, directory: Path) -> Iterator[int]:
    """Run a qpsmtpd-forkserver; yields its process number."""
    where = ["--listen-address", "127.0.0.1", "--port", str(PORTS[plugin])]
    command = ["qpsmtpd-forkserver", "--user", "qpsmtpd", *where]
    # It asks for the client's name; over TCP, a machine without name server refuses at once.
    environment = {**os.environ, "QPSMTPD_CONFIG": str(directory), "RES_OPTIONS": "usevc"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield server.pid
        finally:
            server.terminate()


def session(port: int) -> smtplib.SMTP:
    """Connect, as soon as the server listens, up to MAIL."""
    for _ in range(100):
        try:
            client = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.org", timeout=60)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.helo()
    client.mail("sender@example.org")
    return client


def peak(server: int) -> float:
    """Return the largest resident MiB of the server's child (proc_pid_status(5))."""
    child = Path(f"/proc/{server}/task/{server}/children").read_text().split()[-1]
    status = Path(f"/proc/{child}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(plugin: str, directory: Path, size: int, connections: int) -> Reply:
    """Time the RCPT for a host below the middle rule, once in each of several connections."""
    recipient = f"user@www.customer{size // 2:06}.example.com"
    seconds, peaks = [], []
    with serving(plugin, directory) as server:
        for _ in range(connections):
            client = session(PORTS[plugin])
            start = time.perf_counter()
            code, text = client.rcpt(recipient)
            seconds.append(time.perf_counter() - start)
            peaks.append(peak(server))
            client.quit()
            if code != 250:
                raise RuntimeError(f"{plugin} answers {code} {text!r}")
    return Reply(min(seconds), max(peaks))


def main() -> None:
    """Print the table; the ratios are to rcpthosts alone, and to one rule."""
    print("  rules  rcpthosts ms  plugin ms  faster  to 1 rule  rcpthosts MiB  plugin MiB", flush=True)
    first = None
    for size in SIZES:
        directory = configure("mxbackup")
        rules(directory, size)
        other = configure("rcpt_ok")
        shutil.copy(directory / "rcpthosts", other)
        time.sleep(2)  # the plugin trusts a file that is a second old to be read through once
        alone = measure("rcpt_ok", other, size, 3 if size > 1000 else CONNECTIONS)
        ours = measure("mxbackup", directory, size, CONNECTIONS)
        first = first or ours
        print(
            f"{size:>7}  {alone.seconds * 1000:>12.2f}  {ours.seconds * 1000:>9.2f}"
            f"  {alone.seconds / ours.seconds:>6.1f}  {ours.seconds / first.seconds:>9.2f}"
            f"  {alone.mebibytes:>13.1f}  {ours.mebibytes:>10.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
