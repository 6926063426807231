# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses by which qmail knows this machine."""

import json
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from mxbackup.lookup import interfaces
from mxbackup.lookup.interfaces import Own, parse_networks


def test_all_addresses_of_interfaces_that_are_up() -> None:
    shown = json.loads(subprocess.run(["ip", "-json", "-4", "addr"], capture_output=True, check=True).stdout)
    up = {info["local"] for link in shown if "UP" in link["flags"] for info in link["addr_info"]}
    assert interfaces.addresses() == up


def test_the_networks_that_this_machine_is_in() -> None:
    shown = json.loads(subprocess.run(["ip", "-json", "addr"], capture_output=True, check=True).stdout)
    up = {
        f"{info['local']}/{info['prefixlen']}" for link in shown if "UP" in link["flags"] for info in link["addr_info"]
    }
    assert set(map(str, interfaces.interfaces())) == up


def test_own_addresses_of_a_patched_qmail() -> None:
    more = parse_networks(
        b"192.0.2.1\n198.51.100.0/255.255.255.0\n203.0.113.1/24\n10.0.0.1/255.0.0.0\n# x\n10.1.0.0/0.0.0.255"
    )
    assert [str(network) for network in more] == ["192.0.2.1/32", "198.51.100.0/24"]
    own = Own({"192.0.2.10", "192.0.2.11"}, more, parse_networks(b"198.51.100.7\n192.0.2.11\n192.0.2.0/255.255.255.0"))
    asked = (
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.10",
        "192.0.2.11",
        "198.51.100.6",
        "198.51.100.7",
        "10.0.0.1",
    )
    assert [address in own for address in asked] == [True, False, True, False, True, False, False]


@given(st.binary())
def test_any_file_of_networks_can_be_read(content: bytes) -> None:
    assert isinstance("192.0.2.1" in Own(more=parse_networks(content)), bool)
