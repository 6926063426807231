# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of what primaries said: what is kept, for how long, and what becomes of a damaged file."""

from pathlib import Path

import pytest

from mxbackup import memory
from mxbackup.errors import HostError
from mxbackup.policies import BAD_LIFE, GOOD_LIFE, Answer, Known, Primary

NOW = 2_000_000_000
GOOD, BAD = Answer("jean@dupontnet.com", True, NOW), Answer("x@dupontnet.com", False, NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lib/recipients.sqlite"


def test_what_is_kept_is_there_when_it_is_opened_again(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD])
        kept.set_primary("dupontnet.com", Primary("192.0.2.25:25", True), NOW)
    assert memory.known(path, {}) == Known({}, {"dupontnet.com": Primary("192.0.2.25:25", True)}, [GOOD, BAD])


def test_an_answer_settles_the_question_and_takes_the_place_of_the_one_before(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.ask(["x@dupontnet.com", "y@dupontnet.com"], NOW)
        kept.ask(["x@dupontnet.com"], NOW + 1)
        kept.answer([BAD])
        kept.answer([Answer(BAD.address, True, NOW + 5)])
        assert kept.due(NOW) == ["y@dupontnet.com"]
    assert memory.known(path, {}).answers == [Answer(BAD.address, True, NOW + 5)]


@pytest.mark.parametrize(
    ("before", "said", "surely", "kept"),
    [
        (GOOD, Answer(GOOD.address, False, NOW + 1), False, "before"),
        (GOOD, Answer(GOOD.address, False, NOW + 1), True, "said"),
        (GOOD, Answer(GOOD.address, False, NOW + GOOD_LIFE - 1), False, "before"),
        (GOOD, Answer(GOOD.address, False, NOW + GOOD_LIFE), False, "said"),
        (GOOD, Answer(GOOD.address, True, NOW - 1), True, "before"),
        (GOOD, Answer(GOOD.address, True, NOW + 1), False, "said"),
        (BAD, Answer(BAD.address, True, NOW - 1), True, "before"),
        (BAD, Answer(BAD.address, False, NOW + 1), False, "said"),
    ],
)
def test_the_later_answer_stands_and_a_good_one_until_another_is_sure(
    path: Path, before: Answer, said: Answer, surely: bool, kept: str
) -> None:
    with memory.opened(path) as opened:
        opened.answer([before])
        opened.answer([said], surely=surely)
        assert opened.known({}).answers == [{"before": before, "said": said}[kept]]


def test_answers_can_be_forgotten(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD])
        kept.forget_answers([GOOD.address, "nobody@dupontnet.com"])
        assert kept.known({}).answers == [BAD]


def test_questions_come_oldest_first_then_the_good_answers_that_end_within_a_week(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD, Answer("anne@dupontnet.com", True, NOW - 1)])
        kept.ask(["late@dupontnet.com"], NOW + 1)
        kept.ask(["early@dupontnet.com"], NOW)
        week_before = NOW + GOOD_LIFE - memory.RENEWAL
        assert kept.due(week_before - 2) == ["early@dupontnet.com", "late@dupontnet.com"]
        assert kept.due(week_before)[2:] == ["anne@dupontnet.com", "jean@dupontnet.com"]


def test_what_no_longer_counts_is_forgotten(path: Path) -> None:
    with memory.opened(path) as kept:
        kept.answer([GOOD, BAD])
        kept.set_primary("dupontnet.com", Primary("192.0.2.25:25"), NOW)
        kept.set_primary("martin.fr", Primary("192.0.2.26:25"), NOW)
        kept.ask(["y@dupontnet.com"], NOW)
        kept.forget(NOW + BAD_LIFE - 1, ["dupontnet.com", "martin.fr"])
        assert kept.known({}).answers == [GOOD, BAD]
        kept.forget(NOW + BAD_LIFE, ["dupontnet.com"])
        assert kept.known({}) == Known({}, {"dupontnet.com": Primary("192.0.2.25:25")}, [GOOD])
        kept.forget(NOW + memory.QUESTION_LIFE, [])
        assert kept.due(NOW) == []
        kept.forget(NOW + GOOD_LIFE, [])
        assert kept.known({}).answers == []


def test_there_is_an_end_to_what_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_QUESTIONS", 2)
    monkeypatch.setattr(memory, "MOST_ANSWERS", 2)
    with memory.opened(path) as kept:
        kept.ask(["a@b.org", "b@b.org", "c@b.org"], NOW)
        assert kept.due(NOW) == ["a@b.org", "b@b.org"]
        kept.answer([BAD, Answer("older@b.org", True, NOW - 9), GOOD])
        kept.forget(NOW, [])
        assert kept.known({}).answers == [GOOD, Answer("older@b.org", True, NOW - 9)]


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
