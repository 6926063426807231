# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of learning: what is asked, of whom, and what is made of the answers; and many runs, who waits how long."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import HostError
from mxbackup.esmith.settings import Settings
from mxbackup.lookup.answers import ABSENT, Answer, Outcome
from mxbackup.recipients import learning, memory, policies
from mxbackup.recipients.callout import Came, Said
from mxbackup.recipients.journal import Note
from mxbackup.recipients.learning import Learned, Surroundings
from mxbackup.recipients.memory import Contact, Memory
from mxbackup.recipients.policies import Answer as Known
from mxbackup.recipients.policies import Primary
from mxbackup.rules import Rule, RuleSet
from mxbackup.smtp.replies import parse
from tests.scratch import Scratch

NOW = 1_078_866_000
OURS, DUPONT, BELOW, ROUTE = "192.0.2.10", "192.0.2.25", "192.0.2.26", "192.0.2.27"
ZONE = {
    ("dupontnet.com", "MX"): Answer(Outcome.FOUND, exchangers=((5, "mail.dupontnet.com"), (9, "us.durantcom.net"))),
    ("www.dupontnet.com", "MX"): Answer(Outcome.FOUND, exchangers=((5, "below.dupontnet.com"),)),
    ("ours.fr", "MX"): Answer(Outcome.FOUND, exchangers=((5, "us.durantcom.net"),)),
    ("mail.dupontnet.com", "A"): Answer(Outcome.FOUND, (DUPONT,)),
    ("below.dupontnet.com", "A"): Answer(Outcome.FOUND, (BELOW,)),
    ("us.durantcom.net", "A"): Answer(Outcome.FOUND, (OURS,)),
}
LEARN = rules.make("dupontnet.com", recipients="learn")
USERS = ("jean", "anne", "postmaster")
GONE = "550 5.1.1 no such user"
SILENT = ""


def knows(local: str) -> str:
    return "250 ok" if local in USERS else GONE


@dataclass
class World:
    """All primaries and the plugin, in place of network and spool, and the clock: a question takes a second."""

    known: Memory
    time: float = NOW
    journal: list[Note] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    replies: dict[str, Callable[[str], str]] = field(default_factory=dict)

    def notes(self) -> list[Note]:
        return self.journal

    def drop_notes(self) -> None:
        self.journal = []

    def ask(self, target: str, address: str, control: str = "") -> Said:
        self.asked.append((target, address, control))
        reply = self.replies.get(target.rpartition(":")[0], knows)
        said = reply(address.partition("@")[0])
        self.time += 1 if said else 10
        if not said:
            return Said(Came.SILENCE)
        beside = reply(control.partition("@")[0]) if control and said[0] == "5" else ""
        return Said(Came.REPLY, parse(said), parse(beside))

    def note(self, *notes: str, age: int = 0) -> None:
        """The plugin writes down WORD ADDRESS."""
        self.journal += [Note(int(self.time) - age, *note.split()) for note in notes]

    def run(self, *found: Rule, longest: float = 240.0) -> Learned:
        around = Surroundings(
            lambda name, kind: ZONE.get((name, kind), ABSENT), {OURS}, self, lambda: self.time, lambda: self.time
        )
        return learning.learn(RuleSet(found), self.known, around, longest)

    def about(self) -> list[tuple[str, str]]:
        """The questions since the last time, those about nobody by that word."""
        asked, self.asked = self.asked, []
        return [(to, "nobody" if about.startswith("nobody-") else about) for to, about, _ in asked]

    def answers(self) -> dict[str, bool]:
        return {answer.address: answer.good for answer in self.known.known({}, int(self.time)).answers}

    def good(self, *addresses: str, age: int = 0) -> None:
        self.known.answer(Known(address, True, int(self.time) - age) for address in addresses)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with memory.opened(tmp_path / "memory") as opened:
        yield World(opened)


def test_the_primary_is_found_and_asked_about_nobody_once_a_day(world: World) -> None:
    world.run(LEARN)
    world.run(LEARN)
    assert world.about() == [(f"{DUPONT}:25", "nobody")]
    assert world.known.known({}).primaries == {"dupontnet.com": Primary(f"{DUPONT}:25")}
    world.time += memory.TEST_EVERY
    world.run(LEARN)
    assert world.about() == [(f"{DUPONT}:25", "nobody")]


