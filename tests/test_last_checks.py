# SPDX-License-Identifier: GPL-2.0-or-later
"""What list, show and status tell of the last checks."""

import json
from collections.abc import Callable

import pytest

from mxbackup.words.spans import moment
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
WHEN = 1078866000
NEVER = {"when": None, "errors": [], "warnings": [], "never": ["a.fr", "b.fr", "c.fr", "d.fr"]}


@pytest.fixture
def four(server: Scratch) -> Scratch:
    """A server with four rules."""
    server.database("domains", *(f"{name}.fr=mxbackup|Kind|domain" for name in "abcd"))
    return server


@pytest.fixture
def checked(four: Scratch) -> Scratch:
    """Three of them have been checked."""
    found = {"a.fr": ["error", ["not-mx", "no-rule"]], "b.fr": ["warning", []], "c.fr": ["fine", []]}
    states = {name: {"check": check, "checked": WHEN - place} for place, (name, check) in enumerate(found.items())}
    told = {"version": 1, "open": False, "seen": 0, "trouble": "", "rules": states}
    four.write("/var/lib/mxbackup/outages.json", json.dumps(told))
    return four


def test_list(checked: Scratch, mxbackup: Run) -> None:
    assert mxbackup("list")[1] == (
        "NAME  KIND    LAST CHECK  DESTINATION  DESCRIPTION\n"
        "a.fr  Domain  ERROR       MX\n"
        "b.fr  Domain  warning     MX\n"
        "c.fr  Domain  fine        MX\n"
        "d.fr  Domain  -           MX\n"
    )
    states = [rule["state"] for rule in json.loads(mxbackup("list", "--json")[1])["rules"]]
    assert [(state["check"], state["checked"], state["codes"]) for state in states] == [
        ("error", WHEN, ["not-mx", "no-rule"]),
        ("warning", WHEN - 1, []),
        ("fine", WHEN - 2, []),
        (None, None, []),
    ]


def test_show(checked: Scratch, mxbackup: Run) -> None:
    def told(name: str) -> list[str]:
        return [line for line in mxbackup("show", name)[1].splitlines() if line.startswith("Last check: ")]

    assert told("a.fr") == [f"Last check: {moment(WHEN)}: ERROR (not-mx, no-rule)"]
    assert told("c.fr") == [f"Last check: {moment(WHEN - 2)}: fine"]
    assert told("d.fr") == ["Last check: never. To check it: mxbackup check d.fr"]
    assert json.loads(mxbackup("show", "a.fr", "--json")[1])["state"]["codes"] == ["not-mx", "no-rule"]


def test_status(checked: Scratch, mxbackup: Run) -> None:
    assert (
        f"Last check: {moment(WHEN)}. Rules with errors: 1; with warnings: 1; not checked yet: 1.\n"
        "With errors: a.fr. To see why: mxbackup check --problems\n"
    ) in mxbackup("status")[1]
    expected = {"when": WHEN, "errors": ["a.fr"], "warnings": ["b.fr"], "never": ["d.fr"]}
    assert json.loads(mxbackup("status", "--json")[1])["checks"] == expected


def test_status_before_the_first_check(four: Scratch, mxbackup: Run) -> None:
    assert "No rule has been checked yet. To check them: mxbackup check\n" in mxbackup("status")[1]
    assert json.loads(mxbackup("status", "--json")[1])["checks"] == NEVER


def test_where_the_states_cannot_be_read_nothing_is_claimed(checked: Scratch, mxbackup: Run) -> None:
    checked.write("/var/lib/mxbackup/outages.json", "no JSON")
    assert "been checked yet" not in mxbackup("status")[1]
    assert "Last check" not in mxbackup("show", "a.fr")[1]
