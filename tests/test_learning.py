# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of learning: what is asked, of whom, and what is made of the answers."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mxbackup import learning, memory, policies, rules
from mxbackup.delivery import ABSENT, Answer, Outcome
from mxbackup.errors import HostError
from mxbackup.learning import Learned, Surroundings
from mxbackup.memory import Memory
from mxbackup.policies import Answer as Said
from mxbackup.policies import Primary
from mxbackup.rules import Rule
from mxbackup.settings import Settings
from mxbackup.smtpprobe import Dialogue, Question
from mxbackup.smtpprobe import Outcome as Reply
from tests.scratch import Scratch

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


class Primaries:
    """All primaries, in place of the network: who was asked about whom, and what they say."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.replies: dict[str, Callable[[str], str]] = {}

    def probe(self, host: str, question: Question, port: int) -> Dialogue:
        self.asked.append((f"{host}:{port}", question.recipient))
        reply = self.replies.get(host, self.knows)(question.recipient.partition("@")[0])
        outcome = {"2": Reply.ACCEPTED, "4": Reply.DEFERRED, "5": Reply.REFUSED, "": Reply.UNREACHABLE}[reply[:1]]
        control = None
        if outcome == Reply.REFUSED:
            accepted = self.replies.get(host, self.knows)("postmaster").startswith("2")
            control = Reply.ACCEPTED if accepted else Reply.REFUSED
        return Dialogue(outcome, reply, transcript=("RCPT TO:",) if reply else (), control=control)

    @staticmethod
    def knows(local: str) -> str:
        return "250 ok" if local in USERS else "550 5.1.1 no such user"

    def about(self) -> list[tuple[str, str]]:
        """The questions, those about nobody by that word."""
        return [(to, "nobody" if about.startswith("nobody-") else about) for to, about in self.asked]


@pytest.fixture
def primaries() -> Primaries:
    return Primaries()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Memory]:
    with memory.opened(tmp_path / "memory") as opened:
        yield opened


@pytest.fixture
def run(primaries: Primaries, kept: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Learned]:
    """Learn once for these rules, without pauses."""
    monkeypatch.setattr("mxbackup.asking.BETWEEN", 0.0)
    monkeypatch.setattr("mxbackup.asking.BACKOFF", 0.0)

    def learn(*found: Rule, longest: float = 60.0) -> Learned:
        around = Surroundings(
            lambda name, kind: ZONE.get((name, kind), ABSENT), {OURS}, tmp_path, "sme.durantcom.net", primaries.probe
        )
        return learning.learn(found, kept, around, longest)

    return learn


def journal(tmp_path: Path, *notes: str, age: int = 0) -> None:
    lines = [f"{int(time.time()) - age}\t{word}\t{address}\n" for word, address in map(str.split, notes)]
    (tmp_path / "journal").write_text("".join(lines))


def test_the_primary_is_found_and_asked_about_nobody_once_a_day(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory
) -> None:
    run(LEARN)
    run(LEARN)
    assert primaries.about() == [(f"{DUPONT}:25", "nobody")]
    assert kept.known({}).primaries == {"dupontnet.com": Primary(f"{DUPONT}:25")}
    kept.set_primary("dupontnet.com", Primary(f"{DUPONT}:25"), int(time.time()) - learning.TEST_EVERY)
    run(LEARN)
    assert len(primaries.asked) == 2


def test_what_the_plugin_could_not_ask_is_asked_of_the_primary_of_its_host(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory, tmp_path: Path
) -> None:
    run(LEARN)
    journal(tmp_path, "ask jean@dupontnet.com", "ask x@www.dupontnet.com", "ask y@martin.fr", "good z@dupontnet.com")
    assert run(LEARN) == Learned(good=1, bad=1)
    assert primaries.about() == [
        (f"{DUPONT}:25", "nobody"),
        (f"{DUPONT}:25", "jean@dupontnet.com"),
        (f"{BELOW}:25", "x@www.dupontnet.com"),
    ]
    said = {answer.address: answer.good for answer in kept.known({}).answers}
    assert said == {"jean@dupontnet.com": True, "x@www.dupontnet.com": False, "z@dupontnet.com": True}


def test_with_a_route_that_is_who_is_asked(run: Callable[..., Learned], primaries: Primaries, tmp_path: Path) -> None:
    journal(tmp_path, "ask jean@www.dupontnet.com")
    run(rules.make("dupontnet.com", recipients="learn", route=f"[{ROUTE}]:26"))
    assert primaries.about() == [(f"{ROUTE}:26", "nobody"), (f"{ROUTE}:26", "jean@www.dupontnet.com")]


def test_only_rules_that_learn_ask_anybody(run: Callable[..., Learned], primaries: Primaries, tmp_path: Path) -> None:
    journal(tmp_path, "ask jean@dupontnet.com")
    assert run(rules.make("dupontnet.com"), rules.make("martin.fr", recipients="list")) == Learned()
    assert primaries.asked == []


def test_we_do_not_ask_ourselves(run: Callable[..., Learned], primaries: Primaries) -> None:
    assert run(rules.make("ours.fr", recipients="learn"), rules.make("gone.fr", recipients="learn")) == Learned(
        silent={"ours.fr": "ours.fr", "gone.fr": "gone.fr"}
    )
    assert primaries.asked == []


@pytest.mark.parametrize("reply", ["450 4.7.1 greylisted", "550 5.7.1 you are blocked"])
def test_nothing_is_learnt_from_what_says_nothing_about_the_recipient(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory, tmp_path: Path, reply: str
) -> None:
    journal(tmp_path, "ask jean@dupontnet.com", "ask x@dupontnet.com")
    primaries.replies[DUPONT] = lambda _: reply
    assert run(LEARN) == Learned(waiting=2)
    assert kept.known({}).answers == []
    del primaries.replies[DUPONT]
    assert run(LEARN) == Learned(good=1, bad=1)


def test_a_silent_primary_is_left_alone_for_the_rest_of_the_run(
    run: Callable[..., Learned], primaries: Primaries, tmp_path: Path
) -> None:
    journal(tmp_path, *(f"ask {local}@dupontnet.com" for local in "abc"))
    primaries.replies[DUPONT] = lambda _: ""
    assert run(LEARN) == Learned(waiting=3, silent={f"{DUPONT}:25": "dupontnet.com"})
    assert len(primaries.asked) == 2


def test_a_primary_that_accepts_everything(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory, tmp_path: Path
) -> None:
    journal(tmp_path, "ask x@dupontnet.com", "ask y@www.dupontnet.com")
    primaries.replies[DUPONT] = lambda _: "250 ok"
    assert run(LEARN) == Learned(bad=1, accepting_all={"dupontnet.com"})
    assert primaries.about() == [(f"{DUPONT}:25", "nobody"), (f"{BELOW}:25", "y@www.dupontnet.com")]
    assert kept.known({}).primaries == {"dupontnet.com": Primary(f"{DUPONT}:25", accepts_all=True)}


def test_the_last_note_about_an_address_counts_as_long_as_it_would_have(
    run: Callable[..., Learned], kept: Memory, tmp_path: Path
) -> None:
    run(LEARN)
    journal(tmp_path, "ask x@dupontnet.com", "bad x@dupontnet.com", "good y@dupontnet.com", age=3 * 3600)
    run(LEARN)
    assert [answer.address for answer in kept.known({}).answers] == ["y@dupontnet.com"]
    journal(tmp_path, "good z@dupontnet.com", age=-60)
    run(LEARN)
    assert [answer.address for answer in kept.known({}).answers] == ["y@dupontnet.com"]


def test_a_good_answer_is_renewed_before_its_end(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory
) -> None:
    run(LEARN)
    kept.answer([Said("jean@dupontnet.com", True, int(time.time()) - 25 * 86400)])
    assert run(LEARN) == Learned(good=1)
    (answer,) = kept.known({}).answers
    assert answer.asked >= int(time.time()) - 60


@pytest.mark.parametrize(
    ("reply", "postmaster", "good"),
    [
        ("550 Blocked - see http://www.spamhaus.org/query/bl?ip=192.0.2.10", "250 ok", True),
        ("550 no such user", "550 no such user", True),
        ("550 5.1.1 no such user", "550 5.1.1 no such user", True),
        ("550 5.1.1 no such user", "250 ok", False),
        ("550 no such user", "250 ok", False),
    ],
)
def test_a_good_answer_stands_until_its_primary_surely_takes_it_back(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory, reply: str, postmaster: str, good: bool
) -> None:
    run(LEARN)
    kept.answer([Said("jean@dupontnet.com", True, int(time.time()) - 25 * 86400)])
    primaries.replies[DUPONT] = lambda local: postmaster if local == "postmaster" else reply
    run(LEARN)
    assert [answer.good for answer in kept.known({}).answers] == [good]


def test_with_another_primary_what_the_first_one_said_is_forgotten(
    run: Callable[..., Learned], primaries: Primaries, kept: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    martin = rules.make("martin.fr", recipients="learn", route=BELOW)
    routed = rules.make("dupontnet.com", recipients="learn", route=ROUTE)

    def known_after(rule: Rule) -> list[str]:
        now = int(time.time())
        kept.answer([Said("jean@dupontnet.com", True, now), Said("anne@martin.fr", True, now)])
        run(rule, martin)
        return [answer.address for answer in kept.known({}).answers]

    run(LEARN, martin)
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
    run: Callable[..., Learned], kept: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ZONE, ("dupontnet.com", "MX"))
    journal(tmp_path, "ask anne@www.dupontnet.com")
    for _ in range(2):
        run(LEARN)
        assert ("<anne@www.dupontnet.com>" in dict(policies.table([LEARN], kept.known({})))) is True


def test_there_is_an_end_to_a_run(run: Callable[..., Learned], primaries: Primaries, tmp_path: Path) -> None:
    journal(tmp_path, "ask jean@dupontnet.com")
    assert run(LEARN, longest=0.0) == Learned(waiting=1)
    assert primaries.asked == []


def test_only_one_run_at_a_time(server: Scratch) -> None:
    server.path("/var/spool/qpsmtpd").mkdir(parents=True)
    with learning._alone(server.path("/var/spool/qpsmtpd/mxbackup")), pytest.raises(HostError, match="runs already"):
        learning.run(server.host, [], Settings())
    assert learning.run(server.host, [], Settings()) == Learned()


def test_a_link_in_the_place_of_the_directory_is_not_followed(server: Scratch) -> None:
    server.path("/var/spool/qpsmtpd").mkdir(parents=True)
    server.path("/root").mkdir()
    server.path("/var/spool/qpsmtpd/mxbackup").symlink_to(server.path("/root"))
    with pytest.raises(HostError, match="/var/spool/qpsmtpd/mxbackup cannot be used: Not a directory"):
        learning.run(server.host, [], Settings())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_the_directory_is_made_for_the_owner_of_the_one_above(server: Scratch) -> None:
    spool = server.path("/var/spool/qpsmtpd")
    spool.mkdir(parents=True)
    os.chown(spool, 65534, 65534)
    learning.run(server.host, [], Settings())
    made = (spool / "mxbackup").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (65534, 65534, 0o700)


def test_a_spool_that_is_not_there_is_told(server: Scratch) -> None:
    with pytest.raises(HostError, match="/var/spool/qpsmtpd/mxbackup cannot be used: No such file"):
        learning.run(server.host, [], Settings())
