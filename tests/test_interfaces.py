# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses by which qmail knows this machine."""

import json
import subprocess

from mxbackup import interfaces


def test_all_addresses_of_interfaces_that_are_up() -> None:
    shown = json.loads(subprocess.run(["ip", "-json", "-4", "addr"], capture_output=True, check=True).stdout)
    up = {info["local"] for link in shown if "UP" in link["flags"] for info in link["addr_info"]}
    assert interfaces.addresses() == up
