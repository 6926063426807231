# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's real Postfix between a real Knot and mail servers that take everything, in namespaces of its own.

`send` runs this module as root in new network, mount and PID namespaces: nothing there reaches this machine, and all
of it ends with the process.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mxbackup.routing.postfix.transport import MAILBOX
from tests.nameserver import Knot
from tests.scratch import settle

US = "us.test"  # myhostname
OWN = ("127.0.0.1", "::1")
"""The addresses of the interfaces, by which Postfix knows itself."""
PUBLIC = ("192.0.2.1", "2001:db8::1")
"""Addresses where our own smtpd answers too, as it does behind NAT."""
SINKS = (*((address, port) for address in ("127.0.0.2", "2001:db8::2") for port in (25, 26)), ("127.0.0.3", 25),
         ("127.0.0.1", 26), ("::1", 26), ("192.0.2.7", 25))  # fmt: skip
"""Where other mail servers answer. Nothing answers at any other address."""
SERVICES = ("smtp", "relay", *(f"once{number}" for number in range(8)))
"""Those that send by SMTP. One that dies of a destination is not started again for a minute."""

PATIENCE = 60.0  # seconds
SPOOL = Path("/var/spool/postfix")
LOG = SPOOL / "mail.log"
MAIN = {
    "compatibility_level": "3.6",
    "myhostname": US,
    "mydestination": "",
    "maillog_file": str(LOG),
    "alias_maps": "",
    "relay_domains": "test .test example .example broken .broken",
    "transport_maps": "hash:/etc/postfix/transport",
    "smtp_tls_security_level": "none",
}
MASTER = """
postlog unix-dgram n - n - 1 postlogd
pickup  unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
trace   unix - - n - 0 bounce
flush   unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
scache  unix - - n - 1 scache
anvil   unix - - n - 1 anvil
error   unix - - n - - error
retry   unix - - n - - error
discard unix - - n - - discard
"""
NETWORK = """
ip link set lo up
ip route add local 192.0.2.0/24 dev lo
ip -6 route add local 2001:db8::/64 dev lo
sysctl -qw net.ipv6.ip_nonlocal_bind=1
"""
DIED = "socket: malformed response"
UNKNOWN_ERROR = "4.3.0"  # with which the queue manager answers for the service from then on
_DONE = re.compile(
    r"postfix/([a-z]+)\[\d+\]: .* to=<[^@]*@([^>]*)>, relay=(?:.*\[(.*)\]:(\d+)|.*?), .*dsn=([0-9.]+), status=(\w+)"
)


@dataclass(frozen=True)
class World:
    """What main.cf says beside MAIN, the transport table, /etc/hosts, and the names that are sent mail."""

    main: Mapping[str, str]
    table: Mapping[str, str]
    hosts: Mapping[str, Sequence[str]]
    names: Sequence[str]


@dataclass(frozen=True)
class Sent:
    """What became of a message: `status` is Postfix's word, `to` the address and port that took it.

    Where smtp(8) dies of a destination there is no word of it: the message stays in the queue.
    """

    status: str
    code: str
    to: str = ""


@dataclass(frozen=True)
class Order:
    """What is to be tried: zones by name, and worlds."""

    zones: Mapping[str, str]
    worlds: Sequence[World] = field(default_factory=tuple)


def master() -> str:
    """Return what master.cf says of what sends mail."""
    return MASTER + "".join(f"{service} unix - - n - - smtp\n" for service in SERVICES)


def hosts(world: World) -> str:
    """Return /etc/hosts of a world."""
    return "".join(f"{address} {name}\n" for name, listed in world.hosts.items() for address in listed)


def send(order: Order, directory: Path) -> list[dict[str, Sent]]:
    """Return for each world what became of the mail, by name. Needs root. Raises CalledProcessError."""
    directory.mkdir()
    (directory / "order.json").write_text(json.dumps(asdict(order)))
    namespaces = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*namespaces, sys.executable, "-m", __name__, str(directory)], env=environment, check=True)
    found = json.loads((directory / "sent.json").read_text())
    return [{name: Sent(**sent) for name, sent in world.items()} for world in found]


