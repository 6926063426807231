# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Internet around a sandbox: name servers, a mail server and a stranger, each in a network namespace.

The sandbox itself is 192.0.2.10, mail.durantcom.net. The domain dupontnet.com has its primary at 192.0.2.25.
`Internet.serve` says what the two name servers of the domains answer.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.nameserver import configuration
from tests.system.machine import Sandbox, wait_until

MAILSERVER = Path(__file__).with_name("mailserver.py")
HOSTS = {
    "parent": ("192.0.2.1",),
    "dns1": ("192.0.2.53",),
    "dns2": ("192.0.2.54",),
    "primary": ("192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.28"),
    "relay": ("192.0.2.31", "192.0.2.32", "192.0.2.33"),
    "front": ("192.0.2.35",),
    "mute": ("192.0.2.77",),
    "outside": ("192.0.2.99",),
}
BUILD = """
set -e
ip link add inet type bridge
ip addr add 192.0.2.10/24 dev inet
ip addr add 2001:db8::10/64 dev inet nodad
ip link set inet up
host() {
    ip netns add $1
    ip link add $1 type veth peer name eth0 netns $1
    ip link set $1 master inet up
    ip -n $1 link set lo up
    ip -n $1 link set eth0 up
    name=$1
    shift
    for address; do
        ip -n $name addr add $address/24 dev eth0
        ip -n $name addr add 2001:db8::${address##*.}/64 dev eth0 nodad
    done
}
"""
# Whoever is outside is in nobody's network, and has a way to all of them.
STRANGER = """
ip -n outside addr flush dev eth0
ip -n outside addr add 192.0.2.99/32 dev eth0
ip -n outside addr add 2001:db8::99/128 dev eth0 nodad
ip -n outside route add 192.0.2.0/24 dev eth0
ip -n outside route add 2001:db8::/64 dev eth0
"""
SOA = "@ 1 SOA dns1.example.net. hostmaster.example.net. {serial} 3600 600 86400 1"
NSD = """
server:
    ip-address: {address}
    ip-address: {address6}
    zonesdir: /run/{host}
    pidfile: /run/{host}/pid
    database: ""
    username: ""
    logfile: /run/{host}/log
    xfrdfile: /run/{host}/xfrd
    zonelistfile: /run/{host}/zonelist
    xfrdir: /run/{host}
remote-control:
    control-enable: no
"""
UNBOUND = """
server:
    interface: 192.0.2.10
    access-control: 192.0.2.0/24 allow
    chroot: ""
    username: ""
    pidfile: /run/resolver/pid
    use-syslog: no
    cache-max-ttl: 1
    cache-max-negative-ttl: 1
    infra-host-ttl: 1
    module-config: "validator iterator"
    trust-anchor: "bogus.com. DS 12345 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
{more}stub-zone:
    name: com
    stub-addr: 192.0.2.1
stub-zone:
    name: net
    stub-addr: 192.0.2.1
"""


class Internet:
    """The machines around `server`. Everything ends with the sandbox."""

    def __init__(self, server: Sandbox) -> None:
        self.server = server
        hosts = "".join(f"host {name} {' '.join(addresses)}\n" for name, addresses in HOSTS.items())
        server.sh(BUILD + hosts + STRANGER)
        server.write("/etc/resolv.conf", "nameserver 192.0.2.10\n")
        modes = ("accept", "refuse", "defer", "garbage")
        words = [f"{address}={mode}" for address, mode in zip(HOSTS["primary"], modes, strict=True)]
        self.start_in("primary", "python3", str(MAILSERVER), *words)
        wait_until(lambda: self.answers("192.0.2.28", 25))

    def start_in(self, host: str, *command: str) -> None:
        """Start a program on a host, and let it run."""
        words = " ".join(command)
        self.server.sh(f"setsid ip netns exec {host} {words} < /dev/null > /run/{host}.log 2>&1 &")

    def answers(self, address: str, port: int, host: str = "") -> bool:
        """Whether something accepts connections there, from the sandbox or from a host."""
        at = ["ip", "netns", "exec", host] if host else []
        probe = f"import socket; socket.create_connection(('{address}', {port}), 1)"
        return self.server.run([*at, "python3", "-c", probe], check=False).returncode == 0

    def serve(
        self,
        parent: Mapping[str, str],
        first: Mapping[str, str],
        second: Mapping[str, str],
        resolver: str = "",
    ) -> None:
        """Make Knot serve the zones `parent` and `first`, NSD those of `second`; start the resolver afresh.

        A zone is its records after the SOA, with the serial in front: `2 @ NS dns1...`.
        """
        self._knot("parent", parent)
        self._knot("dns1", first)
        self._nsd("dns2", second)
        self.server.sh("test ! -e /run/resolver/pid || kill $(cat /run/resolver/pid)")
        self.server.write("/run/resolver/conf", UNBOUND.format(more=resolver))
        for address in ("192.0.2.1", "192.0.2.53", "192.0.2.54"):
            wait_until(partial(self.answers, address, 53))
        self.server.sh("sleep 0.3; setsid unbound -d -c /run/resolver/conf < /dev/null > /run/resolver/log 2>&1 &")
        wait_until(lambda: self.answers("192.0.2.10", 53))

    def _knot(self, host: str, zones: Mapping[str, str]) -> None:
        self._write_zones(host, zones)
        listen = ", ".join(f"{address}@53" for address in _addresses(host).values())
        self.server.write(f"/run/{host}/conf", configuration(f"/run/{host}", listen, zones))
        self._restart(host, f"knotd -c /run/{host}/conf")

    def _nsd(self, host: str, zones: Mapping[str, str]) -> None:
        self._write_zones(host, zones)
        domains = "".join(f"zone:\n    name: {zone}\n    zonefile: {zone}.zone\n" for zone in zones)
        self.server.write(f"/run/{host}/conf", NSD.format(host=host, **_addresses(host)) + domains)
        self._restart(host, f"nsd -d -c /run/{host}/conf")

    def _write_zones(self, host: str, zones: Mapping[str, str]) -> None:
        for zone, text in zones.items():
            serial, _, records = text.partition(" ")
            content = f"$ORIGIN {zone}.\n$TTL 1\n{SOA.format(serial=serial)}\n{records}\n"
            self.server.write(f"/run/{host}/{zone}.zone", content)

    def _restart(self, host: str, command: str) -> None:
        self.server.sh(
            f'ip netns pids {host} | xargs -r kill; while [ -n "$(ip netns pids {host})" ]; do sleep 0.1; done'
        )
        self.start_in(host, command)


def _addresses(host: str) -> dict[str, str]:
    address = HOSTS[host][0]
    return {"address": address, "address6": f"2001:db8::{address.rpartition('.')[2]}"}
