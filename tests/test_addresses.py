# SPDX-License-Identifier: GPL-2.0-or-later
"""The public address of this server: told, stated and cleared by the command and in the panel, on each kind of host."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from mxbackup.lookup import interfaces
from tests.conftest import Outcome
from tests.postfixhost import MAIN, MAIN_CF, plain_postfix
from tests.scratch import Scratch
from tests.test_panel import Administrator, reason, said

Run = Callable[..., Outcome]
PUBLIC = "111.112.113.114"
UNKNOWN = "By which address strangers reach this server is not known: its own are all private (NAT)."


@pytest.fixture(autouse=True)
def behind_nat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "addresses", lambda: frozenset({"127.0.0.1", "192.168.1.5"}))
    monkeypatch.setattr(interfaces, "addresses_of_ipv6", lambda: frozenset({"::1"}))


def told(stated: str, belief: str) -> str:
    return f"Addresses of this machine: 192.168.1.5\nPublic address, as stated: {stated}\n{belief}\n"


def stated_is(address: str) -> str:
    return f"Strangers reach this server at {address}, as was stated."


def test_the_command_states_and_clears_it(server: Scratch, mxbackup: Run) -> None:
    server.with_events()
    assert mxbackup("address") == (0, told("none", UNKNOWN) + "State it: mxbackup address ADDRESS\n", "")
    both = f"{PUBLIC}, 2001:db8::1"
    assert mxbackup("address", "2001:DB8:0::1", PUBLIC) == (0, f"Public address: {both}.\n", "")
    assert "mxbackup=service|PublicAddress|2001:db8::1 111.112.113.114" in server.records("configuration")
    assert mxbackup("address") == (0, told(both, stated_is(both)), "")
    assert json.loads(mxbackup("address", "--json")[1]) == {
        "version": 1,
        "interfaces": ["192.168.1.5"],
        "stated": [PUBLIC, "2001:db8::1"],
        "public": [PUBLIC, "2001:db8::1"],
    }
    cleared = "No public address is stated any more. No event was signalled: the mail files are as they were.\n"
    assert mxbackup("address", "--clear", "--no-event") == (0, cleared, "")
    assert "mxbackup=service" in server.records("configuration")
    assert server.events() == ["mxbackup-update"]


def test_a_public_interface_needs_no_statement(server: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "addresses", lambda: frozenset({"10.0.0.1", PUBLIC}))
    assert mxbackup("address") == (
        0,
        f"Addresses of this machine: 10.0.0.1, {PUBLIC}\nPublic address, as stated: none\n"
        f"Strangers reach this server at {PUBLIC}, which its interfaces have.\n",
        "",
    )


NO_ADDRESS = '"{}" is no IP address. Give the one by which strangers reach this server, such as 111.112.113.114.'
PRIVATE = (
    "Strangers cannot reach {}: it is an address of a private network or of the machine itself. Give the one that the "
    "router has on the Internet."
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("mail.durantcom.net",), NO_ADDRESS.format("mail.durantcom.net")),
        (("2001:db8::1%eth0",), NO_ADDRESS.format("2001:db8::1%eth0")),
        ((PUBLIC, "192.168.1.5"), PRIVATE.format("192.168.1.5")),
        (("::ffff:10.0.0.1",), PRIVATE.format("::ffff:10.0.0.1")),
        (("fe80::1",), PRIVATE.format("fe80::1")),
        (tuple(f"192.0.2.{number}" for number in range(9)), "Give at most 8 addresses."),
    ],
)
def test_what_strangers_cannot_reach_is_refused(
    server: Scratch, mxbackup: Run, given: tuple[str, ...], expected: str
) -> None:
    before = server.records("configuration")
    assert mxbackup("address", *given) == (2, "", f"mxbackup: {expected}\n")
    assert server.records("configuration") == before


def test_the_address_of_a_primary_is_not_taken_for_ours(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", f"dupontnet.com=mxbackup|Kind|domain|Route|{PUBLIC}")
    assert mxbackup("address", PUBLIC) == (
        2,
        "",
        f"mxbackup: The rule for dupontnet.com has the route {PUBLIC}, so that is not the address of this server. "
        "If it is, change the route first.\n",
    )


def test_on_plain_qmail(tmp_path: Path, mxbackup: Run) -> None:
    host = Scratch(tmp_path / "qmail")
    host.write("/var/qmail/control/me", "mail.durantcom.net\n")
    here = ("--root", str(host.root), "address")
    assert mxbackup(*here, PUBLIC) == (0, f"Public address: {PUBLIC}.\n", "")
    assert host.read("/etc/mxbackup/configuration").endswith(f"mxbackup=service|PublicAddress|{PUBLIC}\n")
    assert mxbackup(*here, "--clear") == (0, "No public address is stated any more.\n", "")


def test_postfix_itself_is_told(tmp_path: Path, mxbackup: Run) -> None:
    host = plain_postfix(tmp_path / "postfix")
    here = ("--root", str(host.root), "address")
    assert mxbackup(*here, PUBLIC) == (0, f"Public address: {PUBLIC}.\n", "")
    assert host.read(MAIN) == f"{MAIN_CF}proxy_interfaces = {PUBLIC}\n"
    assert mxbackup(*here) == (0, told(PUBLIC, stated_is(PUBLIC)), "")
    assert mxbackup(*here, "--clear") == (0, "No public address is stated any more.\n", "")
    assert host.read(MAIN) == f"{MAIN_CF}proxy_interfaces = \n"
    assert not host.path("/etc/mxbackup/configuration").exists()


def test_the_panel_states_and_clears_it(server: Scratch) -> None:
    server.with_events()
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    admin = Administrator(server)
    page = admin.get("?page=address&rule=dupontnet.com")
    assert UNKNOWN in unescape(page.text)
    form = dict(re.findall(r'name="(rule|expected|addresses)" value="(.*?)"', page.text))
    assert form == {"rule": "dupontnet.com", "expected": "", "addresses": ""}
    refused = admin.post(do="address", **form | {"addresses": "10.0.0.1<b>"})
    assert (refused.status_code, reason(refused)) == (422, f"addresses: {NO_ADDRESS.format('10.0.0.1<b>')}")
    assert 'name="addresses" value="10.0.0.1&lt;b&gt;"' in refused.text
    done = admin.post(do="address", **form | {"addresses": f"{PUBLIC}, 2001:db8::1"})
    assert done.headers["Location"].endswith("?page=check&rule=dupontnet.com")
    page = admin.get("?page=address")
    assert said(page) == f"success: Public address: {PUBLIC}, 2001:db8::1."
    assert stated_is(f"{PUBLIC}, 2001:db8::1") in page.text
    late = admin.post(do="address", **form | {"addresses": "192.0.2.1"})
    assert late.headers["Location"].endswith("?page=address")
    assert admin.message() == (
        "error: The public address was changed by someone else meanwhile, and nothing of yours was recorded. "
        "Look at it as it is now, and change it again if need be."
    )
    admin.post(do="address", addresses="", expected=f"{PUBLIC} 2001:db8::1")
    assert admin.message() == "success: No public address is stated any more."


def test_without_privileges_it_is_only_looked_at(server: Scratch) -> None:
    page = Administrator(server, privileged=False).get("?page=address")
    assert ("192.168.1.5" in page.text, "<form" in page.text) == (True, False)