def main(directory: Path) -> None:
    """Carry out the order in the directory, in the namespaces."""
    order = json.loads((directory / "order.json").read_text())
    for line in NETWORK.strip().splitlines():
        subprocess.run(line.split(), check=True)
    for place, owner in (("/run", "root"), (str(SPOOL), "root"), ("/var/lib/postfix", "postfix")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place], check=True)
        shutil.chown(place, owner)
    knot = Knot(Path("/run/knot"), order["zones"], ("127.0.0.1",), 53)
    _hide("/etc/resolv.conf", directory / "resolv.conf", "nameserver 127.0.0.1\n")
    etc = directory / "etc"
    shutil.copytree("/etc/postfix", etc)
    subprocess.run(["mount", "--bind", str(etc), "/etc/postfix"], check=True)
    etc_hosts = directory / "hosts"
    _hide("/etc/hosts", etc_hosts, "")
    for address, port in SINKS:
        listen = f"inet:[{address}]:{port}" if ":" in address else f"inet:{address}:{port}"
        subprocess.Popen(["smtp-sink", "-u", "nobody", "-h", "sink", listen, "200"])
    sent = [_carry_out(World(**world), etc_hosts) for world in order["worlds"]]
    (directory / "sent.json").write_text(json.dumps([{n: asdict(s) for n, s in w.items()} for w in sent]))
    knot.stop()


def _hide(path: str, behind: Path, content: str) -> None:
    behind.write_text(content)
    subprocess.run(["mount", "--bind", str(behind), path], check=True)


def _carry_out(world: World, etc_hosts: Path) -> dict[str, Sent]:
    etc_hosts.write_text(hosts(world))
    _configure(world)
    LOG.unlink(missing_ok=True)
    started = subprocess.run(["postfix", "start"], capture_output=True, text=True)
    assert started.returncode == 0, started.stderr + LOG.read_text()
    recipients = [f"{MAILBOX}@{name}" for name in world.names]
    subprocess.run(["sendmail", "-f", "", *recipients], check=True, input=b"Subject: x\n\nx\n")
    end = time.monotonic() + PATIENCE
    while len(found := _done()) + LOG.read_text().count(DIED) < len(world.names):
        assert time.monotonic() < end, f"no word of {set(world.names) - set(found)}: {LOG.read_text()[-3000:]}"
        time.sleep(0.05)
    subprocess.run(["postfix", "stop"], check=True, capture_output=True)
    for queue in ("active", "deferred", "incoming"):
        shutil.rmtree(SPOOL / queue)  # the next start makes it
    return {name: found.get(name, Sent("deferred", UNKNOWN_ERROR)) for name in world.names}


def _configure(world: World) -> None:
    etc = Path("/etc/postfix")
    main = {**MAIN, **world.main}
    main_cf = etc / "main.cf"
    main_cf.write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
    settle(main_cf)
    listening = [*OWN, *PUBLIC]
    protocols = main.get("inet_protocols", "all")
    if protocols != "all":
        listening = [address for address in listening if (":" in address) == (protocols == "ipv6")]
    smtpd = "".join(f"[{address}]:25 inet n - n - - smtpd\n" for address in listening)
    (etc / "master.cf").write_text(master() + smtpd)
    (etc / "transport").write_text("".join(f"{key} {value}\n" for key, value in world.table.items()))
    subprocess.run(["postmap", str(etc / "transport")], check=True)


def _done() -> dict[str, Sent]:
    found = {}
    for line in LOG.read_text().splitlines() if LOG.exists() else ():
        if done := _DONE.search(line):
            agent, name, address, port, code, status = done.groups()
            to = (f"[{address}]:{port}" if ":" in address else f"{address}:{port}") if address and port else ""
            found[name] = Sent("discarded" if agent == "discard" else status, code, to)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
