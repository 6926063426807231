# SPDX-License-Identifier: GPL-2.0-or-later
"""What is a name, what is not, and the sentence that says why."""

import re
import runpy
from functools import cache
from pathlib import Path

import publicsuffixlist
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mxbackup.errors import InvalidName
from mxbackup.rules import names

LABEL = "a" * 63
LOCAL = 'Every machine calls itself "{}", so it can be no rule. Give a name that the DNS knows.'
LONGEST = ".".join([LABEL, LABEL, LABEL, "a" * 61])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dupontnet.com", "dupontnet.com"),
        ("  DupontNet.COM. ", "dupontnet.com"),
        ("0.example.museum", "0.example.museum"),
        ("a1.b2.c3.d4.e5.example.online", "a1.b2.c3.d4.e5.example.online"),
        ("3com.com", "3com.com"),
        ("1.2.3.example.org", "1.2.3.example.org"),
        ("a--b.example.org", "a--b.example.org"),
        ("été.example.fr", "xn--t-9fab.example.fr"),
        ("ÉTÉ.Example.FR", "xn--t-9fab.example.fr"),
        ("XN--T-9FAB.example.fr", "xn--t-9fab.example.fr"),
        ("straße.de", "xn--strae-oqa.de"),
        ("dupont。example.com", "dupont.example.com"),
        ("dupont.test", "dupont.test"),
        ("www.ck", "www.ck"),
        ("localhost.example.org", "localhost.example.org"),
        ("mylocaldomain.example.org", "mylocaldomain.example.org"),
        (LONGEST, LONGEST),
    ],
)
def test_parse_normalises(text: str, name: str) -> None:
    assert names.parse(text) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The name is empty. Give a domain name such as example.com."),
        ("  ", "The name is empty. Give a domain name such as example.com."),
        (
            "com",
            '"com" has no dot: it would stand for a whole top-level domain. Give a name such as example.com.',
        ),
        (
            "durantcom",
            '"durantcom" has no dot: it would stand for a whole top-level domain. Give a name such as durantcom.com.',
        ),
        ("LOCALHOST", LOCAL.format("LOCALHOST")),
        ("localdomain", LOCAL.format("localdomain")),
        ("localhost.localdomain", LOCAL.format("localhost.localdomain")),
        ("Mail.LocalDomain.", LOCAL.format("mail.localdomain")),
        ("www.localhost", LOCAL.format("www.localhost")),
        (
            "https://www.dupontnet.com/x",
            '"https://www.dupontnet.com/x" is a web address. Give only: www.dupontnet.com',
        ),
        (
            "HTTP://jean@dupontnet.com:8080",
            '"HTTP://jean@dupontnet.com:8080" is a web address. Give only: dupontnet.com',
        ),
        ("a" + LONGEST, "The name has 254 characters; a domain name has at most 253."),
        (
            "a" + LABEL + ".example.com",
            f'"a{LABEL}" has 64 characters; a label between dots has at most 63.',
        ),
        (
            "dupont_net.com",
            '"dupont_net.com" holds the character "_". A name is made of letters, digits, hyphens and dots.',
        ),
        ("-dupont.com", '"-dupont" begins or ends with a hyphen. Leave the hyphen out.'),
        ("dupont-.com", '"dupont-" begins or ends with a hyphen. Leave the hyphen out.'),
        (
            "example.123",
            '"example.123" ends in a number, and no top-level domain is a number. Give the whole name.',
        ),
        ("dupont..com", '"dupont..com" has two dots in a row. Leave one out.'),
        ("192.0.2.1", '"192.0.2.1" is an IP address. Give the domain name that stands behind the @.'),
        ("[192.0.2.1]", '"[192.0.2.1]" is an IP address. Give the domain name that stands behind the @.'),
        ("2001:db8::1", '"2001:db8::1" is an IP address. Give the domain name that stands behind the @.'),
        (
            "jean@dupontnet.com",
            '"jean@dupontnet.com" is an e-mail address. Give only the part behind the @: dupontnet.com',
        ),
        (
            "*.dupontnet.com",
            '"*.dupontnet.com" is a pattern. For the name and everything below it, '
            'give "dupontnet.com" with kind "domain".',
        ),
        (
            ".dupontnet.com",
            '".dupontnet.com" is a pattern. For the name and everything below it, '
            'give "dupontnet.com" with kind "domain".',
        ),
        (
            "co.uk",
            '"co.uk" is a public suffix, under which strangers register their names. '
            "Give the name of one domain, such as example.co.uk.",
        ),
        (
            "asso.fr",
            '"asso.fr" is a public suffix, under which strangers register their names. '
            "Give the name of one domain, such as example.asso.fr.",
        ),
        (
            "公司.cn",
            '"公司.cn" is a public suffix, under which strangers register their names. '
            "Give the name of one domain, such as example.公司.cn.",
        ),
    ],
)
def test_parse_refuses(text: str, reason: str) -> None:
    with pytest.raises(InvalidName) as refused:
        names.parse(text)
    assert str(refused.value) == reason


