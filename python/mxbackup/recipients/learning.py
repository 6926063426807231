# SPDX-License-Identifier: GPL-2.0-or-later
"""Learning from the primaries which recipients they have, in the background, for rules that say so."""

import hashlib
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from mxbackup.errors import HostError
from mxbackup.esmith import files
from mxbackup.esmith.host import Host
from mxbackup.esmith.settings import Settings
from mxbackup.lookup import answers, interfaces
from mxbackup.lookup.answers import Lookup
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import RESOLV_CONF
from mxbackup.recipients import envoy, memory
from mxbackup.recipients.callout import Came, Said
from mxbackup.recipients.journal import Note
from mxbackup.recipients.memory import TEST_EVERY, Contact, Memory, Met, pause
from mxbackup.recipients.policies import NOWHERE, Answer, Primary, primary_key
from mxbackup.routing import qmail_remote
from mxbackup.routing.verdict import Verdict, worst
from mxbackup.rules import Recipients, Rule, RuleSet
from mxbackup.rules.names import Name
from mxbackup.smtp import rcpt
from mxbackup.smtp.rcpt import Meaning

LOCK = memory.FILE.with_name("learn.lock")
LONGEST = 240.0  # seconds of asking in one run
# Seconds of them that may be spent on primaries that do not answer, before all others have been asked.
LONGEST_SILENCE = LONGEST / 4
MOST_UNSETTLED = 60  # replies in a run that settle nothing, before a primary is left alone for its rest

Item = TypeVar("Item")
Task = tuple[Rule, str | None]  # a rule whose primary is to be met, or with an address to be asked about


@dataclass
class Learned:
    """What one run did: answers by kind, questions that wait, primaries that did not answer or accept everything.

    `silent` are the rules whose mail such a primary takes, by its `address:port`, or by their own name where it is
    not known; `accepting_all` the names of rules.
    """

    good: int = 0
    bad: int = 0
    waiting: int = 0
    silent: dict[str, str] = field(default_factory=dict)
    accepting_all: set[str] = field(default_factory=set)


class Messenger(Protocol):
    """Who asks, and brings what the plugin wrote down: `envoy.Envoy`."""

    def notes(self) -> list[Note]:
        """Return the notes, to be dropped when they are kept."""

    def drop_notes(self) -> None:
        """Drop them."""

    def ask(self, target: str, address: str, control: str = "") -> Said:
        """Ask the primary at `target` about an address, and if it is refused, about `control`."""


@dataclass(frozen=True)
class Surroundings:
    """Where primaries are found and how they are asked. `own` are the addresses that lead to this server."""

    lookup: Lookup
    own: Collection[str]
    messenger: Messenger
    clock: Callable[[], float] = time.monotonic
    time: Callable[[], float] = time.time

    def target(self, rule: Rule, host: str) -> str | None:
        """Return where mail for `host`, which the rule decides about, goes, as `address:port`; None if nowhere now."""
        routes = {key: rule.route for key in (str(rule.name), f".{rule.name}") if rule.route}
        found = worst(qmail_remote.outcomes(host, routes, self._in_order, self.own))
        return str(found.to[0]) if found.verdict == Verdict.DELIVER and found.to[0].address not in self.own else None

    def _in_order(self, name: str, kind: str) -> answers.Answer:
        """Name servers turn the order of addresses round; the primary is to be the same one each time."""
        answer = self.lookup(name, kind)
        return replace(answer, records=tuple(sorted(answer.records)))


def run(host: Host, rules: RuleSet, settings: Settings) -> Learned:
    """Learn on this server. Raises HostError when the files for that cannot be used."""
    dns = Dns.of_system(host.path(RESOLV_CONF))
    own = interfaces.addresses() | settings.public_addresses
    name = f"{settings.system_name}.{settings.domain_name}" if settings.domain_name else "localhost"
    spool = envoy.spool(host)
    try:
        # The other process first: it must not have our files.
        with (
            envoy.sent(spool, name) as messenger,
            _alone(host.path(LOCK)),
            memory.opened(host.path(memory.FILE)) as opened,
        ):
            return learn(rules, opened, Surroundings(dns.lookup, own, messenger))
    except OSError as error:
        raise HostError(
            "{path} cannot be used: {reason}.", path=error.filename or spool, reason=error.strerror
        ) from error


def learn(rules: RuleSet, known: Memory, around: Surroundings, longest: float = LONGEST) -> Learned:
    """Fetch what the plugin wrote down, ask what is due, and forget what no longer counts.

    Takes at most `longest` seconds and the last dialogue. Raises HostError.
    """
    return _Run(rules, known, around, longest).carry_out()


def in_turn(queues: Iterable[Iterable[Item]]) -> Iterator[Item]:
    """Yield one of each queue, then the next of each, and so on."""
    waiting = deque(map(iter, queues))
    while waiting:
        queue = waiting.popleft()
        for item in queue:
            waiting.append(queue)
            yield item
            break


