# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands about recipients, and what the others say of them: whole outputs."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup.recipients import memory
from mxbackup.recipients.policies import Answer, Primary
from tests.scratch import Scratch, letter_to_owner

Run = Callable[..., tuple[int, str, str]]
NO_QPSMTPD = "There is no qpsmtpd on this host, so every recipient is accepted all the same.\n"


@pytest.fixture
def smtpd(server: Scratch) -> Scratch:
    """A server with qpsmtpd, events and two rules."""
    server.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    server.with_events()
    server.database(
        "domains",
        "dupontnet.com=mxbackup|Kind|domain|Recipients|list",
        "martin.fr=mxbackup|Kind|domain|Recipients|learn|Unknown|defer",
    )
    return server


def test_the_policy_is_recorded(smtpd: Scratch, mxbackup: Run) -> None:
    assert mxbackup("add", "example.org", "--recipients", "learn", "--unknown", "defer") == (
        0,
        f"Added example.org (Domain).\n{letter_to_owner('example.org')}",
        "",
    )
    assert mxbackup("set", "martin.fr", "--recipients", "any", "--unknown", "") == (0, "Changed martin.fr.\n", "")
    assert smtpd.records("domains") == [
        "dupontnet.com=mxbackup|Kind|domain|Recipients|list",
        "example.org=mxbackup|Kind|domain|Recipients|learn|Unknown|defer",
        "martin.fr=mxbackup|Kind|domain",
    ]


def test_without_its_list_a_rule_puts_all_mail_off(smtpd: Scratch, mxbackup: Run) -> None:
    missing = "There is no list yet, so all its mail is put off. Import it: mxbackup recipients import {} FILE\n".format
    said = "Added example.org (Domain).\n" + missing("example.org") + letter_to_owner("example.org")
    assert mxbackup("add", "example.org", "--recipients", "list") == (0, said, "")
    said = "Changed martin.fr.\n" + missing("martin.fr")
    assert mxbackup("set", "martin.fr", "--recipients", "list") == (0, said, "")
    smtpd.database("mxbackup_recipients", "martin.fr=list|Count|1", "martin.fr:a@martin.fr=recipient")
    assert mxbackup("set", "martin.fr", "--kind", "host") == (0, "Changed martin.fr.\n", "")


def test_without_qpsmtpd_it_is_said_that_a_policy_has_no_effect(server: Scratch, mxbackup: Run) -> None:
    server.with_events()
    assert mxbackup("add", "example.org", "--recipients", "list") == (
        0,
        "Added example.org (Domain).\n" + NO_QPSMTPD + letter_to_owner("example.org"),
        "",
    )
    assert mxbackup("set", "example.org", "--recipients", "learn") == (0, "Changed example.org.\n" + NO_QPSMTPD, "")
    assert mxbackup("set", "example.org", "--recipients", "any") == (0, "Changed example.org.\n", "")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--recipients", 'mxbackup: The recipients setting "x" is unknown. Give "any", "list" or "learn".\n'),
        (
            "--unknown",
            'mxbackup: The setting for unknown recipients "x" is unknown. Give "accept" or "defer".\n',
        ),
    ],
)
def test_an_unknown_policy_is_refused(smtpd: Scratch, mxbackup: Run, option: str, message: str) -> None:
    before = smtpd.records("domains")
    assert mxbackup("add", "example.org", option, "x") == (2, "", message)
    assert mxbackup("set", "martin.fr", option, "x") == (2, "", message)
    assert smtpd.records("domains") == before


