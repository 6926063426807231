# SPDX-License-Identifier: GPL-2.0-or-later
"""The page with a rule's recipients: pasted, searched, edited, and nothing lost that cannot be recorded."""

import re
from html import unescape

import pytest
from werkzeug.test import TestResponse

from tests.scratch import Scratch
from tests.test_panel import Administrator, said, warnings

HERE = "?page=recipients&rule=dupontnet.com"
DATABASE = "mxbackup_recipients"


@pytest.fixture
def admin(server: Scratch) -> Administrator:
    server.with_events()
    server.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain|Recipients|list", "martin.fr=mxbackup|Kind|domain")
    return Administrator(server)


def listed(page: TestResponse) -> list[str]:
    return re.findall(r'name="address" id="a\d+" value="(.*?)"', page.text)


def texts(page: TestResponse) -> dict[str, str]:
    """What stands in the fields for text, by the form."""
    found = re.findall(r'id="(\w+)-addresses".*?>\n(.*?)</textarea>', page.text, re.DOTALL)
    return {form: unescape(content) for form, content in found}


def reasons(page: TestResponse) -> list[str]:
    found = re.search(r'role="alert".*?</div>', page.text, re.DOTALL)
    return [unescape(reason) for reason in re.findall(r"<li>(.*?)</li>", found[0])] if found else []


def stamp(page: TestResponse) -> str:
    return str(re.findall(r'name="expected" value="(\w+)"', page.text)[0])


def test_a_list_is_pasted_edited_and_shortened(server: Scratch, admin: Administrator) -> None:
    page = admin.get(HERE)
    assert warnings(page) == ["There is no list yet: until you paste one, all its mail is put off."]
    assert (listed(page), texts(page)) == ([], {"list": ""})
    form = {"rule": "dupontnet.com"}
    pasted = "Jean <jean@dupontnet.com>,\r\nanne\r\n# ours\r\nZoe@www.dupontnet.com\r\n"
    assert admin.post(do="list", addresses=pasted, **form).headers["Location"].endswith(HERE)
    page = admin.get(HERE)
    assert said(page) == "success: Recipients of dupontnet.com: 3. Added: 3, removed: 0."
    addresses = ["anne@dupontnet.com", "jean@dupontnet.com", "zoe@www.dupontnet.com"]
    assert (listed(page), texts(page)) == (addresses, {"list": "", "relist": "\n".join(addresses)})
    admin.post(do="relist", addresses="anne\npaul\njean", expected=stamp(page), **form)
    assert admin.message() == "success: Recipients of dupontnet.com: 3. Added: 1, removed: 1."
    admin.client.post(
        "/",
        data={"do": "unlist", "token": admin.token(), **form, "address": ["anne@dupontnet.com", "paul@dupontnet.com"]},
        environ_overrides=admin.environ,
    )
    assert admin.message() == "success: Recipients of dupontnet.com: 1. Added: 0, removed: 2."
    assert server.records(DATABASE) == [
        "dupontnet.com=list|Count|1", "dupontnet.com:jean@dupontnet.com=recipient",
    ]  # fmt: skip
    assert server.events() == ["mxbackup-modify dupontnet.com"] * 3


def test_every_wrong_line_is_told_and_the_text_comes_back(server: Scratch, admin: Administrator) -> None:
    text = "jean\na b\n<script>@x\nanne"
    page = admin.post(do="list", rule="dupontnet.com", addresses=text)
    assert page.status_code == 422
    assert reasons(page) == [
        'Line 2: "a b" is no address. Give one a line, such as jean@dupontnet.com.',
        'Line 3: "<script>@x" is no address. Give one a line, such as jean@dupontnet.com.',
    ]
    assert texts(page) == {"list": text}
    assert not server.path(f"/home/e-smith/db/{DATABASE}").exists()
    many = admin.post(do="list", rule="dupontnet.com", addresses="a b\n" * 102)
    assert (len(reasons(many)), reasons(many)[-1]) == (101, "... and 2 more")
    empty = admin.post(do="list", rule="dupontnet.com", addresses=" \n")
    assert reasons(empty) == [
        "There is no address in it. To accept every recipient: mxbackup set dupontnet.com --recipients any"
    ]


def test_a_list_that_someone_else_changed_is_not_replaced(server: Scratch, admin: Administrator) -> None:
    server.database(DATABASE, "dupontnet.com=list|Count|1", "dupontnet.com:a@dupontnet.com=recipient")
    late = stamp(admin.get(HERE))
    admin.post(do="list", rule="dupontnet.com", addresses="b")
    refused = admin.post(do="relist", rule="dupontnet.com", addresses="a\nc", expected=late)
    assert (refused.status_code, reasons(refused)) == (
        409,
        [
            "The list of dupontnet.com was changed by someone else meanwhile, and nothing of yours was recorded. "
            "Look at it as it is now, and change it again if need be."
        ],
    )
    assert (listed(refused), texts(refused)) == (
        ["a@dupontnet.com", "b@dupontnet.com"], {"list": "", "relist": "a\nc"},
    )  # fmt: skip
    last = admin.post(do="unlist", rule="dupontnet.com", address="a@dupontnet.com")
    assert last.status_code == 303
    assert admin.post(do="unlist", rule="dupontnet.com", address="b@dupontnet.com").status_code == 422


def test_a_long_list_is_searched_and_bounded(server: Scratch, admin: Administrator) -> None:
    records = [f"dupontnet.com:a{number}@dupontnet.com=recipient" for number in range(6000)]
    server.database(DATABASE, "dupontnet.com=list|Count|6000", *records)
    page = admin.get(HERE)
    assert (len(listed(page)), list(texts(page))) == (200, ["list"])
    assert "The first 200 of 6000 are shown." in page.text
    assert "mxbackup recipients import dupontnet.com FILE" in page.text
    assert listed(admin.get(f"{HERE}&q=A5999")) == ["a5999@dupontnet.com"]
    assert "No address contains “zoe”." in admin.get(f"{HERE}&q=zoe").text


def test_what_keeps_a_list_from_counting_is_said(server: Scratch, admin: Administrator) -> None:
    server.database(DATABASE, "dupontnet.com=list|Count|2", "dupontnet.com:a@dupontnet.com=recipient")
    lost = "The list is damaged: some of its addresses are lost, so all mail is put off. Give all of them again below."
    assert warnings(admin.get(HERE)) == [lost]
    page = admin.get("?page=recipients&rule=martin.fr")
    assert "The list does not count: the rule accepts recipients in another way." in page.text
    admin.get("?page=recipients&rule=nobody.org")
    assert admin.message() == 'error: There is no rule for "nobody.org". It may have been removed meanwhile.'
    seen = Administrator(server, privileged=False).get(HERE)
    assert ("<textarea" in seen.text, 'method="post"' in seen.text) == (False, False)


def test_the_rule_and_its_form_lead_to_the_list(admin: Administrator) -> None:
    link = 'href="?page=recipients&amp;rule=dupontnet.com">See and change the list</a>'
    assert link in admin.get("?page=rule&rule=dupontnet.com").text
    assert link in admin.get("?page=edit&rule=dupontnet.com").text
