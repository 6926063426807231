# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of rules: which rows, in which order, on which page, and the links between."""

import time
from urllib.parse import parse_qs

import pytest

from mxbackup import rules
from mxbackup.outage import Check, Contact, State
from mxbackup.panel.forms import decode
from mxbackup.panel.listing import PAGE_ROWS, Listing, Row, View, listing
from mxbackup.queue import Held, Summary
from mxbackup.rules.names import parse_host
from mxbackup.service import changing, inspecting
from mxbackup.service.held import HeldMail
from mxbackup.words import lexicon
from mxbackup.words.outlook import Concern, Light
from tests.scratch import Scratch

RULES = (
    "dupontnet.com=mxbackup|Description|Jean|Kind|domain",
    "www.dupontnet.com=mxbackup|Kind|host",
    "xn--caf-dma.example=mxbackup|Description|Zoé|Kind|host|Route|mail.cafe.example:26",
    "martin.example=mxbackup|Description|anne|Kind|domain",
)


def shown(server: Scratch, view: View) -> Listing:
    return listing(inspecting.status(server.context), {}, HeldMail(), view, lexicon.load("en-us"))


def names(found: Listing) -> list[str]:
    return [row.name for row in found.rows]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(), ["café.example", "dupontnet.com", "www.dupontnet.com", "martin.example"]),
        (View(descending=True), ["martin.example", "www.dupontnet.com", "dupontnet.com", "café.example"]),
        (View(sort="kind"), ["dupontnet.com", "martin.example", "café.example", "www.dupontnet.com"]),
        (View(sort="kind", descending=True), ["café.example", "www.dupontnet.com", "dupontnet.com", "martin.example"]),
        (View(sort="destination"), ["café.example", "dupontnet.com", "www.dupontnet.com", "martin.example"]),
        (View(text="dupont"), ["dupontnet.com", "www.dupontnet.com"]),
        (View(text="CAFÉ"), ["café.example"]),
        (View(text="xn--caf"), ["café.example"]),
        (View(text="zoé"), ["café.example"]),
        (View(text=":26"), ["café.example"]),
        (View(text="host"), ["café.example", "www.dupontnet.com"]),
        (View(text="nothing of the kind"), []),
    ],
)
def test_filter_and_order(server: Scratch, view: View, expected: list[str]) -> None:
    server.database("domains", *RULES)
    assert names(shown(server, view)) == expected


READ = (
    "alpha.net",
    "cafe.example",
    "café.example",
    "cafés.example",
    "dupont.co.uk",
    "mail.dupont.co.uk",
    "dupontnet.com",
    "mail.dupontnet.com",
    "a.mail.dupontnet.com",
    "www.dupontnet.com",
    "zebra.com",
)


def test_names_stand_as_people_read_them(server: Scratch) -> None:
    server.database("domains", *(f"{parse_host(name)}=mxbackup|Kind|host" for name in READ))
    assert names(shown(server, View())) == list(READ)
    assert names(shown(server, View(descending=True))) == list(READ[::-1])


def test_the_rules_that_a_sentence_is_about(server: Scratch) -> None:
    server.database("domains", *RULES)
    states = {
        "www.dupontnet.com": State(check=Check("error", ("nat",))),
        "martin.example": State(contact=Contact.UNREACHABLE),
        "dupontnet.com": State(check=Check("warning")),
    }
    held = HeldMail(Summary((Held("martin.example", 2, 3, 100, 1000, None, 0, ""),)))
    found = {
        concern.value: names(listing(inspecting.status(server.context), states, held, view, lexicon.load("en-us")))
        for concern in Concern
        for view in [View.of({"show": concern})]
    }
    assert found == {
        "away": ["martin.example"],
        "held": ["martin.example"],
        "error": ["www.dupontnet.com"],
        "warning": ["dupontnet.com"],
        "unchecked": ["café.example"],
    }
    assert names(shown(server, View(text="dupont", show=Concern.UNCHECKED))) == ["dupontnet.com", "www.dupontnet.com"]