def test_import_and_export(smtpd: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    file.write_text("Jean\nanne@www.dupontnet.com\n")
    assert mxbackup("recipients", "import", "dupontnet.com", str(file)) == (
        0,
        "Recipients of dupontnet.com: 2.\n",
        "",
    )
    listed = "anne@www.dupontnet.com\njean@dupontnet.com\n"
    assert mxbackup("recipients", "export", "dupontnet.com") == (0, listed, "")


def test_import_from_standard_input_for_a_rule_whose_policy_is_another(
    smtpd: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"paul\n")))
    assert mxbackup("recipients", "import", "martin.fr", "--no-event") == (
        0,
        "Recipients of martin.fr: 1. No event was signalled: the mail files are as they were.\n"
        "The list does not count yet. Let it count: mxbackup set martin.fr --recipients list\n",
        "",
    )


def test_import_of_what_is_no_list(smtpd: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    file.write_bytes(b"jean\n\xe9lise\n")
    assert mxbackup("recipients", "import", "dupontnet.com", str(file)) == (
        2,
        "",
        'mxbackup: Line 2: "élise" is no address. Give one a line, such as jean@dupontnet.com.\n',
    )
    assert mxbackup("recipients", "export", "dupontnet.com") == (0, "", "dupontnet.com has no list.\n")
    assert mxbackup("recipients", "export", "nobody.org")[0] == 1


def test_a_list_is_changed_address_by_address(smtpd: Scratch, mxbackup: Run) -> None:
    here = ("recipients", "add", "dupontnet.com")
    assert mxbackup(*here, "Jean", "Anne <anne@www.dupontnet.com>") == (
        0,
        "Recipients of dupontnet.com: 2. Added: 2.\n",
        "",
    )
    assert mxbackup(*here, "jean,paul", "--no-event") == (
        0,
        "Recipients of dupontnet.com: 3. Added: 1. No event was signalled: the mail files are as they were.\n",
        "",
    )
    listed = "anne@www.dupontnet.com\njean@dupontnet.com\npaul@dupontnet.com\n"
    assert mxbackup("recipients", "list", "dupontnet.com") == (0, listed, "")
    assert mxbackup("recipients", "remove", "dupontnet.com", "JEAN", "zoe") == (
        1,
        "Recipients of dupontnet.com: 2. Removed: 1.\n",
        "zoe@dupontnet.com was not in the list.\n",
    )
    assert json.loads(mxbackup("recipients", "list", "dupontnet.com", "--json")[1]) == {
        "version": 1,
        "name": "dupontnet.com",
        "counts": True,
        "whole": True,
        "addresses": ["anne@www.dupontnet.com", "paul@dupontnet.com"],
    }
    assert smtpd.events() == ["mxbackup-modify dupontnet.com"] * 2


def test_a_list_is_neither_emptied_nor_begun_by_a_slip(smtpd: Scratch, mxbackup: Run) -> None:
    mxbackup("recipients", "add", "dupontnet.com", "jean")
    before = smtpd.records("mxbackup_recipients")
    assert mxbackup("recipients", "remove", "dupontnet.com", "jean") == (
        2,
        "",
        "mxbackup: The list of dupontnet.com would be empty then, and all its mail put off. To accept every "
        "recipient: mxbackup set dupontnet.com --recipients any\n",
    )
    assert mxbackup("recipients", "add", "dupontnet.com", "anne", "x@y.org") == (
        2,
        "",
        'mxbackup: "x@y.org" is no address of dupontnet.com, so this list does not decide about it.\n',
    )
    assert smtpd.records("mxbackup_recipients") == before
    assert mxbackup("recipients", "remove", "martin.fr", "jean")[0] == 1
    assert smtpd.records("mxbackup_recipients") == before
    assert mxbackup("recipients", "list", "martin.fr") == (
        0,
        "",
        "martin.fr has no list.\nThe list does not count yet. Let it count: mxbackup set martin.fr --recipients list\n",
    )


def test_a_damaged_list_is_only_replaced(smtpd: Scratch, mxbackup: Run, tmp_path: Path) -> None:
    smtpd.database("mxbackup_recipients", "dupontnet.com=list|Count|2", "dupontnet.com:a@dupontnet.com=recipient")
    damaged = (
        "mxbackup: The list of dupontnet.com is damaged: some of its addresses are lost. Give all of them again: "
        "mxbackup recipients import dupontnet.com FILE\n"
    )
    assert mxbackup("recipients", "add", "dupontnet.com", "b") == (2, "", damaged)
    assert mxbackup("recipients", "remove", "dupontnet.com", "a") == (2, "", damaged)
    assert mxbackup("recipients", "list", "dupontnet.com") == (1, "", "dupontnet.com has no list.\n")
    (tmp_path / "addresses").write_text("a\nb\n")
    assert mxbackup("recipients", "import", "dupontnet.com", str(tmp_path / "addresses"))[0] == 0
    assert mxbackup("recipients", "list", "dupontnet.com") == (0, "a@dupontnet.com\nb@dupontnet.com\n", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"jean\n\0\n", "{path} is not text."),
        (None, "{path} cannot be read: No such file or directory."),
    ],
)
def test_import_of_what_cannot_be_read(
    smtpd: Scratch, mxbackup: Run, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "addresses"
    if content is not None:
        file.write_bytes(content)
    said = f"mxbackup: {message.format(path=file)}\n"
    assert mxbackup("recipients", "import", "dupontnet.com", str(file)) == (2, "", said)


def test_learn_where_nothing_is_to_be_learnt(server: Scratch, mxbackup: Run) -> None:
    assert mxbackup("learn") == (0, "No rule learns its recipients here.\n", "")


# What the other commands say


def known_lines(mxbackup: Run) -> list[str]:
    return [line for line in mxbackup("status")[1].splitlines() if line.startswith(("dupontnet.com:", "martin.fr:"))]


def test_status_before_anything_is_known(smtpd: Scratch, mxbackup: Run) -> None:
    assert known_lines(mxbackup) == [
        "dupontnet.com: the list is missing or damaged, so all recipients are put off. "
        "Import it: mxbackup recipients import dupontnet.com FILE",
        "martin.fr: recipients are to be learnt; no answer yet",
    ]
    assert mxbackup("status")[0] == 1


@pytest.mark.parametrize(
    ("age", "words"), [(0, "0 min"), (7140, "119 min"), (7200, "2 h"), (172799, "47 h"), (172800, "2 days")]
)
def test_status_of_what_is_known(
    smtpd: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch, age: int, words: str
) -> None:
    now = 2_000_000_000
    monkeypatch.setattr(time, "time", lambda: now)
    smtpd.database("mxbackup_recipients", "dupontnet.com=list|Count|1", "dupontnet.com:a@dupontnet.com=recipient")
    with memory.opened(smtpd.path("/var/lib/mxbackup/recipients.sqlite")) as kept:
        kept.set_primary("martin.fr", Primary("192.0.2.25:25"), now)
        kept.answer([Answer("a@martin.fr", True, now - age), Answer("b@martin.fr", False, now - age)])
    assert known_lines(mxbackup) == [
        "dupontnet.com: 1 recipients by list",
        f"martin.fr: 1 recipients learnt, the newest answer is {words} old",
    ]
    assert json.loads(mxbackup("show", "martin.fr", "--json")[1])["recipients"] == {
        "policy": "learn",
        "unknown": "defer",
        "known": 1,
        "newest_answer_age": age,
        "list_whole": True,
        "primary_accepts_all": False,
    }


def test_status_of_a_primary_that_accepts_everything(smtpd: Scratch, mxbackup: Run) -> None:
    with memory.opened(smtpd.path("/var/lib/mxbackup/recipients.sqlite")) as kept:
        kept.set_primary("martin.fr", Primary("192.0.2.25:25", accepts_all=True), 0)
    assert known_lines(mxbackup)[1] == "martin.fr: the primary accepts every recipient, so this server does too"


def test_show_says_it_of_every_rule(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    assert "Recipients: every recipient is accepted\n" in mxbackup("show", "dupontnet.com")[1]