class _Run:
    """One run. Rules take turns, the one that has waited longest first; so do, within a rule, its questions."""

    def __init__(self, rules: RuleSet, known: Memory, around: Surroundings, longest: float) -> None:
        self._rules = rules
        self._learning = [rule for rule in rules if rule.recipients == Recipients.LEARN]
        self._known = known
        self._around = around
        self._end = around.clock() + longest
        self._silence = 0.0  # seconds spent on primaries that did not answer
        self._patience: float = LONGEST_SILENCE
        self._unsettled = Counter[str]()
        self._left: set[str] = set()  # primaries that are not asked any more
        self._targets: dict[tuple[Name, str], str | None] = {}
        self._served: dict[str, int] = {}
        self._done = Learned()

    def carry_out(self) -> Learned:
        """Do all of it."""
        known = self._known
        known.correct(self._now())
        self._keep(self._around.messenger.notes())
        self._around.messenger.drop_notes()
        self._met = known.primaries()
        self._contacts = known.contacts()
        self._forget_answers({rule.name for rule in self._learning if primary_key(rule) not in self._met})
        known.renew(self._named(known.ageing(self._now())), self._now())
        put_aside = self._work_off(in_turn(self._queues()))
        self._patience = math.inf
        self._work_off(put_aside)
        known.serve(self._served)
        known.forget(self._now(), map(primary_key, self._learning))
        self._done.waiting = known.waiting()
        return self._done

    def _work_off(self, tasks: Iterable[Task]) -> list[Task]:
        """Do what there is time for; return what is put aside because its primary is probably silent."""
        put_aside = []
        for rule, address in tasks:
            if self._around.clock() >= self._end:
                break
            if self._silence >= self._patience and self._is_suspect(self._met_of(rule)):
                put_aside.append((rule, address))
            elif address is None:
                self._meet_primary(rule)
            else:
                self._settle(rule, address)
        return put_aside

    def _keep(self, notes: Iterable[Note]) -> None:
        """Keep what was accepted, from when that was; all else is a question. From the future nothing is."""
        now = self._now()
        last = {note.address: note for note in notes}
        good = [Answer(note.address, True, note.time) for note in last.values() if note.word == "good"]
        self._known.answer(answer for answer in good if answer.asked <= now < answer.until)
        self._known.ask(self._named(note.address for note in last.values() if note.word != "good"), now)
        self._hear(note for note in last.values() if note.word != "ask" and note.time <= now)

    def _hear(self, notes: Iterable[Note]) -> None:
        """A primary that answered the plugin after it was silent to us need not be waited for."""
        met, contacts = self._known.primaries(), self._known.contacts()
        for note in notes:
            rule = self._rules.nearest(note.address.rpartition("@")[2])
            target = rule and met.get(primary_key(rule), Met(NOWHERE)).primary.target
            if target in contacts and contacts[target].asked < note.time:
                contacts[target] = Contact(0, note.time)
                self._known.set_contact(target, contacts[target])

    def _with_rules(self, addresses: Iterable[str]) -> list[tuple[str, Rule]]:
        """Return the addresses that are to be asked about, with their rules."""
        rules = ((address, self._rules.nearest(address.rpartition("@")[2])) for address in addresses)
        return [(address, rule) for address, rule in rules if rule and rule.recipients == Recipients.LEARN]

    def _named(self, addresses: Iterable[str]) -> list[tuple[str, str]]:
        return [(address, rule.name) for address, rule in self._with_rules(addresses)]

    def _forget_answers(self, changed: Collection[Name]) -> None:
        """Forget what others than the primaries of now said of the recipients of these rules."""
        if changed:
            answers = self._known.known({}, self._now()).answers
            owners = ((one.address, self._rules.nearest(one.host)) for one in answers)
            self._known.forget_answers(address for address, owner in owners if owner and owner.name in changed)

    def _queues(self) -> list[list[Task]]:
        """Return for each rule what is to be done: its primary, then the questions that are due; drop the others."""
        queues: dict[str, list[Task]] = {rule.name: [(rule, None)] for rule in self._learning}
        due = self._known.due(self._now())
        found = self._with_rules(due)
        for address, rule in found:
            queues[rule.name].append((rule, address))
        self._known.drop(set(due) - {address for address, _ in found})
        return sorted(queues.values(), key=lambda queue: self._met_of(queue[0][0]).served)

    def _meet_primary(self, rule: Rule) -> None:
        """Find the rule's primary, and whether it accepts everything; what is not known now stays as it was."""
        before = self._met_of(rule)
        target = self._target(rule, rule.name)
        if target is None:
            self._done.silent[rule.name] = rule.name
            # Hosts below may have primaries all the same, and what those say counts.
            self._set_met(rule, before)
            self._serve(rule)
        elif before.primary.target != target or before.due <= self._now():
            self._ask_about_nobody(rule, target, before)
        now = self._met_of(rule).primary
        if self._contact(now.target).tries:
            self._done.silent[now.target] = rule.name
        if now.accepts_all:
            self._done.accepting_all.add(rule.name)

    def _ask_about_nobody(self, rule: Rule, target: str, before: Met) -> None:
        if before.primary.target != target:
            if before.primary != NOWHERE:
                self._forget_answers({rule.name})
            before = Met(Primary(target))
            self._set_met(rule, before)
        said = self._ask(target, rule, _nobody_at(rule.name, self._now())) if self._may_ask(target) else None
        if said is None:
            return
        match rcpt.meaning(said.reply):
            case Meaning.UNSETTLED:
                tries = before.tries + 1
                self._set_met(rule, Met(before.primary, self._now() + pause(tries), tries))
            case meaning:
                primary = Primary(target, accepts_all=meaning == Meaning.ACCEPTED)
                self._set_met(rule, Met(primary, self._now() + TEST_EVERY))

    def _settle(self, rule: Rule, address: str) -> None:
        """Ask about one address, unless its primary is not to be asked now."""
        host = address.rpartition("@")[2]
        if self._answered_by_any(rule, host):
            self._known.drop([address])
            return
        target = self._target(rule, host)
        if target is None:
            self._known.put_off(address, self._now())
            self._serve(rule)
            return
        if self._may_ask(target):
            said = self._ask(target, rule, address, self._known.control(address, self._now()))
            if said:
                self._judge(target, address, said)

    def _judge(self, target: str, address: str, said: Said) -> None:
        """Keep what was said. That there is nobody is sure only beside a recipient that is accepted."""
        meaning = rcpt.meaning(said.reply)
        if meaning == Meaning.ACCEPTED:
            self._known.answer([Answer(address, True, self._now())])
            self._done.good += 1
        elif meaning == Meaning.NOBODY and rcpt.meaning(said.control) == Meaning.ACCEPTED:
            self._known.answer([Answer(address, False, self._now())])
            self._done.bad += 1
        else:
            self._known.put_off(address, self._now())
            self._unsettled[target] += meaning == Meaning.UNSETTLED
            if self._unsettled[target] >= MOST_UNSETTLED:
                self._left.add(target)

    def _may_ask(self, target: str) -> bool:
        contact = self._contacts.get(target)
        if target in self._left or (contact and contact.until > self._now()):
            return False
        return self._silence < self._patience or bool(contact and not contact.tries)

    def _ask(self, target: str, rule: Rule, address: str, control: str = "") -> Said | None:
        """Ask; None when there is no reply. A primary that gives none is not asked again in this run."""
        contact = self._contacts.get(target)
        start = self._around.clock()
        said = self._around.messenger.ask(target, address, control)
        self._serve(rule)
        if said.came == Came.REPLY:
            if contact is None or contact.tries:
                self._set_contact(target, 0)
            return said
        self._left.add(target)
        self._done.silent[target] = rule.name
        if said.came == Came.SILENCE:
            self._silence += self._around.clock() - start
            self._set_contact(target, (contact.tries if contact else 0) + 1)
        return None

    def _target(self, rule: Rule, host: str) -> str | None:
        """Find the primary of a host. Name servers may be silent, too."""
        if (rule.name, host) not in self._targets:
            start = self._around.clock()
            target = self._targets[rule.name, host] = self._around.target(rule, host)
            if target is None:
                self._silence += self._around.clock() - start
        return self._targets[rule.name, host]

    def _is_suspect(self, met: Met) -> bool:
        """Whether a rule's primary was not there last time, or was never met."""
        return met.primary == NOWHERE or bool(self._contact(met.primary.target).tries)

    def _answered_by_any(self, rule: Rule, host: str) -> bool:
        """Whether the table says `any` for the host, because the primary says yes to everything."""
        return self._met_of(rule).primary.accepts_all and (host == rule.name or bool(rule.route))

    def _met_of(self, rule: Rule) -> Met:
        return self._met.get(primary_key(rule), Met(NOWHERE))

    def _set_met(self, rule: Rule, met: Met) -> None:
        self._met[primary_key(rule)] = met
        self._known.set_primary(primary_key(rule), met.primary, met.due, met.tries)

    def _contact(self, target: str) -> Contact:
        return self._contacts.get(target, Contact(0, 0))

    def _set_contact(self, target: str, tries: int) -> None:
        self._contacts[target] = Contact(tries, self._now())
        self._known.set_contact(target, self._contacts[target])

    def _serve(self, rule: Rule) -> None:
        """The rule had its turn: time was spent on it."""
        self._served[primary_key(rule)] = self._now()

    def _now(self) -> int:
        return int(self._around.time())


def _nobody_at(host: str, now: int) -> str:
    """Return an address that is certainly nobody's, the same all day: who greylists answers at the second question."""
    return f"nobody-{hashlib.sha256(f'{host} {now // 86400}'.encode()).hexdigest()[:16]}@{host}"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let only one run be at a time. Only root may open the lock, so nobody else can hold us up."""
    with ExitStack() as held:
        try:
            held.enter_context(files.alone(lock))
        except TimeoutError:
            raise HostError("mxbackup learn runs already.") from None
        yield