def test_a_row_tells_all_of_a_rule(server: Scratch) -> None:
    server.database("domains", *RULES)
    states = {"www.dupontnet.com": State(check=Check("warning"), checked=1078866000)}
    held = HeldMail(Summary((Held("www.dupontnet.com", 2, 3, 100, int(time.time()) - 7200, None, 0, ""),)))
    [row] = listing(inspecting.status(server.context), states, held, View(text="www"), lexicon.load("fr")).rows
    assert row == Row(
        key="www.dupontnet.com",
        name="www.dupontnet.com",
        kind="Ordinateur",
        destination="MX",
        light=Light.WARNING,
        standing="",
        covered_by="dupontnet.com",
        held="messages\u00a0: 2, depuis 2 h",
        when=time.strftime("%Y-%m-%d %H:%M", time.localtime(1078866000)),
    )


def test_the_worst_and_the_most_come_first(server: Scratch) -> None:
    server.database("domains", *RULES)
    states = {
        "www.dupontnet.com": State(check=Check("error", ("nat",))),
        "martin.example": State(contact=Contact.UNREACHABLE),
        "dupontnet.com": State(check=Check("fine")),
    }
    held = HeldMail(Summary((Held("xn--caf-dma.example", 2, 3, 100, 1000, None, 0, ""),)))
    found = listing(inspecting.status(server.context), states, held, View(sort="state"), lexicon.load("en-us"))
    assert [row.light for row in found.rows] == [Light.ERROR, Light.ERROR, Light.WARNING, Light.FINE]
    found = listing(inspecting.status(server.context), states, held, View(sort="held"), lexicon.load("en-us"))
    assert names(found)[0] == "café.example"


@pytest.mark.parametrize(
    ("count", "page", "first", "rows", "pages"),
    [
        (0, 1, None, 0, 1),
        (PAGE_ROWS, 1, 0, PAGE_ROWS, 1),
        (PAGE_ROWS + 1, 1, 0, PAGE_ROWS, 2),
        (PAGE_ROWS + 1, 2, PAGE_ROWS, 1, 2),
        (PAGE_ROWS + 1, 99, PAGE_ROWS, 1, 2),
        (PAGE_ROWS + 1, 0, 0, PAGE_ROWS, 2),
    ],
)
def test_pages(server: Scratch, count: int, page: int, first: int | None, rows: int, pages: int) -> None:
    server.database("domains", *(f"d{number:04}.example=mxbackup|Kind|domain" for number in range(count)))
    found = shown(server, View(page=page))
    assert (len(found.rows), found.found, found.pages) == (rows, count, pages)
    assert names(found)[:1] == ([] if first is None else [f"d{first:04}.example"])


@pytest.mark.parametrize(
    ("asked", "view"),
    [
        ({}, View()),
        ({"q": " a b ", "sort": "kind", "desc": "1", "p": "3"}, View("a b", "kind", True, 3)),
        ({"sort": "password", "desc": "yes", "p": "-1"}, View()),
        ({"p": "9999999999999999999999"}, View()),
        ({"show": "error", "all": "1"}, View(show=Concern.ERROR, chosen=True)),
        ({"show": "password", "all": "2"}, View()),
        ({"p": "٣"}, View()),
    ],
)
def test_what_cannot_be_asked_for_is_the_default(asked: dict[str, str], view: View) -> None:
    assert View.of(asked) == view


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_a_link_leads_to_its_view(charset: str) -> None:
    view = View("café & 5 € 日本", "destination", True, 7, Concern.HELD)
    link = view.link(charset)
    assert link.isascii()
    assert View.of(decode(link.removeprefix("?").encode(), charset)) == view
    assert parse_qs(view.link("utf-8", sort="kind", p=0))["sort"] == ["kind"]
    assert "p=" not in view.link(charset, p=0)


def test_the_name_of_a_rule_is_searched_as_people_read_it(server: Scratch) -> None:
    server.database("domains", *RULES)
    assert rules.shown(changing.get(server.context, "café.example")) in names(shown(server, View(text="é.ex")))