CONTROL = "The name holds a control character. Type it again: letters, digits, hyphens, dots."


@pytest.mark.parametrize("text", ["a\nb.com", "example.com\n", "a\x00.com", "a\rb.com", "a\x7f.com", "a\x85.com"])
def test_parse_refuses_control_characters(text: str) -> None:
    with pytest.raises(InvalidName) as refused:
        names.parse(text)
    assert str(refused.value) == CONTROL


@pytest.mark.parametrize("char", ["|", "=", " ", "/", ":", "#", "$", "{", "\\", "'", '"', "<", "｜", "＝"])
def test_parse_refuses_what_would_break_a_file(char: str) -> None:
    with pytest.raises(InvalidName):
        names.parse(f"du{char}pont.com")


@pytest.mark.parametrize("text", ["xn--a.com", "xn--.com", "ab\u0338.com\u200d", "☃︎.com\u0e33", "xn--t-9fab-.fr"])
def test_parse_refuses_bad_idna(text: str) -> None:
    with pytest.raises(InvalidName):
        names.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("é☃.fr", "names may not hold ☃ (U+2603)"),
        ("é_a.fr", "names may not hold _ (U+005F)"),
        ("é b.fr", "names may not hold U+0020"),
        ("ab--é.fr", "hyphens stand where names may have none"),
        ("-é.fr", "hyphens stand where names may have none"),
        ("é" * 64 + ".fr", "it is too long"),
        ("é..fr", "a part of it is empty"),
        ("xn--zz--.fr", "what follows xn-- is no encoded name"),
        ("a\u200db.é.fr", "U+200D may not stand in this place"),
        ("\u0301a.é.fr", "it begins with the accent of a letter that is missing"),
        ("אa.fr", "it mixes writing from left to right and from right to left"),
    ],
)
def test_why_a_name_is_no_internationalised_one(text: str, reason: str) -> None:
    with pytest.raises(InvalidName) as refused:
        names.parse(text)
    assert str(refused.value) == f'"{text}" is not a valid internationalised name ({reason}). Check how it is spelt.'


def refusal(text: str) -> str:
    try:
        return names.parse(text)
    except InvalidName as refused:
        return str(refused)


@given(st.text(min_size=1, max_size=8))
def test_no_sentence_of_the_library_is_shown(text: str) -> None:
    said = refusal(f"é{text}.fr").removeprefix(f'"é{text}.fr"')
    assert not re.search("IDNA|Codepoint|Label|Joiner|Invalid", said)


def test_a_route_may_be_any_host_name() -> None:
    assert names.parse_host("github.io") == "github.io"


LISTED = [
    word
    for line in Path(publicsuffixlist.PSLFILE).read_text("utf-8").splitlines()
    for word in line.lstrip("!").removeprefix("*.").split()[:1]
    if not line.startswith("//")
]


@cache
def library() -> publicsuffixlist.PublicSuffixList:
    return publicsuffixlist.PublicSuffixList(accept_encoded_idn=False)


@given(st.sampled_from(LISTED), st.sampled_from(["", "a.", "city.", "a.b.", "www.city."]))
def test_a_public_suffix_is_what_the_library_says(listed: str, below: str) -> None:
    name = below + listed
    assume("." in name)
    assert names._is_public_suffix(name) == library().is_public(name)


@given(st.text(max_size=80))
def test_parse_gives_a_safe_stable_name_or_refuses(text: str) -> None:
    try:
        name = names.parse(text)
    except InvalidName:
        return
    assert names.parse(name) == name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert "." in name
    assert len(name) <= 253


@given(st.from_regex(r"\A[a-zß-ö]{1,20}\.example\.com\Z"))
def test_unicode_form_comes_back(text: str) -> None:
    name = names.parse(text)
    assert names.parse(names.to_unicode(name)) == name


def test_order_is_by_labels_from_the_right() -> None:
    unsorted = ["b.com", "a.org", "x.a.com", "a.com", "a-b.com"]
    assert sorted(unsorted, key=names.sort_key) == ["a.com", "x.a.com", "a-b.com", "b.com", "a.org"]


def test_parents_are_nearest_first() -> None:
    assert names.parents("a.b.dupontnet.com") == ["b.dupontnet.com", "dupontnet.com"]
    assert names.parents("dupontnet.com") == []


def test_the_package_has_every_suffix() -> None:
    whole = Path(publicsuffixlist.PSLFILE).read_text("utf-8")
    short: str = runpy.run_path(str(Path(__file__).parents[1] / "tools/finish-install"))["shorten_suffixes"](whole)
    assert vars(publicsuffixlist.PublicSuffixList(short.splitlines())) == vars(
        publicsuffixlist.PublicSuffixList(whole.splitlines())
    )
    assert short.splitlines()[:3] == whole.splitlines()[:3]
    assert [line for line in short.splitlines() if "===" in line] == [
        line for line in whole.splitlines() if "===" in line
    ]
    assert len(short) < len(whole) / 2
