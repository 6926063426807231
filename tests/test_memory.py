# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of what primaries said: what is kept, for how long, and what becomes of a damaged file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import HostError
from mxbackup.recipients import memory
from mxbackup.recipients.memory import Contact, Memory, Met
from mxbackup.recipients.policies import BAD_LIFE, GOOD_LIFE, Answer, Known, Primary

NOW = 1_078_866_000
GOOD, BAD = Answer("jean@dupontnet.com", True, NOW), Answer("x@dupontnet.com", False, NOW)
RULE = "dupontnet.com"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lib/recipients.sqlite"


def asked(*addresses: str) -> list[tuple[str, str]]:
    return [(address, RULE) for address in addresses]


def test_what_is_kept_is_there_when_it_is_opened_again(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD])
        kept.set_primary("dupontnet.com", Primary("192.0.2.25:25", True), NOW)
        kept.set_contact("192.0.2.25:25", Contact(3, NOW))
    assert memory.known(path, {}) == Known({}, {"dupontnet.com": Primary("192.0.2.25:25", True)}, [GOOD, BAD])
    with memory.opened(path) as kept:
        assert kept.contacts() == {"192.0.2.25:25": Contact(3, NOW)}


def test_an_answer_settles_the_question_and_takes_the_place_of_the_one_before(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.ask(asked("x@dupontnet.com", "y@dupontnet.com"), NOW)
        kept.ask(asked("x@dupontnet.com"), NOW + 1)
        kept.answer([BAD])
        kept.answer([Answer(BAD.address, True, NOW + 5)])
        assert kept.due(NOW) == ["y@dupontnet.com"]
    assert memory.known(path, {}).answers == [Answer(BAD.address, True, NOW + 5)]


@pytest.mark.parametrize("before", [GOOD, BAD])
@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize(("later", "kept"), [(1, "said"), (0, "said"), (-1, "before")])
def test_the_later_answer_stands(path: Path, before: Answer, good: bool, later: int, kept: str) -> None:
    said = Answer(before.address, good, NOW + later)
    with memory.opened(path) as opened:
        opened.answer([before])
        opened.answer([said])
        assert opened.known({}).answers == [{"before": before, "said": said}[kept]]


def test_answers_can_be_forgotten(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD])
        kept.forget_answers([GOOD.address, "nobody@dupontnet.com"])
        assert kept.known({}).answers == [BAD]


# Which questions come first


def test_what_is_written_to_most_comes_first_and_then_what_has_waited_longest(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.ask(asked("late@a.org"), NOW + 1)
        kept.ask(asked("b@a.org", "a@a.org"), NOW)
        kept.ask(asked("twice@a.org"), NOW)
        kept.ask(asked("twice@a.org"), NOW + 2)
        assert kept.due(NOW + 2) == ["twice@a.org", "a@a.org", "b@a.org", "late@a.org"]
        assert kept.waiting() == 4


def test_good_answers_are_asked_for_again_before_their_end(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD, Answer("anne@dupontnet.com", True, NOW - 1)])
        before = NOW + GOOD_LIFE - memory.RENEWAL
        assert kept.ageing(before - 2) == []
        assert kept.ageing(before - 1) == ["anne@dupontnet.com"]
        assert kept.ageing(before) == ["anne@dupontnet.com", "jean@dupontnet.com"]
        kept.ask(asked("once@a.org", "jean@dupontnet.com"), before)
        kept.renew(asked(*kept.ageing(before)), before)
        assert kept.due(before) == ["anne@dupontnet.com", "jean@dupontnet.com", "once@a.org"]


