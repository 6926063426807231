# SPDX-License-Identifier: GPL-2.0-or-later
"""From where a server was asked: what it says to its neighbours is no answer."""

from ipaddress import ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.check import vantage
from mxbackup.check.vantage import Vantage
from mxbackup.smtp.client import Dialogue
from mxbackup.smtp.replies import Reply

HERE = (ip_interface("127.0.0.1/8"), ip_interface("192.168.1.7/24"), ip_interface("2001:db8:1::7/64"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.168.1.7", Vantage.SERVER),
        ("192.168.1.10", Vantage.NETWORK),
        ("192.168.2.10", Vantage.OUTSIDE),
        ("127.0.0.2", Vantage.SERVER),
        ("2001:db8:1::7", Vantage.SERVER),
        ("2001:db8:1::25", Vantage.NETWORK),
        ("2001:db8:2::25", Vantage.OUTSIDE),
    ],
)
def test_by_the_networks_that_this_machine_is_in(address: str, expected: Vantage) -> None:
    assert vantage.before([address], HERE) == expected
    assert vantage.of(Dialogue(address=address), HERE) == expected


@pytest.mark.parametrize(
    ("greeting", "ours", "expected"),
    [
        ("sme.durantcom.net Hi pc [192.168.1.7]", "EHLO pc.lan", Vantage.INSIDE),  # qpsmtpd
        ("sme.durantcom.net Hi box [198.51.100.7]", "EHLO pc.lan", Vantage.OUTSIDE),
        ("sme.durantcom.net Hello [IPv6:fd00::1]", "EHLO pc.lan", Vantage.INSIDE),
        ("mail Hello [192.168.1.7] [198.51.100.7]", "EHLO [192.168.1.7]", Vantage.OUTSIDE),  # Exim
        ("mail Hello [192.168.1.7]", "EHLO [192.168.1.7]", Vantage.OUTSIDE),
        ("mail Hello [203.0.113.5]", "EHLO pc.lan", Vantage.INSIDE),  # through its own router
        ("mail.dupontnet.com", "EHLO pc.lan", Vantage.OUTSIDE),  # Postfix
        ("", "EHLO pc.lan", Vantage.OUTSIDE),
    ],
)
def test_by_what_the_server_says(greeting: str, ours: str, expected: Vantage) -> None:
    dialogue = Dialogue(address="203.0.113.5", greeting=Reply(250, (greeting,)), transcript=(ours,))
    assert vantage.of(dialogue, HERE) == expected


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("0.0.0.0", True),
        ("169.254.169.254", True),
        ("224.0.0.1", True),
        ("::1", True),
        ("fe80::1", True),
        ("::ffff:10.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
    ],
)
def test_addresses_that_lead_nowhere_from_the_internet(address: str, inside: bool) -> None:
    assert vantage.is_inside(address) is inside


@given(st.text())
def test_any_greeting_says_something_or_nothing(text: str) -> None:
    assert vantage.of(Dialogue(address="203.0.113.5", greeting=Reply(250, (f"mail [{text}]",))), HERE) in Vantage


def test_what_is_seen_outside() -> None:
    inside = {"10.0.0.1", "172.31.0.1", "100.64.0.1", "169.254.0.1", "fd00::1", "0.0.0.0", "no", "1.2.3.4; reboot"}
    assert vantage.outside(inside | {"9.9.9.9", "2001:db8::1", "111.2.3.4"}) == ["9.9.9.9", "111.2.3.4", "2001:db8::1"]
