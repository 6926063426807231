# SPDX-License-Identifier: GPL-2.0-or-later
"""What the contrib of 2004 to 2019 left is carried over, once, and nothing of it is lost."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.transfer.entries import Reading
from mxbackup.transfer.formats import oldcontrib
from tests.conftest import Outcome
from tests.scratch import Scratch
from tests.strategies import NAMES

OLD_RECORD = "mxbackup=service|name|dupontnet.com,1,www.martin.fr,0|status|{status}"


def kinds(reading: Reading) -> dict[str, str | None]:
    return {entry.name: entry.properties["Kind"] for entry in reading.entries}


@pytest.mark.parametrize(
    ("value", "rules", "left"),
    [
        ("", {}, []),
        ("dupontnet.com,1", {"dupontnet.com": "domain"}, []),
        ("a.com,1,b.com,0", {"a.com": "domain", "b.com": "host"}, []),
        (" A.COM. , 1 ,b.com,0,", {"a.com": "domain", "b.com": "host"}, []),
        ("a.com,0,a.com,1", {"a.com": "domain"}, []),
        ("a.com,1,a.com,0", {"a.com": "domain"}, []),
        ("a.com,1,b.com", {"a.com": "domain"}, [(2, "b.com")]),
        ("a.com,2,co.uk,1,c.com,0", {"c.com": "host"}, [(1, "a.com,2"), (2, "co.uk,1")]),
    ],
)
def test_names_and_their_kinds(value: str, rules: dict[str, str], left: list[tuple[int, str]]) -> None:
    reading = oldcontrib.decode(value)
    assert (kinds(reading), [(remark.line, remark.text) for remark in reading.problems]) == (rules, left)


@given(st.dictionaries(NAMES, st.sampled_from("01")))
def test_any_old_record_comes_over_whole(rules: dict[str, str]) -> None:
    value = ",".join(f"{name},{flag}" for name, flag in rules.items())
    reading = oldcontrib.decode(value)
    assert kinds(reading) == {name: {"0": "host", "1": "domain"}[flag] for name, flag in rules.items()}
    assert oldcontrib.without(value, set()) is None
    assert oldcontrib.without(value, set(range(1, len(rules) + 1))) == (value or None)


@given(st.text(alphabet=st.sampled_from("ab.com,10 é")))
def test_what_is_no_rule_is_named_and_can_be_left(value: str) -> None:
    reading = oldcontrib.decode(value)
    left = [*reading.notes, *reading.problems]
    rest = oldcontrib.without(value, {remark.line for remark in left}) or ""
    again = oldcontrib.decode(rest)
    assert again.entries == []
    assert len([*again.notes, *again.problems]) == len(left)


@pytest.mark.parametrize("status", ["enabled", "disabled"])
def test_the_rules_come_over_and_the_status_is_kept(
    status: str, server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    server.database("configuration", "DomainName=durantcom.net", OLD_RECORD.format(status=status))
    server.with_events()
    assert mxbackup("import", "--old-contrib") == (
        0,
        "added dupontnet.com (Domain)\nadded www.martin.fr (Host)\n",
        "",
    )
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|domain", "www.martin.fr=mxbackup|Kind|host"]
    assert server.records("configuration") == ["DomainName=durantcom.net", f"mxbackup=service|status|{status}"]
    assert server.events() == ["mxbackup-update"]


def test_run_again_it_changes_nothing(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.database("configuration", OLD_RECORD.format(status="enabled"))
    server.with_events()
    mxbackup("import", "--old-contrib")
    before = [server.read(f"/home/e-smith/db/{name}") for name in ("domains", "configuration")]
    assert mxbackup("import", "--old-contrib") == (0, "Nothing to take over.\n", "")
    assert [server.read(f"/home/e-smith/db/{name}") for name in ("domains", "configuration")] == before
    assert server.events() == ["mxbackup-update"]


def test_what_cannot_be_a_rule_is_told_and_stays(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.database("domains", "durantcom.net=domain|Content|Primary")
    server.database("configuration", "mxbackup=service|name|asso.fr,1,a.com,1,durantcom.net,0|status|enabled")
    assert mxbackup("import", "--old-contrib", "--no-event") == (
        0,
        "added a.com (Domain)\n",
        "Left in the record of the old contrib:\n"
        '  1: asso.fr,1: "asso.fr" is a public suffix, under which strangers register their names. '
        "Give the name of one domain, such as example.asso.fr.\n"
        '  3: durantcom.net: "durantcom.net" is a local domain of this server.\n',
    )
    assert server.records("configuration") == ["mxbackup=service|name|asso.fr,1,durantcom.net,0|status|enabled"]


def test_a_rule_that_is_there_counts_more_than_the_old_record(
    server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|host|Route|mail.dupontnet.com")
    server.database("configuration", OLD_RECORD.format(status="enabled"))
    assert mxbackup("import", "--old-contrib", "--no-event")[1] == "added www.martin.fr (Host)\n"
    assert server.records("domains") == [
        "dupontnet.com=mxbackup|Kind|host|Route|mail.dupontnet.com",
        "www.martin.fr=mxbackup|Kind|host",
    ]


def test_files_of_the_old_contrib_go_and_others_stay(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    for path in oldcontrib.LEFTOVERS:
        server.write(str(path), "old")
    kept = server.write(str(oldcontrib.LEFTOVERS[0].with_name("50mxbackup")), "ours")
    assert mxbackup("import", "--old-contrib", "--no-event") == (
        0,
        "".join(f"removed {path}\n" for path in oldcontrib.LEFTOVERS),
        "",
    )
    assert kept.exists()
    assert not any(server.path(str(path)).exists() for path in oldcontrib.LEFTOVERS)


@pytest.mark.parametrize(
    "arguments", [(), ("list", "--old-contrib"), ("--old-contrib", "--dry-run"), ("--old-contrib", "--format", "csv")]
)
def test_wrong_use(arguments: tuple[str, ...], server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/list", "a.com\n")
    status, _, err = mxbackup("import", *(str(source) if word == "list" else word for word in arguments))
    assert (status, err.splitlines()[-1]) == (
        2,
        "Error: Give either FILE or --old-contrib, the latter without --dry-run and --format.",
    )
