# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of recipients: from text, into the database, and out of it only when nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import InvalidInput
from mxbackup.esmith.database import Database
from mxbackup.recipients import lists
from mxbackup.rules import RuleSet

RULE = rules.make("dupontnet.com", recipients="list")
OTHER = rules.make("www.dupontnet.com", kind="host")
LOCAL = st.text("abcz019!#$%&'*+/=?^_`{|}~.-", min_size=1, max_size=64)


def test_parse() -> None:
    text = "\ufeff# ours\r\njean\n\n  Anne.B@DupontNet.com. \npaul@mail.dupontnet.com\njean@dupontnet.com\n"
    assert lists.parse(text, RULE, RuleSet([RULE, OTHER])) == {
        "jean@dupontnet.com",
        "anne.b@dupontnet.com",
        "paul@mail.dupontnet.com",
    }


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("jean, anne ;paul,", {"anne", "jean", "paul"}),
        ("Jean <jean@dupontnet.com>, <anne>", {"anne", "jean"}),
        ('"Martin, \\"J\\"" <jean@dupontnet.com>; anne@dupontnet.com', {"anne", "jean"}),
    ],
)
def test_a_line_of_a_mail_program_is_taken(line: str, local: set[str]) -> None:
    assert lists.parse(line, RULE, RuleSet([RULE])) == {f"{one}@dupontnet.com" for one in local}


@given(st.lists(LOCAL, min_size=1, max_size=5))
def test_every_form_of_an_address_means_it(found: list[str]) -> None:
    addresses = {f"{local}@dupontnet.com" for local in found}
    forms = [("{}",), ('"x, y" <{}>',), ("{},",)]
    text = "\n".join(form.format(one) for one in sorted(addresses) for (form,) in forms)
    assert lists.parse(text, RULE, RuleSet([RULE])) == addresses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", 'Line 1: "a b" is no address. Give one a line, such as jean@dupontnet.com.'),
        ("x\n@dupontnet.com", 'Line 2: "@dupontnet.com" is no address. Give one a line, such as jean@dupontnet.com.'),
        ("é@dupontnet.com", 'Line 1: "é@dupontnet.com" is no address. Give one a line, such as jean@dupontnet.com.'),
        (
            "x\na b, c\n<d>\ny@martin.fr",
            'Line 2: "a b, c" is no address. Give one a line, such as jean@dupontnet.com. Wrong too: line 4',
        ),
        (
            "Martin, Jean <jean@dupontnet.com>",
            'Line 1: "Martin, Jean <jean@dupontnet.com>" is no address. Give one a line, such as jean@dupontnet.com.',
        ),
        ("x" * 101, f'Line 1: "{"x" * 100}…" is no address. Give one a line, such as jean@dupontnet.com.'),
        ("a\tb", 'Line 1: "a\tb" is no address. Give one a line, such as jean@dupontnet.com.'),
        ("x@martin.fr", 'Line 1: "x@martin.fr" is no address of dupontnet.com, so this list does not decide about it.'),
        (
            "x@www.dupontnet.com",
            'Line 1: "x@www.dupontnet.com" is no address of dupontnet.com, so this list does not decide about it.',
        ),
        ("x@a..b", 'Line 1: "a..b" has two dots in a row. Leave one out.'),
        (
            "# none\n",
            "There is no address in it. To accept every recipient: mxbackup set dupontnet.com --recipients any",
        ),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        lists.parse(text, RULE, RuleSet([RULE, OTHER]))
    assert str(refused.value) == message


def test_what_is_written() -> None:
    database = Database({b"martin.fr": b"list|Count|1", b"martin.fr:a@martin.fr": b"recipient"})
    lists.replace(database, RULE, {"jean@dupontnet.com", "a=b#c|d@dupontnet.com"})
    lists.replace(database, RULE, {"jean@dupontnet.com", "a=b@dupontnet.com"})
    assert database.raw == {
        b"martin.fr": b"list|Count|1",
        b"martin.fr:a@martin.fr": b"recipient",
        b"dupontnet.com": b"list|Count|2",
        b"dupontnet.com:jean@dupontnet.com": b"recipient",
        b"dupontnet.com:a%3Db@dupontnet.com": b"recipient",
    }


@given(st.sets(LOCAL, min_size=1, max_size=20))
def test_what_is_written_is_read_back_through_the_file(found: set[str]) -> None:
    addresses = {f"{local}@dupontnet.com" for local in found}
    database = Database()
    lists.replace(database, RULE, addresses)
    again = Database.parse(database.serialise("now"))
    assert lists.whole_lists(again, [RULE]) == {"dupontnet.com": addresses}


@given(st.integers(0, 400))
def test_a_file_that_was_cut_anywhere_gives_the_whole_list_or_none(length: int) -> None:
    database = Database()
    addresses = {f"{local}@dupontnet.com" for local in ("anne", "jean", "zoe")}
    lists.replace(database, RULE, addresses)
    content = database.serialise("now")
    cut = lists.whole_lists(Database.parse(content[:length]), [RULE])
    assert cut in ({}, {"dupontnet.com": addresses})
    assert cut == {} or length >= len(content) - 1


def test_an_address_added_by_hand_counts() -> None:
    database = Database()
    lists.replace(database, RULE, {"jean@dupontnet.com"})
    database.set("dupontnet.com:anne@dupontnet.com", "recipient", {})
    assert lists.whole_lists(database, [RULE]) == {"dupontnet.com": {"jean@dupontnet.com", "anne@dupontnet.com"}}


@pytest.mark.parametrize("count", ["", "0", "2", "x", "-1"])
def test_a_list_with_a_wrong_count_is_none(count: str) -> None:
    database = Database(
        {b"dupontnet.com": b"list|Count|" + count.encode(), b"dupontnet.com:a@dupontnet.com": b"recipient"}
    )
    assert lists.whole_lists(database, [RULE]) == {}