def test_what_the_plugin_could_not_settle_is_asked_of_the_primary_of_its_host(world: World) -> None:
    world.run(LEARN)
    world.note("ask jean@dupontnet.com", "reply x@www.dupontnet.com", "ask y@martin.fr", "good anne@dupontnet.com")
    assert world.run(LEARN) == Learned(good=1, waiting=1)
    assert world.about() == [
        (f"{DUPONT}:25", "nobody"),
        (f"{DUPONT}:25", "jean@dupontnet.com"),
        (f"{BELOW}:25", "x@www.dupontnet.com"),
    ]
    assert world.answers() == {"jean@dupontnet.com": True, "anne@dupontnet.com": True}


def test_with_a_route_that_is_who_is_asked(world: World) -> None:
    world.note("ask jean@www.dupontnet.com")
    world.run(rules.make("dupontnet.com", recipients="learn", route=f"[{ROUTE}]:26"))
    assert world.about() == [(f"{ROUTE}:26", "nobody"), (f"{ROUTE}:26", "jean@www.dupontnet.com")]


def test_only_rules_that_learn_ask_anybody(world: World) -> None:
    world.note("ask jean@dupontnet.com")
    assert world.run(rules.make("dupontnet.com"), rules.make("martin.fr", recipients="list")) == Learned()
    assert world.about() == []


def test_a_question_of_a_rule_that_learns_no_more_is_dropped(world: World) -> None:
    world.note("ask jean@dupontnet.com")
    assert world.run(LEARN, longest=0).waiting == 1
    assert world.run(rules.make("dupontnet.com")).waiting == 0


def test_we_do_not_ask_ourselves(world: World) -> None:
    assert world.run(rules.make("ours.fr", recipients="learn"), rules.make("gone.fr", recipients="learn")) == Learned(
        silent={"ours.fr": "ours.fr", "gone.fr": "gone.fr"}
    )
    assert world.about() == []


# What a refusal proves


def test_nobody_is_sure_beside_a_recipient_that_is_accepted(world: World) -> None:
    world.run(LEARN)
    world.good("jean@dupontnet.com")
    world.note("reply x@dupontnet.com")
    assert world.run(LEARN) == Learned(bad=1)
    assert world.asked[-1] == (f"{DUPONT}:25", "x@dupontnet.com", "jean@dupontnet.com")
    assert world.answers() == {"jean@dupontnet.com": True, "x@dupontnet.com": False}


@pytest.mark.parametrize(
    ("good", "x", "jean"),
    [
        ("", GONE, "250 ok"),  # no control
        ("postmaster", GONE, "250 ok"),
        ("jean", GONE, GONE),
        ("jean", GONE, "450 4.7.1 greylisted"),
        ("jean", "550 5.7.1 you are blocked", "250 ok"),
        ("jean", "550 5.1.1 Blocked by RBL zen.spamhaus.org", "250 ok"),
        ("jean", "550 no such user", "250 ok"),
        ("jean", "450 4.7.1 greylisted", "250 ok"),
    ],
)
def test_a_doubt_settles_nothing(world: World, good: str, x: str, jean: str) -> None:
    world.run(LEARN)
    world.replies[DUPONT] = lambda local: x if local == "x" else jean if local == "jean" else "250 ok"
    if good:
        world.good(f"{good}@dupontnet.com")
    before = world.answers()
    world.note("reply x@dupontnet.com")
    assert world.run(LEARN) == Learned(waiting=1)
    assert world.answers() == before


def test_a_good_answer_is_renewed_before_its_end(world: World) -> None:
    world.run(LEARN)
    world.good("jean@dupontnet.com", age=25 * 86400)
    assert world.run(LEARN) == Learned(good=1)
    (answer,) = world.known.known({}).answers
    assert answer.asked >= NOW


