# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mail stays on this server: `locals`, `virtualdomains` and `percenthack` as qmail-send(8) reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import HostError
from mxbackup.rules import localmail
from mxbackup.rules.localmail import LocalMail
from tests.scratch import Scratch

CONTROL = "/var/qmail/control"
VIRTUAL = """\
# ours
.virt.test:alias
exc.virt.test:
.below.exc.virt.test:jo
whole.test:alias \t
jo@address.test:jo
UPPER.test:Alias
twice.test:first
twice.test:
no-colon.test
 blank.test:alias
two.test:a:b
"""


def virtual(text: str) -> LocalMail:
    return LocalMail(virtual=localmail.virtual_domains([line for _, line in localmail.control_lines(text.encode())]))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("virt.test", None),
        ("a.virt.test", ".virt.test:alias"),
        ("a.b.virt.test", ".virt.test:alias"),
        ("exc.virt.test", None),
        ("a.exc.virt.test", ".virt.test:alias"),
        ("a.below.exc.virt.test", ".below.exc.virt.test:jo"),
        ("whole.test", "whole.test:alias"),
        ("a.whole.test", None),
        ("address.test", None),
        ("upper.test", "upper.test:Alias"),
        ("twice.test", None),
        ("no-colon.test", None),
        ("blank.test", None),
        ("two.test", "two.test:a:b"),
        ("other.test", None),
    ],
)
def test_the_nearest_entry_of_virtualdomains_decides(name: str, line: str | None) -> None:
    assert virtual(VIRTUAL).delivers(name) == line
    assert virtual(VIRTUAL + ":alias\n").delivers(name) == line or line is None


def test_the_entry_without_a_name_is_for_all_that_are_not_named() -> None:
    found = virtual(":alias\nfriend.test:\n.friend.test:\n")
    assert [found.delivers(name) for name in ("friend.test", "www.friend.test", "other.test")] == [
        None,
        None,
        ":alias",
    ]


def test_locals_come_first() -> None:
    assert LocalMail(frozenset({"a.test"}), {"a.test": "", "": "x"}).delivers("a.test") == "a.test"


@given(st.binary())
def test_no_bytes_in_a_control_file_stop_it(content: bytes) -> None:
    lines = [line for _, line in localmail.control_lines(content)]
    found = LocalMail(virtual=localmail.virtual_domains(lines))
    assert found.delivers("a.example.com") in {None, *(f"{key}:{user}" for key, user in found.virtual.items())}


def test_me_is_local_only_where_there_are_no_locals(server: Scratch) -> None:
    server.write(f"{CONTROL}/me", "Mail.durantcom.net\n")
    assert localmail.at(server.path(CONTROL)) == LocalMail(frozenset({"mail.durantcom.net"}))
    server.write(f"{CONTROL}/locals", "localhost\n#durantcom.net\n")
    server.write(f"{CONTROL}/percenthack", "Hack.test \n")
    assert localmail.at(server.path(CONTROL)) == LocalMail(
        frozenset({"localhost"}), percenthack=frozenset({"hack.test"})
    )


def test_a_server_without_qmail_says_nothing(server: Scratch) -> None:
    assert localmail.at(server.path("/nowhere")) == LocalMail()


def test_a_file_that_cannot_be_read_is_told(server: Scratch) -> None:
    server.path(f"{CONTROL}/virtualdomains").mkdir()
    with pytest.raises(HostError, match="virtualdomains cannot be read: Is a directory"):
        localmail.at(server.path(CONTROL))
