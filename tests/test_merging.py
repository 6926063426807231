# SPDX-License-Identifier: GPL-2.0-or-later
"""What entries do to the records, and that it is all of it or nothing."""

from collections.abc import Callable

from mxbackup.esmith.database import Database
from mxbackup.rules import Kind, Rule
from mxbackup.rules.localmail import LocalMail
from mxbackup.rules.names import Name
from mxbackup.transfer import merging
from mxbackup.transfer.entries import Entry
from mxbackup.transfer.merging import Changed
from tests.conftest import Outcome
from tests.scratch import Scratch

A, B = Name("a.com"), Name("b.com")


def database(*lines: str) -> Database:
    return Database.parse("\n".join(lines).encode())


def test_a_rule_is_made_of_what_is_stated() -> None:
    domains = database()
    merged = merging.merge(domains, LocalMail(), [Entry(1, A), Entry(2, B, {"Kind": "host", "Route": "c.com"})])
    assert merged.added == [Rule(A), Rule(B, Kind.HOST, "c.com")]
    assert domains.raw == {b"a.com": b"mxbackup|Kind|domain", b"b.com": b"mxbackup|Kind|host|Route|c.com"}


def test_what_is_not_stated_stays() -> None:
    domains = database("a.com=mxbackup|Kind|host|Mine|yes|Route|c.com")
    merged = merging.merge(domains, LocalMail(), [Entry(1, A, {"Route": None})])
    assert merged.changed == [Changed(Rule(A, Kind.HOST, "c.com"), Rule(A, Kind.HOST))]
    assert domains.raw == {b"a.com": b"mxbackup|Kind|host|Mine|yes"}


def test_an_equal_rule_is_not_written() -> None:
    domains = database("a.com=mxbackup|Kind|host|Smarthost|bypass")
    assert merging.merge(domains, LocalMail(), [Entry(1, A, {"Kind": "host"})]).unchanged == [Rule(A, Kind.HOST)]
    assert domains.raw == {b"a.com": b"mxbackup|Kind|host|Smarthost|bypass"}


def test_an_invalid_record_is_mended() -> None:
    domains = database("a.com=mxbackup|Kind|everything")
    merged = merging.merge(domains, LocalMail(), [Entry(1, A, {"Kind": "domain"})])
    assert merged.changed == [Changed(None, Rule(A))]


def test_two_lines_about_one_name_are_one_entry() -> None:
    entries = [Entry(1, A, {"Kind": "host"}), Entry(2, A, {"Route": "c.com"}, only_existing=True), Entry(3, A)]
    assert merging.merge(database(), LocalMail(), entries).added == [Rule(A, Kind.HOST, "c.com")]


def test_two_lines_that_contradict_are_refused() -> None:
    merged = merging.merge(database(), LocalMail(), [Entry(1, A, {"Kind": "host"}), Entry(7, A, {"Kind": "domain"})])
    assert [(found.line, str(found.reason)) for found in merged.problems] == [
        (7, "Line 1 says something else of this name.")
    ]


def test_a_record_of_another_type_is_not_touched() -> None:
    domains = database("a.com=alias|To|b.com")
    (problem,) = merging.merge(domains, LocalMail(), [Entry(1, A)]).problems
    assert str(problem.reason) == (
        'The domains database has a record "a.com" of type "alias" already. Remove that one first.'
    )
    assert domains.raw == {b"a.com": b"alias|To|b.com"}


def test_local_domains_are_left_out_though_they_have_a_record() -> None:
    merged = merging.merge(database("a.com=domain|Content|Primary"), LocalMail(frozenset({"a.com"})), [Entry(1, A)])
    assert [str(note.reason) for note in merged.notes] == ['"a.com" is a local domain of this server.']
    assert (merged.added, merged.problems) == ([], [])


def test_progress_counts_the_names() -> None:
    done: list[int] = []
    merging.merge(database(), LocalMail(), [Entry(1, A), Entry(2, B), Entry(3, B)], done.append)
    assert done == [1, 1]


def test_one_bad_line_of_many_and_nothing_is_changed(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.with_events()
    before = server.read("/home/e-smith/db/domains")
    source = server.write("/list", "".join(f"d{number}.example.com\n" for number in range(50)) + "co.uk\n")
    status, out, err = mxbackup("import", str(source))
    assert (status, out) == (2, "")
    assert err.splitlines()[1:] == [
        "Nothing was imported. To be mended first:",
        '  51: co.uk: "co.uk" is a public suffix, under which strangers register their names. '
        "Give the name of one domain, such as example.co.uk.",
    ]
    assert (server.read("/home/e-smith/db/domains"), server.events()) == (before, [])