@pytest.mark.parametrize(
    ("reply", "control", "good"),
    [
        ("550 Blocked - see http://www.spamhaus.org/query/bl?ip=192.0.2.10", "250 ok", True),
        (GONE, GONE, True),
        (GONE, "250 ok", False),
    ],
)
def test_a_good_answer_stands_until_its_primary_surely_takes_it_back(
    world: World, reply: str, control: str, good: bool
) -> None:
    world.run(LEARN)
    world.good("jean@dupontnet.com", age=25 * 86400)
    world.good("anne@dupontnet.com")
    world.replies[DUPONT] = lambda local: control if local == "anne" else reply
    world.run(LEARN)
    assert world.answers()["jean@dupontnet.com"] is good


def test_the_only_good_recipient_is_its_own_control_for_nobody(world: World) -> None:
    world.run(LEARN)
    world.good("gone@dupontnet.com", age=25 * 86400)
    world.run(LEARN)
    assert world.asked[-1] == (f"{DUPONT}:25", "gone@dupontnet.com", "")
    assert world.answers() == {"gone@dupontnet.com": True}


def test_a_primary_that_accepts_everything(world: World) -> None:
    world.note("ask x@dupontnet.com", "ask y@www.dupontnet.com")
    world.replies[DUPONT] = lambda _: "250 ok"
    assert world.run(LEARN) == Learned(waiting=1, accepting_all={"dupontnet.com"})
    assert world.about() == [(f"{DUPONT}:25", "nobody"), (f"{BELOW}:25", "y@www.dupontnet.com")]
    assert world.known.known({}).primaries == {"dupontnet.com": Primary(f"{DUPONT}:25", accepts_all=True)}


def test_whether_it_accepts_everything_is_asked_again_later_when_it_is_not_known(world: World) -> None:
    world.replies[DUPONT] = lambda _: "450 4.7.1 greylisted"
    for _ in range(12 * 24):  # a day, every five minutes
        start = world.time
        world.run(LEARN)
        world.time = start + 300
    nobodies = {about for _, about, _ in world.asked}
    assert len(world.asked) <= 14
    assert len(nobodies) <= 2  # the same all day, as who greylists wants it


# The journal


def test_the_last_note_about_an_address_counts_as_long_as_it_would_have(world: World) -> None:
    world.run(LEARN)
    world.note("good old@dupontnet.com", age=policies.GOOD_LIFE)
    world.note("ask y@dupontnet.com", "good y@dupontnet.com", age=policies.GOOD_LIFE - 1)
    world.run(LEARN, longest=0)
    assert world.answers() == {"y@dupontnet.com": True}
    world.note("good z@dupontnet.com", age=-60)
    world.run(LEARN, longest=0)
    assert world.answers() == {"y@dupontnet.com": True}
    assert world.journal == []


def test_a_clock_that_stood_in_2030_leaves_nothing_behind(world: World) -> None:
    world.run(LEARN)
    world.time += 26 * 365 * 86400
    world.note("ask x@dupontnet.com", "good anne@dupontnet.com")
    world.good("jean@dupontnet.com")
    world.run(LEARN)
    assert world.answers() == {"jean@dupontnet.com": True, "x@dupontnet.com": False, "anne@dupontnet.com": True}
    world.time = NOW + 60
    world.replies[DUPONT] = lambda local: "250 ok" if local in ("x", "jean") else GONE
    world.about()
    world.note("ask x@dupontnet.com", "good jean@dupontnet.com")
    assert world.run(LEARN) == Learned(good=1)
    assert world.answers() == {"jean@dupontnet.com": True, "x@dupontnet.com": True}
    world.known.answer([Known("x@dupontnet.com", False, int(world.time) + 1)])
    table = dict(policies.table(RuleSet([LEARN]), world.known.known({}, int(world.time))))
    untils = [int(value.split()[1]) for key, value in table.items() if key.startswith("<")]
    assert max(untils) <= world.time + policies.GOOD_LIFE


# Other primaries