def test_a_question_in_vain_is_put_off_for_longer_each_time(path: Path) -> None:
    pauses = []
    with memory.opened(path) as kept:
        kept.ask(asked("x@a.org"), NOW)
        for _ in range(10):
            kept.put_off("x@a.org", NOW)
            pauses.append(next(one for one in range(0, 90_000, 60) if kept.due(NOW + one)))
        kept.put_off("nobody@a.org", NOW)
        assert kept.waiting() == 1
    assert pauses == [240, 480, 960, 1920, 3840, 7680, 14400, 14400, 14400, 14400]
    assert [memory.pause(tries) for tries in (0, 1, 2, 10**9)] == [0, 240, 480, 14400]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_a_rule_loses_no_question_to_one_that_has_more(few: int, many: int, wanted: int) -> None:
    most = 20
    with closing(sqlite3.connect(":memory:")) as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "MOST_QUESTIONS", most)
        connection.executescript(memory._TABLES)
        kept = Memory(connection)
        kept.ask([(f"{number}@few.org", "few.org") for number in range(few)], NOW)
        for _ in range(wanted):
            kept.ask([(f"{number}@many.org", "many.org") for number in range(many)], NOW + 1)
        left = [address.partition("@")[2] for address in kept.due(NOW + 1)]
    many = many if wanted else 0
    assert len(left) == min(most, few + many)
    assert left.count("few.org") >= min(few, most // 2)
    assert left.count("many.org") >= min(many, most // 2)


def test_what_was_written_to_last_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_QUESTIONS", 2)
    with memory.opened(path) as kept:
        kept.ask(asked("a@b.org"), NOW)
        kept.ask(asked("b@b.org"), NOW + 1)
        kept.ask(asked("c@b.org"), NOW + 2)
        assert sorted(kept.due(NOW + 2)) == ["b@b.org", "c@b.org"]


# Controls


def test_a_control_is_another_good_recipient_of_the_host_that_not_everybody_may_write_to(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer(
            Answer(address, True, NOW) for address in ("postmaster@a.org", "abuse@a.org", "x@b.a.org", "x@xa.org")
        )
        kept.answer([Answer("bad@a.org", False, NOW), Answer("old@a.org", True, NOW - GOOD_LIFE)])
        kept.answer([Answer("future@a.org", True, NOW + 1)])
        assert kept.control("x@a.org", NOW) == ""
        kept.answer([Answer("jean@a.org", True, NOW)])
        assert kept.control("x@a.org", NOW) == "jean@a.org"
        assert kept.control("jean@a.org", NOW) == ""
        assert kept.control("x@b.a.org", NOW) == ""
        kept.answer([Answer("anne@a.org", True, NOW)])
        assert {kept.control("x@a.org", NOW) for _ in range(50)} == {"jean@a.org", "anne@a.org"}


# Ends


def test_what_no_longer_counts_is_forgotten(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD])
        kept.set_primary("dupontnet.com", Primary("192.0.2.25:25"), NOW)
        kept.set_primary("martin.fr", Primary("192.0.2.26:25"), NOW)
        kept.set_contact("192.0.2.25:25", Contact(1, NOW))
        kept.ask(asked("y@dupontnet.com"), NOW)
        kept.forget(NOW + BAD_LIFE - 1, ["dupontnet.com", "martin.fr"])
        assert kept.known({}).answers == [GOOD, BAD]
        kept.forget(NOW + BAD_LIFE, ["dupontnet.com"])
        assert kept.known({}) == Known({}, {"dupontnet.com": Primary("192.0.2.25:25")}, [GOOD])
        kept.forget(NOW + memory.QUESTION_LIFE, [])
        assert (kept.waiting(), kept.contacts()) == (0, {})
        kept.forget(NOW + GOOD_LIFE, [])
        assert kept.known({}).answers == []


def test_no_time_in_the_future_counts(path: Path) -> None:
    """As a clock leaves it that stood in 2030 for a while."""
    later = NOW + 26 * 365 * 86400
    with memory.opened(path) as kept:
        kept.answer([BAD._replace(asked=later), GOOD])
        kept.ask(asked("y@a.org", "z@a.org"), later)
        kept.put_off("z@a.org", later)
        kept.set_primary("dupontnet.com", Primary("192.0.2.25:25", True), later + memory.TEST_EVERY, tries=2)
        kept.serve({"dupontnet.com": later})
        kept.set_contact("192.0.2.25:25", Contact(1, later))
        assert kept.known({}, NOW).answers == [GOOD]
        kept.correct(NOW)
        assert kept.known({}, later).answers == [GOOD]
        assert kept.due(NOW) == ["y@a.org", "z@a.org"]
        assert kept.primaries() == {"dupontnet.com": Met(Primary("192.0.2.25:25", True), NOW, 2, 0)}
        assert kept.contacts() == {}
        kept.answer([BAD])
        assert kept.known({}, NOW).answers == [GOOD, BAD]
        kept.forget(NOW + memory.QUESTION_LIFE, [])
        assert kept.waiting() == 0


def test_a_time_that_may_be_is_left_as_it_is(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.ask(asked("y@a.org"), NOW)
        for _ in range(9):
            kept.put_off("y@a.org", NOW)
        kept.set_primary("dupontnet.com", Primary("192.0.2.25:25"), NOW + memory.TEST_EVERY)
        kept.correct(NOW)
        assert kept.due(NOW + memory.LONGEST_PAUSE - 1) == []
        assert kept.primaries()["dupontnet.com"].due == NOW + memory.TEST_EVERY


def test_there_is_an_end_to_what_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_ANSWERS", 2)
    with memory.opened(path) as kept:
        kept.answer([BAD, Answer("older@b.org", True, NOW - 9), GOOD])
        kept.forget(NOW, [])
        assert kept.known({}).answers == [GOOD, Answer("older@b.org", True, NOW - 9)]


# Files that cannot be used


FIRST_VERSION = """
CREATE TABLE answers (address TEXT PRIMARY KEY, good INTEGER NOT NULL, asked INTEGER NOT NULL);
CREATE TABLE questions (address TEXT PRIMARY KEY, since INTEGER NOT NULL);
CREATE TABLE primaries (
    key TEXT PRIMARY KEY, target TEXT NOT NULL, accepts_all INTEGER NOT NULL, tested INTEGER NOT NULL
);
INSERT INTO answers VALUES ('x@a.org', 0, 1078866000);
INSERT INTO primaries VALUES ('a.org', '192.0.2.25:25', 0, 1078866000);
"""


@pytest.mark.parametrize("tables", [FIRST_VERSION, f"PRAGMA user_version = {memory.VERSION + 1}; CREATE TABLE x (y)"])
def test_a_file_of_another_version_is_nothing_known_and_begun_anew(path: Path, tables: str) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(tables)
    assert memory.known(path, {}) == Known({})
    with memory.opened(path) as kept:
        assert kept.known({}) == Known({}, {}, [])
        kept.ask(asked("x@a.org"), NOW)
        assert kept.due(NOW) == ["x@a.org"]


@pytest.mark.parametrize("damage", ["delete", "empty", "cut", "garbage"])
def test_a_damaged_file_is_nothing_known_and_begun_anew(path: Path, damage: str) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, *(Answer(f"{number}@dupontnet.com", True, NOW) for number in range(500))])
    if damage == "delete":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "garbage": b"x" * 9000}[damage])
    assert memory.known(path, {}).primaries == {}
    with memory.opened(path) as kept:
        assert kept.known({}).answers == []
        kept.answer([BAD])
    assert memory.known(path, {"a.org": frozenset({"b@a.org"})}) == Known({"a.org": frozenset({"b@a.org"})}, {}, [BAD])


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "lib").write_text("a file")
    with (
        pytest.raises(HostError, match=r"lib/recipients\.sqlite cannot be used"),
        memory.opened(tmp_path / "lib/recipients.sqlite"),
    ):
        pass
