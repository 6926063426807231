# SPDX-License-Identifier: GPL-2.0-or-later
"""Checking all rules against a name server and a mail server on this machine, against a bare look-up and dialogue."""

import shutil
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import cost

RULES = 1000
LIMIT = 60.0  # seconds
BARE = 100
ROOT = Path("/tmp/bench-check")  # noqa: S108 - the sandbox is ours alone
MAILSERVER = Path(__file__).parents[1] / "tests/system/mailserver.py"
SMTP = ("127.0.0.2", 2600)
KNOT = f"""
server:
    listen: [ 127.0.0.1@53 ]
    rundir: {ROOT}
database:
    storage: {ROOT}
zone:
  - domain: test
    file: {ROOT}/test.zone
    zonefile-sync: -1
    journal-content: none
"""


def lay_out() -> None:
    """Make a server's tree with the rules, and the zone with a primary and this server for each."""
    shutil.rmtree(ROOT, ignore_errors=True)
    names = [f"rule{number}.test" for number in range(RULES)]
    hosts = "@ NS ns\nns A 127.0.0.1\nbackup A 127.0.0.1\nprimary A 127.0.0.2\n"
    files = {
        "home/e-smith/db/domains": "".join(f"{name}=mxbackup|Kind|domain\n" for name in names),
        "home/e-smith/db/configuration": "DomainName=durantcom.test\nSystemName=sme\n",
        "var/qmail/control/smtproutes": f":{SMTP[0]}:{SMTP[1]}\n",
        "etc/resolv.conf": "nameserver 127.0.0.1\n",
        "conf": KNOT,
        "test.zone": "$ORIGIN test.\n$TTL 60\n@ SOA ns h 1 60 60 60 60\n"
        + hosts
        + "".join(f"{name}. MX 0 primary\n{name}. MX 5 backup\n" for name in names),
    }
    for path, text in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
    for target in ("rcpthosts", "smtproutes"):
        with (ROOT / "var/qmail/control" / target).open("a") as file:
            subprocess.run(["/usr/bin/mxbackup", "--root", str(ROOT), "render", target], stdout=file, check=True)


@contextmanager
def servers() -> Iterator[None]:
    """Run the name server and the mail server."""
    commands = (["knotd", "-c", f"{ROOT}/conf"], ["python3", str(MAILSERVER), f"{SMTP[0]}:{SMTP[1]}=accept"])
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands]
    try:
        for address in (("127.0.0.1", 53), SMTP):
            while not answers(address):
                time.sleep(0.05)
        yield
    finally:
        for process in running:
            process.kill()


def answers(address: tuple[str, int]) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True


def bare() -> float:
    """Seconds for one dialogue of the standard library's client alone, without any look-up."""
    begin = time.perf_counter()
    for _ in range(BARE):
        with smtplib.SMTP(*SMTP, local_hostname="bench") as client:
            client.ehlo()
            client.mail("")
            client.rcpt("postmaster@rule1.test")
    return (time.perf_counter() - begin) / BARE


def main() -> None:
    """Print the table; times in seconds."""
    lay_out()
    with servers():
        alone = bare()
        one = cost(["/usr/bin/mxbackup", "--root", str(ROOT), "check", "rule1.test"], times=1)
        everything = cost(["/usr/bin/mxbackup", "--root", str(ROOT), "check"], times=1)
    each = everything.seconds / RULES
    print("  rules   one rule   all rules   each / dialogue   all / limit of 60 s   MiB")
    print(
        f"{RULES:>7}  {one.seconds:>9.3f}  {everything.seconds:>10.1f}  {each / alone:>16.1f}"
        f"  {everything.seconds / LIMIT:>20.2f}  {everything.mebibytes:>4.0f}"
    )


if __name__ == "__main__":
    main()