def test_with_another_primary_what_the_first_one_said_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    martin = rules.make("martin.fr", recipients="learn", route=BELOW)
    routed = rules.make("dupontnet.com", recipients="learn", route=ROUTE)

    def known_after(rule: Rule) -> list[str]:
        world.good("jean@dupontnet.com", "anne@martin.fr")
        world.run(rule, martin)
        return sorted(world.answers())

    world.run(LEARN, martin)
    assert known_after(LEARN) == ["anne@martin.fr", "jean@dupontnet.com"]
    assert known_after(routed) == ["anne@martin.fr"]
    assert known_after(routed) == ["anne@martin.fr", "jean@dupontnet.com"]
    assert known_after(LEARN) == ["anne@martin.fr"]
    monkeypatch.setitem(ZONE, ("mail.dupontnet.com", "A"), Answer(Outcome.FOUND, (ROUTE,)))
    assert known_after(LEARN) == ["anne@martin.fr"]
    for addresses in ((ROUTE, "192.0.2.99"), ("192.0.2.99", ROUTE)):
        monkeypatch.setitem(ZONE, ("mail.dupontnet.com", "A"), Answer(Outcome.FOUND, addresses))
        assert known_after(LEARN) == ["anne@martin.fr", "jean@dupontnet.com"]
    monkeypatch.delitem(ZONE, ("dupontnet.com", "MX"))
    assert known_after(LEARN) == ["anne@martin.fr", "jean@dupontnet.com"]


def test_what_primaries_of_hosts_below_say_counts_where_the_name_itself_has_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ZONE, ("dupontnet.com", "MX"))
    world.note("ask anne@www.dupontnet.com")
    for _ in range(2):
        world.run(LEARN)
        assert ("<anne@www.dupontnet.com>" in dict(policies.table(RuleSet([LEARN]), world.known.known({})))) is True


# Who waits how long


def test_there_is_an_end_to_a_run(world: World) -> None:
    world.note("ask jean@dupontnet.com")
    assert world.run(LEARN, longest=0.0) == Learned(waiting=1)
    assert world.about() == []


def test_a_silent_primary_is_left_alone_for_the_rest_of_the_run_and_longer_each_time(world: World) -> None:
    world.note(*(f"ask {local}@dupontnet.com" for local in "abc"))
    world.replies[DUPONT] = lambda _: SILENT
    for _ in range(12 * 24):
        start = world.time
        assert world.run(LEARN) == Learned(waiting=3, silent={f"{DUPONT}:25": "dupontnet.com"})
        world.time = start + 300
    assert 5 < len(world.about()) < 15


@pytest.mark.parametrize("word", ["good", "reply"])
def test_a_primary_that_answered_the_plugin_is_not_waited_for(world: World, word: str) -> None:
    world.run(LEARN)
    world.known.set_contact(f"{DUPONT}:25", Contact(5, int(world.time)))
    world.note("ask x@dupontnet.com")
    world.run(LEARN)
    world.time += 60
    world.about()
    world.note(f"{word} jean@dupontnet.com")
    world.run(LEARN)
    assert (f"{DUPONT}:25", "x@dupontnet.com") in world.about()


def test_a_question_that_is_never_settled_is_asked_seldom(world: World) -> None:
    world.note("ask x@dupontnet.com")
    world.replies[DUPONT] = lambda _: "450 4.7.1 come back later"
    for _ in range(12 * 24 * 7):  # seven days, every five minutes
        start = world.time
        world.run(LEARN)
        world.time = start + 300
    assert 30 < Counter(about for _, about in world.about())["x@dupontnet.com"] < 60


def test_a_primary_that_settles_nothing_is_left_alone_for_the_rest_of_the_run(world: World) -> None:
    world.note(*(f"ask {number}@dupontnet.com" for number in range(200)))
    world.replies[DUPONT] = lambda _: "450 4.7.1 come back later"
    world.run(LEARN)
    assert len(world.about()) == 1 + learning.MOST_UNSETTLED


def routed(number: int) -> Rule:
    return rules.make(f"rule{number}.org", recipients="learn", route=f"198.51.100.{number}")


@pytest.mark.parametrize("first", ["silent", "well"])
def test_silent_primaries_do_not_keep_healthy_rules_from_their_turn(world: World, first: str) -> None:
    """The first 40 rules are silent, new or well known; the last three have 100 questions each."""
    everybody = [routed(number) for number in range(43)]
    if first == "well":
        world.run(*everybody)
    for number in range(40):
        world.replies[f"198.51.100.{number}"] = lambda _: SILENT
    world.about()
    for number in range(43):
        world.note(f"ask jean@rule{number}.org", *(f"ask x{local}@rule{number}.org" for local in range(100)))
    settled = []
    for _ in range(8):
        start = world.time
        settled.append(world.run(*everybody).bad)
        assert world.time - start <= 240 + 10
        world.time = start + 300
    assert sum(settled) == 300
    assert sum(settled[:3]) >= 100
    asked = {target for target, _ in world.about()}
    assert len(asked) == 43  # each silent one had its turn, too


