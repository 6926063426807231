# SPDX-License-Identifier: GPL-2.0-or-later
"""What a server knows of recipients: from the lists and the memory on disk to the table and the status."""

import pytest

from mxbackup import rules
from mxbackup.errors import DatabaseError, HostError, InvalidInput
from mxbackup.recipients import memory
from mxbackup.recipients.policies import NOTHING, Answer, Known, Primary
from mxbackup.recipients.register import Knowledge, knowledge
from mxbackup.rules import Recipients, RuleSet
from mxbackup.service import applying, knowing, listing
from mxbackup.service.listing import ListChange
from tests.scratch import Scratch

ANY = rules.make("any.org")
LIST = rules.make("dupontnet.com", recipients="list")
LEARN = rules.make("martin.fr", recipients="learn")
RECORDS = ("any.org=mxbackup|Kind|domain", "dupontnet.com=mxbackup|Kind|domain|Recipients|list")


def test_nothing_is_opened_for_rules_that_accept_everybody(server: Scratch) -> None:
    server.write("/home/e-smith/db/mxbackup_recipients").chmod(0)
    server.path("/var/lib/mxbackup/recipients.sqlite").mkdir(parents=True)
    assert server.context.recipients.known([ANY]) == NOTHING


def test_lists_and_answers_are_read(server: Scratch) -> None:
    register = server.context.recipients
    assert register.known([LIST, LEARN]) == Known({})
    register.change(LIST, lambda before: {"jean@dupontnet.com"})
    with memory.opened(server.path("/var/lib/mxbackup/recipients.sqlite")) as kept:
        kept.answer([Answer("x@martin.fr", False, 5)])
    lists = {"dupontnet.com": frozenset({"jean@dupontnet.com"})}
    assert register.known([LIST]) == Known(lists)
    assert register.known([LIST, LEARN]) == Known(lists, {}, [Answer("x@martin.fr", False, 5)])


def test_a_database_that_cannot_be_read_is_an_error_and_no_empty_list(server: Scratch) -> None:
    server.path("/home/e-smith/db/mxbackup_recipients").mkdir()
    with pytest.raises(DatabaseError):
        server.context.recipients.known([LIST])


def test_knowledge() -> None:
    known = Known(
        {"dupontnet.com": ["a@dupontnet.com", "b@dupontnet.com"]},
        {"all.org": Primary("192.0.2.1:25", accepts_all=True), "martin.fr": Primary("192.0.2.2:25")},
        [
            Answer("a@martin.fr", True, 5),
            Answer("b@www.martin.fr", True, 7),
            Answer("c@martin.fr", False, 9),
            Answer("d@nowhere.org", True, 99),
        ],
    )
    accepting = rules.make("all.org", recipients="learn")
    lost = rules.make("lost.org", recipients="list")
    assert knowledge(RuleSet([ANY, LIST, lost, LEARN, accepting]), known) == {
        "any.org": Knowledge(Recipients.ANY),
        "dupontnet.com": Knowledge(Recipients.LIST, 2),
        "lost.org": Knowledge(Recipients.LIST, 0, whole=False),
        "martin.fr": Knowledge(Recipients.LEARN, 2, 9),
        "all.org": Knowledge(Recipients.LEARN, accepts_all=True),
    }


# The verbs


def test_import_records_the_list_and_signals_the_event(server: Scratch) -> None:
    server.database("domains", *RECORDS)
    server.with_events()
    both = ("anne@a.dupontnet.com", "jean@dupontnet.com")
    done = listing.replace(server.context, "DupontNet.com", "Jean\nanne@a.dupontnet.com\n")
    assert done == ListChange(LIST, 2, both, ())
    assert server.records("mxbackup_recipients") == [
        "dupontnet.com=list|Count|2",
        "dupontnet.com:anne@a.dupontnet.com=recipient",
        "dupontnet.com:jean@dupontnet.com=recipient",
    ]
    assert server.events() == ["mxbackup-modify dupontnet.com"]
    assert server.context.recipients.of(LIST) == frozenset(both)


def test_bad_input_changes_nothing(server: Scratch) -> None:
    server.database("domains", *RECORDS)
    server.with_events()
    listing.replace(server.context, "dupontnet.com", "jean\n")
    before = server.path("/home/e-smith/db/mxbackup_recipients").read_bytes()
    with pytest.raises(InvalidInput):
        listing.replace(server.context, "dupontnet.com", "anne\nx@elsewhere.org\n")
    assert server.path("/home/e-smith/db/mxbackup_recipients").read_bytes() == before
    assert server.events() == ["mxbackup-modify dupontnet.com"]


def test_without_events_nothing_is_changed(server: Scratch) -> None:
    server.database("domains", *RECORDS)
    with pytest.raises(HostError, match="no SME Server"):
        listing.replace(server.context, "dupontnet.com", "jean\n")
    assert not server.path("/home/e-smith/db/mxbackup_recipients").exists()


def test_the_fragment_holds_what_is_known(server: Scratch) -> None:
    server.database("domains", *RECORDS)
    server.with_events()
    listing.replace(server.context, "dupontnet.com", "jean\n")
    assert applying.fragment(server.context, "qpsmtpd") == (
        "# BEGIN mxbackup: rules of the domains database\n"
        ".any.org\tany\n"
        ".dupontnet.com\tlist\n"
        "<jean@dupontnet.com>\tgood\n"
        "any.org\tany\n"
        "dupontnet.com\tlist\n"
        "~ END mxbackup\n"
    )


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ("martin.fr=mxbackup|Kind|domain", "enabled"),
        ("martin.fr=mxbackup|Kind|domain|Recipients|learn", "disabled"),
    ],
)
def test_nobody_is_asked_where_nothing_is_to_be_learnt(server: Scratch, record: str, status: str) -> None:
    server.database("domains", record)
    server.database("configuration", f"mxbackup=service|status|{status}")
    server.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    assert knowing.learn(server.context) is None
    assert not server.path("/var/lib/mxbackup").exists()


def test_nobody_is_asked_without_qpsmtpd(server: Scratch) -> None:
    server.database("domains", "martin.fr=mxbackup|Kind|domain|Recipients|learn")
    assert knowing.learn(server.context) is None
