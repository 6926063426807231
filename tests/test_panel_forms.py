# SPDX-License-Identifier: GPL-2.0-or-later
"""What a browser sends, in both charsets, and the entries of a form."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.panel.forms import Entries, Refused, decode
from mxbackup.rules import Kind, Recipients, Rule, SmartHostUse, Unknown
from mxbackup.rules.names import Name

# What stands in a form field: no lone surrogates, and nothing that looks like a character reference itself.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="&"))


@given(st.dictionaries(texts, texts, max_size=20))
def test_utf_8_comes_back(parameters: dict[str, str]) -> None:
    assert decode(urlencode(parameters).encode(), "utf-8") == parameters


@given(st.dictionaries(texts, st.text(st.characters(exclude_categories=["C"], exclude_characters="&"))))
def test_the_legacy_charset_comes_back_with_what_it_cannot_hold(parameters: dict[str, str]) -> None:
    """Control characters are left out: HTML takes references to some for windows-1252, to others for none."""
    printable = {f"p{number}": text for number, text in enumerate(parameters.values())}
    sent = urlencode(printable, encoding="cp1252", errors="xmlcharrefreplace")
    assert decode(sent.encode(), "iso-8859-1") == printable


@given(st.binary())
def test_any_bytes_are_decoded_or_refused(content: bytes) -> None:
    for charset in ("utf-8", "iso-8859-1"):
        try:
            decoded = decode(content, charset)
        except Refused as refused:
            assert refused.status == 400  # noqa: PT017 - others are decoded
        else:
            assert all(isinstance(text, str) for pair in decoded.items() for text in pair)


@pytest.mark.parametrize("sent", ["q=&#0;", "q=&#55296;", "q=&#1114112;", "q=&#9999999;", "q=&#x41;", "q=&amp;"])
def test_odd_references_do_no_harm(sent: str) -> None:
    quoted = "q=" + sent[2:].replace("&", "%26").replace("#", "%23").replace(";", "%3B")
    assert decode(quoted.encode(), "utf-8") == {"q": sent[2:]}
    decode(quoted.encode(), "iso-8859-1")["q"].encode("utf-8")


def test_of_repeated_parameters_the_last_counts() -> None:
    sent = decode(b"kind=domain&name=x&kind=host", "utf-8")
    assert sent == {"kind": "host", "name": "x"}
    assert (sent.every("kind"), sent.every("rule")) == (["domain", "host"], [])


RULE = Rule(
    Name("xn--caf-dma.example"),
    Kind.HOST,
    "mail.example.org:26",
    SmartHostUse.USE,
    Recipients.LEARN,
    Unknown.DEFER,
    "Jean",
)


def test_a_rule_comes_back_from_its_entries() -> None:
    entries = Entries.of_rule(RULE, "stamp")
    assert entries.name == "café.example"
    assert entries.as_rule() == RULE


def test_unknown_parameters_are_ignored() -> None:
    assert Entries.of({"name": "a.example", "root": "/", "__class__": "x"}) == Entries("a.example")


def test_entries_are_shown_as_the_rule_has_them_and_stay_those_of_a_new_one() -> None:
    typed = Entries.of({"name": " CAFÉ.Example. ", "kind": "host", "route": " mail.example.org:026 "})
    assert typed.normalised() == Entries.of({"name": "café.example", "kind": "host", "route": "mail.example.org:26"})