def test_rules_take_turns_over_the_runs(world: World) -> None:
    everybody = [routed(number) for number in range(30)]
    world.run(*everybody)
    for number in range(30):
        world.good(f"jean@rule{number}.org")
        world.note(*(f"ask {local}@rule{number}.org" for local in range(20)))
    world.about()
    for _ in range(6):  # each run has time for ten questions
        world.run(*everybody, longest=10)
    counts = Counter(target for target, _ in world.about())
    assert set(counts.values()) == {2}


@pytest.mark.parametrize("seed", range(4))
def test_a_flood_does_not_keep_a_real_recipient_from_being_asked(world: World, seed: int) -> None:
    """As many new names every five minutes as a journal holds; jean's sender tries again as mail servers do."""
    dice = random.Random(seed)
    world.good("anne@dupontnet.com")
    tries = [300 * step for step in (0, 1, 3, 6, 12, 20, 32)]  # seconds
    start = world.time
    while "jean@dupontnet.com" not in world.answers():
        assert world.time - start < 2 * 3600, "jean waits for ever"
        world.note(*(f"ask {dice.randrange(10**12)}@dupontnet.com" for _ in range(2600)))
        if tries and world.time - start >= tries[0]:
            tries.pop(0)
            world.note("ask jean@dupontnet.com")
        began = world.time
        world.run(LEARN)
        world.time = began + 300
    assert world.time - start <= 30 * 60


def test_nor_does_a_flood_of_names_that_come_again(world: World) -> None:
    """The flood has names of its own, a thousand times a thousand, each run three thousand of them."""
    dice = random.Random(5)
    world.good("anne@dupontnet.com")
    world.replies[DUPONT] = lambda local: knows(local) if local in ("jean", "anne") else "550 5.1.1 unclear"
    for count in range(40):  # noqa: B007 - how often is the answer
        world.note(*(f"ask {dice.randrange(10_000)}@dupontnet.com" for _ in range(2600)), "ask jean@dupontnet.com")
        began = world.time
        world.run(LEARN)
        world.time = began + 300
        if "jean@dupontnet.com" in world.answers():
            break
    assert "jean@dupontnet.com" in world.answers()
    assert count <= 15


def test_a_flood_of_one_rule_takes_no_turn_of_another(world: World) -> None:
    other = rules.make("martin.fr", recipients="learn", route=BELOW)
    world.note(*(f"ask {number}@dupontnet.com" for number in range(5000)), "ask jean@martin.fr", "ask anne@martin.fr")
    world.run(LEARN, other)
    assert [where for where, _ in world.about()[:5]].count(f"{BELOW}:25") >= 2
    assert {"jean@martin.fr", "anne@martin.fr"} <= world.answers().keys()


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=6))
def test_in_turn(queues: list[list[int]]) -> None:
    places = list(
        learning.in_turn([[(place, number) for place in range(len(one))] for number, one in enumerate(queues)])
    )
    assert places == sorted((place, number) for number, one in enumerate(queues) for place in range(len(one)))


# On a server


def test_only_one_run_at_a_time(server: Scratch) -> None:
    server.path("/var/spool/qpsmtpd").mkdir(parents=True)
    lock = server.path("/var/lib/mxbackup/learn.lock")
    with learning._alone(lock), pytest.raises(HostError, match="runs already"):
        learning.run(server.host, RuleSet(), Settings())
    assert lock.stat().st_mode & 0o777 == 0o600
    assert learning.run(server.host, RuleSet(), Settings()) == Learned()


def test_a_spool_that_is_not_there_is_told(server: Scratch) -> None:
    with pytest.raises(HostError, match="/var/spool/qpsmtpd cannot be used: No such file"):
        learning.run(server.host, RuleSet(), Settings())
