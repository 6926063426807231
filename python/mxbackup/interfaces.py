# SPDX-License-Identifier: GPL-2.0-or-later
"""The IPv4 addresses of this machine's interfaces, by which qmail knows itself (ipme.c)."""

import socket
import struct

SIOCGIFCONF = 0x8912
SIOCGIFFLAGS = 0x8913
IFF_UP = 1
# struct ifreq, netdevice(7): a name of 16 bytes and a union, which is larger where pointers are.
IFREQ_SIZE = 16 + (24 if struct.calcsize("P") == 8 else 16)
ROOM_FOR = 4096


def addresses() -> frozenset[str]:
    """Return the addresses of all interfaces that are up. Where there is no such ioctl, those of the host name."""
    try:
        return frozenset(_configured())
    except (ImportError, OSError):
        return frozenset(_of_host_name())


def _configured() -> list[str]:
    import array
    import fcntl

    buffer = array.array("B", bytes(ROOM_FOR * IFREQ_SIZE))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("iP", len(buffer), buffer.buffer_info()[0])
        length = struct.unpack("iP", fcntl.ioctl(any_socket, SIOCGIFCONF, request))[0]
        entries = [buffer[at : at + IFREQ_SIZE].tobytes() for at in range(0, length, IFREQ_SIZE)]
        return [_address(entry) for entry in entries if _up(any_socket, entry)]


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
