# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens and kept messages: what one session made, only that session takes. And the secret behind it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.panel.session import MESSAGE_CHARACTERS, SECRET_BYTES, Notice, Session, load_secret

SECRET = bytes(range(32))
NUMBER = "0123456789abcdef" * 2
SESSION = Session("admin", NUMBER, SECRET)
OTHERS = (
    Session("jean", NUMBER, SECRET),
    Session("admin", NUMBER[::-1], SECRET),
    Session("admin", NUMBER, SECRET[::-1]),
)


def test_only_the_token_of_the_session_is_accepted() -> None:
    assert SESSION.accepts(SESSION.token)
    assert not any(SESSION.accepts(other.token) for other in OTHERS)
    assert not SESSION.accepts("")
    assert not SESSION.accepts("é\0")


@given(st.booleans(), st.text(max_size=MESSAGE_CHARACTERS))
def test_a_message_comes_back_to_its_session_alone(good: bool, text: str) -> None:
    sealed = SESSION.seal(Notice(good, text))
    assert SESSION.unseal(sealed) == Notice(good, text)
    assert [other.unseal(sealed) for other in OTHERS] == [None] * 3


@given(st.text())
def test_anything_else_is_no_message(value: str) -> None:
    assert SESSION.unseal(value.encode("utf-8", "replace").decode()) is None


def test_a_token_is_no_message() -> None:
    assert SESSION.unseal(SESSION.token) is None


def test_a_long_message_still_fits_a_cookie() -> None:
    for text in ("x" * 10_000, "".join(map(chr, range(0x4E00, 0x9FFF, 20)))):
        assert len(SESSION.seal(Notice(False, text))) < 4000


@pytest.mark.parametrize("cookie", ["", "x", "G" * 32, NUMBER + "0", NUMBER.upper(), NUMBER + "\n"])
def test_a_cookie_that_is_not_ours_starts_a_new_session(cookie: str) -> None:
    one, two = Session.of("admin", cookie, SECRET), Session.of("admin", cookie, SECRET)
    assert one.number != two.number
    assert Session.of("admin", one.number, SECRET) == one


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var/lib/mxbackup/panel-secret"
    secret = load_secret(path)
    assert (len(secret), load_secret(path), path.stat().st_mode & 0o777) == (SECRET_BYTES, secret, 0o600)
    assert [left.name for left in path.parent.iterdir()] == ["panel-secret"]


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_secret_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "panel-secret"
    path.write_bytes(content)
    assert len(load_secret(path)) == SECRET_BYTES
