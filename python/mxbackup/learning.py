# SPDX-License-Identifier: GPL-2.0-or-later
"""Learning from the primaries which recipients they have, in the background, for rules that say so."""

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mxbackup import asking, delivery, interfaces, memory
from mxbackup.asking import Note, Probe, Reply
from mxbackup.delivery import Lookup, Verdict
from mxbackup.dnscheck import Dns
from mxbackup.dnsquery import system_resolvers
from mxbackup.errors import HostError
from mxbackup.host import Host
from mxbackup.memory import Memory
from mxbackup.names import Name
from mxbackup.policies import NOWHERE, Answer, Primary, nearest, primary_key
from mxbackup.rules import Recipients, Rule
from mxbackup.settings import Settings

RESOLV_CONF = Path("/etc/resolv.conf")
TEST_EVERY = 86400  # seconds between two questions about nobody to one primary
LONGEST = 240.0  # seconds of asking in one run


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


@dataclass(frozen=True)
class Surroundings:
    """Where primaries are found and how they are asked.

    `own` are the addresses that lead to this server, `where` the directory shared with the plugin, `helo` our name.
    """

    lookup: Lookup
    own: Collection[str]
    where: Path
    helo: str
    probe: Probe = asking.probe
    clock: Callable[[], float] = time.monotonic

    def target(self, rule: Rule, host: str) -> str | None:
        """Return where mail for `host`, which the rule decides about, goes, as `address:port`; None if nowhere now."""
        routes = {key: rule.route for key in (str(rule.name), f".{rule.name}") if rule.route}
        found = delivery.decide(host, routes, self._in_order, self.own)
        return str(found.to[0]) if found.verdict == Verdict.DELIVER and found.to[0].address not in self.own else None

    def _in_order(self, name: str, kind: str) -> delivery.Answer:
        """Name servers turn the order of addresses round; the primary is to be the same one each time."""
        answer = self.lookup(name, kind)
        return replace(answer, records=tuple(sorted(answer.records)))

    def ask(self, target: str, address: str) -> Reply:
        """Ask one question."""
        return asking.ask(self.where, target, address, self.helo, self.probe)


def run(host: Host, rules: Iterable[Rule], settings: Settings) -> Learned:
    """Learn on this server. Raises HostError when the files for that cannot be used."""
    dns = Dns(system_resolvers(host.path(RESOLV_CONF)))
    own = interfaces.addresses() | settings.public_addresses
    name = f"{settings.system_name}.{settings.domain_name}" if settings.domain_name else "localhost"
    around = Surroundings(dns.lookup, own, asking.directory(host), name)
    try:
        with memory.opened(host.path(memory.FILE)) as opened, _alone(around.where):
            return learn(rules, opened, around)
    except OSError as error:
        raise HostError(
            "{path} cannot be used: {reason}.", path=error.filename or around.where, reason=error.strerror
        ) from error


def learn(rules: Iterable[Rule], known: Memory, around: Surroundings, longest: float = LONGEST) -> Learned:
    """Fetch what the plugin wrote down, ask what is due, and forget what no longer counts.

    Takes at most `longest` seconds and the last dialogue. Raises OSError, HostError.
    """
    by_name = {rule.name: rule for rule in rules}
    learning = [rule for rule in by_name.values() if rule.recipients == Recipients.LEARN]
    done = Learned()
    end = around.clock() + longest
    with asking.taken_journal(around.where) as notes:
        _keep(notes, known)
    met = known.primaries()
    _forget_answers({rule.name for rule in learning if primary_key(rule) not in met}, by_name, known)
    for rule in learning:
        if around.clock() < end:
            _meet_primary(rule, by_name, known, around, done)
    for address in known.due(_now()):
        if around.clock() >= end:
            break
        _settle(address, by_name, known, around, done)
    known.forget(_now(), map(primary_key, learning))
    done.waiting = len(known.due(_now()))
    return done


def _keep(notes: Iterable[Note], known: Memory) -> None:
    """Of each address the last note counts, from when it was written; from the future it is not our plugin's."""
    now = _now()
    last = {note.address: note for note in notes}.values()
    answers = [Answer(note.address, note.word == "good", note.time) for note in last if note.word != "ask"]
    known.answer(answer for answer in answers if answer.asked <= now < answer.until)
    known.ask((note.address for note in last if note.word == "ask"), now)


def _forget_answers(changed: Collection[Name], rules: Mapping[Name, Rule], known: Memory) -> None:
    """Forget what others than the primaries of now said of the recipients of these rules."""
    if changed:
        owners = ((one.address, nearest(one.host, rules)) for one in known.known({}).answers)
        known.forget_answers(address for address, owner in owners if owner and owner.name in changed)


def _meet_primary(rule: Rule, rules: Mapping[Name, Rule], known: Memory, around: Surroundings, done: Learned) -> None:
    """Find the rule's primary, and whether it accepts everything; what is not known now stays as it was."""
    key = primary_key(rule)
    before, tested = known.primaries().get(key, (None, 0))
    target = around.target(rule, rule.name)
    if target is None:
        done.silent[rule.name] = rule.name
        if before is None:  # hosts below may have primaries all the same, and what those say counts
            known.set_primary(key, NOWHERE, 0)
    elif before is None or before.target != target or tested <= _now() - TEST_EVERY:
        if before and before.target != target:
            _forget_answers({rule.name}, rules, known)
        match around.ask(target, asking.nobody_at(rule.name)):
            case Reply.GOOD:
                known.set_primary(key, Primary(target, accepts_all=True), _now())
            case Reply.BAD | Reply.DOUBTFUL:
                known.set_primary(key, Primary(target), _now())
            case _:
                # Whether it accepts everything is not known, so the next run asks again.
                known.set_primary(key, Primary(target, bool(before and before.accepts_all)), 0)
    now = known.primaries().get(key)
    if now and now[0].accepts_all:
        done.accepting_all.add(rule.name)


def _settle(address: str, rules: dict[Name, Rule], known: Memory, around: Surroundings, done: Learned) -> None:
    """Ask about one address, unless it is nobody's business now or its primary does not answer."""
    host = address.rpartition("@")[2]
    rule = nearest(host, rules)
    if rule is None or rule.recipients != Recipients.LEARN or _answered_by_any(rule, host, done):
        known.drop(address)
        return
    target = around.target(rule, host)
    if target is None or target in done.silent:
        return
    match around.ask(target, address):
        case Reply.GOOD:
            known.answer([Answer(address, True, _now())])
            done.good += 1
        case Reply.BAD | Reply.DOUBTFUL as reply:
            known.answer([Answer(address, False, _now())], surely=reply == Reply.BAD)
            done.bad += 1
        case Reply.SILENT | Reply.NOT_NOW:
            done.silent[target] = rule.name


def _answered_by_any(rule: Rule, host: str, done: Learned) -> bool:
    """Whether the table says `any` for the host, because the primary says yes to everything."""
    return rule.name in done.accepting_all and (host == rule.name or bool(rule.route))


@contextmanager
def _alone(where: Path) -> Iterator[None]:
    """Make the directory that the plugin would make, for the same owner, and let only one run be there at a time."""
    made = False
    with suppress(FileExistsError):
        where.mkdir(mode=0o700)
        made = True
    descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if made:
            asking.give(descriptor, where.parent.stat())
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise HostError("mxbackup learn runs already.") from None
    finally:
        os.close(descriptor)


def _now() -> int:
    return int(time.time())
