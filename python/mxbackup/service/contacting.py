# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking the primaries that mail waits for, in bounded time: whether they can be connected to, then a null dialogue."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mxbackup.check.collecting import Checker
from mxbackup.lookup.clock import Clock, TimeIsUp
from mxbackup.lookup.nameservers import TooMany
from mxbackup.outage import Contact
from mxbackup.routing.verdict import Delivery, Target, Verdict
from mxbackup.smtp import client, reach, session
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome

ALL = 40.0  # seconds for all of it: less than a look takes until the next
EACH = 10.0  # seconds for one dialogue
TARGETS = 8  # addresses of one name that are tried
DIALOGUES = 2  # with servers of one name, until one answers


@dataclass(frozen=True, slots=True)
class Found:
    """How the primary of a name answered, why not, its addresses, and whether it came to a dialogue.

    for_good: whether it would refuse mail in such a way that it goes back to its senders.
    """

    contact: Contact = Contact.UNKNOWN
    reason: str = ""
    targets: tuple[Target, ...] = ()
    asked: bool = False
    for_good: bool = False

    @property
    def primary(self) -> tuple[str, ...]:
        """The targets as the state of a rule has them: in an order that chance does not change."""
        return tuple(sorted(map(str, self.targets)))


@dataclass
class Primaries:
    """The primaries, during one look at them. `probe` holds a dialogue, `unreachable` tries connections."""

    checker: Checker
    clock: Clock = field(default_factory=lambda: Clock(ALL))
    probe: Callable[[str, Question, int, float], Dialogue] = client.probe
    unreachable: Callable[[Collection[reach.Address]], dict[reach.Address, str]] = reach.unreachable
    _said: dict[Target, Found] = field(default_factory=dict)

    def look(self, names: Sequence[str], talk: Collection[str], recipients: Mapping[str, str]) -> dict[str, Found]:
        """Return how the primary of each of the names answers.

        There is a dialogue with those in `talk` only; what the time was not enough for is left out.
        `recipients` are addresses for which mail is held, by name.
        """
        ways = {name: way for name in names if (way := self._way(name)) is not None}
        targets = {target for way in ways.values() if isinstance(way, tuple) for target in way}
        shut = self.unreachable([(target.address, target.port) for target in targets])
        found = {}
        for name, way in ways.items():
            if isinstance(way, Delivery):
                found[name] = _nowhere(way)
                continue
            try:
                found[name] = self._ask(name, way, shut, recipients.get(name, ""), name in talk)
            except TimeIsUp:
                break
        return found

    def _way(self, name: str) -> tuple[Target, ...] | Delivery | None:
        try:
            way = self.checker.way(name, self.clock)
        except (TimeIsUp, TooMany):
            return None
        return way if isinstance(way, Delivery) else way[:TARGETS]

    def _ask(
        self, name: str, targets: tuple[Target, ...], shut: Mapping[reach.Address, str], recipient: str, talk: bool
    ) -> Found:
        up = [target for target in targets if (target.address, target.port) not in shut]
        if not up:
            reason = next((shut[target.address, target.port] for target in targets), "")
            return Found(Contact.UNREACHABLE, reason, targets)
        if not talk:
            return Found(targets=targets)
        answers = []
        for target in up[:DIALOGUES]:
            answers.append(self._talk(name, target, recipient))
            if answers[-1].contact == Contact.ANSWERS:
                break
        found = best(answers)
        return Found(found.contact, found.reason, targets, asked=True, for_good=found.for_good)

    def _talk(self, name: str, target: Target, recipient: str) -> Found:
        """Hold a dialogue; what a server says to a connection, and not of a recipient, counts for all names."""
        if target in self._said:
            return self._said[target]
        question = Question(f"postmaster@{name}", helo=self.checker.helo, control=recipient)
        dialogue = self.probe(target.address, question, target.port, min(EACH, self.clock.left()))
        found = judge(dialogue)
        if found.contact != Contact.REFUSES or not dialogue.asked:
            self._said[target] = found
        return found


_PREFERRED = (Contact.ANSWERS, Contact.REFUSES, Contact.UNREACHABLE)


def best(answers: Sequence[Found]) -> Found:
    """Return the best of some answers, which is what counts: qmail tries one server after the other."""
    return min(answers, key=lambda answer: _PREFERRED.index(answer.contact), default=Found())


def judge(dialogue: Dialogue) -> Found:
    """Return how a primary answers that said this: yes when it takes mail for its postmaster, or what is held."""
    if Outcome.ACCEPTED in (dialogue.outcome, dialogue.control.outcome):
        return Found(Contact.ANSWERS)
    if dialogue.outcome in (Outcome.UNREACHABLE, Outcome.BROKEN):
        return Found(Contact.UNREACHABLE, _why(dialogue))
    return Found(Contact.REFUSES, str(dialogue.reply), for_good=dialogue.reply.code >= 500)


def _why(dialogue: Dialogue) -> str:
    """Return why there was no dialogue, in words that every language has, without the address, which is known."""
    if dialogue.trouble is None:
        return str(dialogue.reply)
    if isinstance(dialogue.trouble, session.Late):
        return "timed out"
    return str(dialogue.trouble.message.parameters.get("reason") or dialogue.trouble)


def _nowhere(way: Delivery) -> Found:
    """Without an answer of the DNS there is nobody to reach; all else would be sent back, or round in circles."""
    if way.verdict == Verdict.DEFER:
        return Found(Contact.UNREACHABLE, way.code)
    return Found(Contact.NOWHERE, way.code)
