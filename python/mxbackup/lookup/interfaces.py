# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses by which a mail system knows itself: those of this machine's interfaces, and more that are named."""

import re
import socket
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
)
from pathlib import Path

from mxbackup.lookup.answers import literal

SIOCGIFCONF = 0x8912
SIOCGIFFLAGS = 0x8913
SIOCGIFNETMASK = 0x891B
IFF_UP = 1
# struct ifreq, netdevice(7): a name of 16 bytes and a union, which is larger where pointers are.
IFREQ_SIZE = 16 + (24 if struct.calcsize("P") == 8 else 16)
ROOM_FOR = 4096
IF_INET6 = Path("/proc/net/if_inet6")
Network = IPv4Network | IPv6Network
Interface = IPv4Interface | IPv6Interface
_IP = r"([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)"
_LINE = re.compile(rf"{_IP}[^/]*(?:/{_IP}.*)?")


@dataclass(frozen=True)
class Own:
    """The addresses that a mail system takes for its own: use `in`.

    `more` are the networks of `control/moreipme`, which a patch has qmail read (0.6, ipme.c), or the addresses of
    Postfix' proxy_interfaces; `less` the networks of `control/notipme`; the narrowest one that holds an
    address decides. The interfaces count as networks of one address.
    """

    interfaces: Collection[str] = ()
    more: tuple[Network, ...] = ()
    less: tuple[Network, ...] = ()

    def __contains__(self, address: object) -> bool:
        found = ip_address(str(address))
        here = found.max_prefixlen if address in self.interfaces else _narrowest(self.more, found)
        return here > _narrowest(self.less, found)


def parse_networks(content: bytes) -> tuple[IPv4Network, ...]:
    """Return the networks of `moreipme` or `notipme`: `address` or `address/mask` a line; other lines are skipped."""
    lines = map(_LINE.fullmatch, content.decode("latin-1").split("\n"))
    return tuple(network for line in lines if line and (network := _network(line[1], line[2] or "255.255.255.255")))


def _network(address: str, mask: str) -> IPv4Network | None:
    """None for what can hold no address: bits that the mask leaves out, or a mask with holes."""
    first, bits = (int(IPv4Address(literal(text))) for text in (address, mask))
    length = 32 - (bits ^ 0xFFFFFFFF).bit_length()
    found = IPv4Network((first, length), strict=False)
    return found if (int(found.network_address), int(found.netmask)) == (first, bits) else None


def _narrowest(networks: Iterable[Network], address: IPv4Address | IPv6Address) -> int:
    return max((network.prefixlen for network in networks if address in network), default=-1)


def addresses() -> frozenset[str]:
    """Return the IPv4 addresses of all interfaces that are up; of the host name where there is no such ioctl."""
    return frozenset(str(interface.ip) for interface in _of_ipv4())


def addresses_of_ipv6() -> frozenset[str]:
    """Return the IPv6 addresses of all interfaces (if_inet6, proc(5)); none where the system has no IPv6."""
    return frozenset(str(interface.ip) for interface in _of_ipv6())


def interfaces() -> tuple[Interface, ...]:
    """Return the addresses of this machine with the networks that they are in."""
    return (*_of_ipv4(), *_of_ipv6())


def _of_ipv4() -> list[IPv4Interface]:
    """Those of the host name count as networks of one address."""
    try:
        return _configured()
    except (ImportError, OSError):
        return list(map(IPv4Interface, _of_host_name()))


def _of_ipv6() -> list[IPv6Interface]:
    """Each line has the address, the number of the interface, and the length of the network's prefix."""
    try:
        lines = [line.split() for line in IF_INET6.read_text().splitlines()]
    except OSError:
        return []
    return [IPv6Interface((int(address, 16), int(length, 16))) for address, _, length, *_ in lines]


def _configured() -> list[IPv4Interface]:
    import array
    import fcntl

    buffer = array.array("B", bytes(ROOM_FOR * IFREQ_SIZE))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("iP", len(buffer), buffer.buffer_info()[0])
        length = struct.unpack("iP", fcntl.ioctl(any_socket, SIOCGIFCONF, request))[0]
        entries = [buffer[at : at + IFREQ_SIZE].tobytes() for at in range(0, length, IFREQ_SIZE)]
        return [_interface(any_socket, entry) for entry in entries if _up(any_socket, entry)]


def _interface(any_socket: socket.socket, entry: bytes) -> IPv4Interface:
    import fcntl

    mask = _address(fcntl.ioctl(any_socket, SIOCGIFNETMASK, entry))
    return IPv4Interface(f"{_address(entry)}/{mask}")


def _address(entry: bytes) -> str:
    """The union holds a sockaddr_in: family, port, address (ip(7))."""
    return socket.inet_ntoa(entry[20:24])


def _up(any_socket: socket.socket, entry: bytes) -> bool:
    import fcntl

    answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, entry)
    return bool(struct.unpack_from("h", answer, 16)[0] & IFF_UP)


def _of_host_name() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found]
