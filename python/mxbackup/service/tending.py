# SPDX-License-Identifier: GPL-2.0-or-later
"""The one place that acts during an outage: asks primaries, makes their mail due, keeps it from expiring, tells admin.

Each look saves what it found before it acts on that, so that one that is killed does nothing twice.
"""

import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from mxbackup.errors import HostError, MxBackupError, QueueElsewhere, QueueError
from mxbackup.esmith import files, printable
from mxbackup.esmith.database import log_to_syslog
from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import Contact, Event, GivenUp, Mail, Notice, Seen, State, after, due, pace
from mxbackup.queue import Reading
from mxbackup.service import contacting, draining, held, outages, seeing
from mxbackup.service.contacting import Found
from mxbackup.service.context import Context
from mxbackup.service.outages import Known, Outages, States, Turn

LOCK = Path("/var/lib/mxbackup/tend.lock")

Log = Callable[[list[str]], None]


@dataclass(frozen=True)
class Tended:
    """What a look did: the rules whose mail was made due, by what, and what could not be done."""

    flushed: tuple[str, ...] = ()
    used: str = ""
    kept: int = 0
    told: int = 0
    troubles: tuple[MxBackupError, ...] = ()


def tend(context: Context, log: Log = log_to_syslog) -> Tended | None:
    """Look after held mail once; None when another one is at it. What went wrong goes to the log, and is returned.

    Raises DatabaseError, HostError, OSError: nothing was done. That goes to the log too, as cron tells nobody.
    """
    with ExitStack() as alone:
        try:
            alone.enter_context(files.alone(context.host.path(LOCK)))
        except TimeoutError:
            return None
        try:
            return _Look(context, log).tend()
        except (MxBackupError, OSError) as error:
            log([f"tend: {printable.line(str(error))}"])
            raise
        except Exception:
            log([f"tend: {line}" for line in traceback.format_exc().splitlines()])
            raise


@dataclass(frozen=True)
class Flushed:
    """The rules whose mail was made due, and by what; and those whose primary would refuse it for good, and how.

    on_hold: how many messages were left, as the administrator has put them on hold.
    """

    names: tuple[str, ...] = ()
    used: str = ""
    refusing: Mapping[str, str] = field(default_factory=dict)
    on_hold: int = 0


def flush(context: Context, wanted: Collection[str] = (), *, force: bool = False) -> Flushed:
    """Make what is held for these rules, for all without one, due now.

    Not for a primary that refuses it for good, as it would go back to its senders, unless by `force`.
    Raises InvalidInput, UnknownRule, QueueError, HostError, DatabaseError.
    """
    look = _Look(context, log_to_syslog)
    inventory = context.inventory()
    everything = held.read(context.host, inventory)
    summary = held.summary(everything, inventory)
    chosen = held.chosen(tuple(wanted), inventory, held.HeldMail(summary))
    mails = [mail for mail in summary.rules if mail.name in chosen or not wanted]
    on_hold = sum(mail.frozen for mail in mails)
    names = {mail.name for mail in mails if mail.frozen < mail.messages}
    if not names:
        return Flushed(on_hold=on_hold)
    reading = seeing.moving(everything)
    recipients = seeing.recipients(reading.messages, inventory)
    found = look.primaries(inventory).look(sorted(names), () if force else names, recipients)
    refusing = {name: one.reason for name, one in found.items() if one.for_good}
    names -= refusing.keys()
    if not names:
        return Flushed(refusing=refusing, on_hold=on_hold)
    used = look.make_due(names, found, reading, inventory)
    now = int(time.time())
    look.outages.each(names, lambda state: replace(state, flushed=now, flushes=state.flushes + 1))
    return Flushed(tuple(sorted(names)), used, refusing, on_hold)


@dataclass
class _Turned:
    """What became of the states before anybody was told, the mails that are due, the rules whose mail is to be."""

    unsaid: States = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    flushed: set[str] = field(default_factory=set)


@dataclass
class _Look:
    """One look at the queue and the primaries."""

    context: Context
    log: Log
    now: int = field(default_factory=lambda: int(time.time()))
    troubles: list[MxBackupError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outages = Outages(self.context.host, self.log)

    def tend(self) -> Tended:
        """Do all that is due."""
        seen = outages.stamp(self.context.domains.path)
        inventory = self.context.inventory()
        self._forget(inventory, seen)
        before = self.outages.read()
        reading, trouble = self._read(inventory, before)
        kept = self._keep(reading, inventory) if reading else 0
        mails = seeing.mails(reading, inventory) if reading else None
        found = self._ask(inventory, reading, mails, before.states)
        turned = self._take_in(inventory, reading, trouble, mails, found)
        used = self._flush(turned, found, reading, inventory) if turned.flushed else ""
        flushed = tuple(sorted(turned.flushed)) if used else ()
        told = self._tell(turned, inventory)
        if reading:
            self._let_go(inventory, reading)
        return Tended(flushed, used, kept, told, tuple(self.troubles))

    def _take_in(
        self,
        inventory: Inventory,
        reading: Reading | None,
        trouble: str,
        mails: Mapping[str, Mail] | None,
        found: Mapping[str, Found],
    ) -> _Turned:
        """Save what becomes of the states, before anything is done about it."""
        turned = _Turned()

        def turn(known: Known) -> Turn:
            gone = seeing.given_up(reading, inventory, known.states) if reading else {}
            turned.unsaid, events, turned.flushed = self._turned(known.states, mails, found, gone)
            states, turned.notices = due(turned.unsaid, self.now)
            return Turn(states, events, trouble)

        self.outages.update(turn)
        return turned

    def primaries(self, inventory: Inventory) -> contacting.Primaries:
        """Return what asks primaries. Brings the DNS library, so only where there is something to ask."""
        from mxbackup.check import collecting

        checker = collecting.checker_for(self.context.kind, inventory.settings, rules=inventory.rules)
        return contacting.Primaries(checker)

    def make_due(
        self, names: Collection[str], found: Mapping[str, Found], reading: Reading | None, inventory: Inventory
    ) -> str:
        """Have the mail for these rules tried now; return what was used. Raises QueueError, HostError."""
        addresses = [target.address for name in names if name in found for target in found[name].targets]
        messages = seeing.of_rules(names, reading.messages, inventory) if reading else []
        return self.context.kind.queue.make_due(messages, addresses)

    def _forget(self, inventory: Inventory, seen: int) -> None:
        """Forget rules that are gone, as soon as the database was changed: a new one of the name has no past."""
        known = self.outages.read()
        if known.seen == seen and not known.damage:
            return
        self.outages.forget_all_but(inventory)
        self.outages.update(lambda known: Turn(known.states, seen=seen))

    def _read(self, inventory: Inventory, before: Known) -> tuple[Reading | None, str]:
        try:
            past = seeing.any_outage(before.states)
            return held.read(self.context.host, inventory, past=past), ""
        except QueueError as error:
            if str(error) != before.trouble and not isinstance(error, QueueElsewhere):
                self.log([f"tend: {error}"])
            self.troubles.append(error)
            return None, str(error)

    def _keep(self, reading: Reading, inventory: Inventory) -> int:
        try:
            kept = reading.keep(held.holds(reading, inventory))
        except QueueError as error:
            self._trouble(error)
            return 0
        if kept:
            self.log([f"tend: kept {kept} messages that would have expired"])
        return kept

    def _ask(
        self, inventory: Inventory, reading: Reading | None, mails: Mapping[str, Mail] | None, states: States
    ) -> dict[str, Found]:
        """Ask the primaries of rules that mail waits for or whose outage lasts; those that waited longest first."""
        known = {name: replace(states.get(name, State()), mail=mail) for name, mail in (mails or {}).items()}
        known = {**states, **known}
        names = [name for name, state in known.items() if pace.is_open(state, self.now)]
        if not names:
            return {}
        names.sort(key=lambda name: known[name].asked)
        talk = [name for name in names if pace.talk_due(known[name], self.now)]
        recipients = seeing.recipients(reading.messages, inventory) if reading else {}
        try:
            primaries = self.primaries(inventory)
            found = primaries.look(names, talk, recipients)
            beside = _beside(known, found)
            return {**found, **primaries.look(beside, beside, recipients)} if beside else found
        except OSError as error:
            self._trouble(HostError("{path} cannot be used: {reason}.", path=error.filename, reason=error.strerror))
            return {}

    def _turned(
        self,
        states: States,
        mails: Mapping[str, Mail] | None,
        found: Mapping[str, Found],
        gone: Mapping[str, GivenUp],
    ) -> tuple[States, list[Event], set[str]]:
        turned: States = {}
        events: list[Event] = []
        flushed: set[str] = set()
        for name in sorted({*states, *(mails or {}), *found}):
            answer = found.get(name, Found())
            mail = None if mails is None else mails.get(name, Mail())
            seen = Seen(self.now, answer.contact, answer.reason, answer.primary, answer.asked, mail, gone.get(name))
            state, happened = after(states.get(name, State()), seen)
            if answer.contact == Contact.ANSWERS and pace.flush_due(state, self.now):
                state = replace(state, flushed=self.now, flushes=state.flushes + 1)
                flushed.add(name)
            events += [event.of(name) for event in happened]
            if state != _nothing(state):
                turned[name] = state
        return turned, events, flushed

    def _flush(self, turned: _Turned, found: Mapping[str, Found], reading: Reading | None, inventory: Inventory) -> str:
        names = turned.flushed
        try:
            used = self.make_due(names, found, reading, inventory)
        except (QueueError, HostError) as error:
            self._trouble(error)
            self._take_back(turned)
            return ""
        self.log([f"tend: {', '.join(sorted(names))} can be reached; made its mail due with {used}"])
        return used

    def _take_back(self, turned: _Turned) -> None:
        """What was not made due counts for no flush: only how often one comes to nothing makes the next rarer."""

        def less(state: State) -> State:
            return replace(state, flushes=max(0, state.flushes - 1))

        self.outages.each(turned.flushed, less)
        turned.unsaid |= {name: less(turned.unsaid[name]) for name in turned.flushed}

    def _tell(self, turned: _Turned, inventory: Inventory) -> int:
        """Send the mails; one that could not be sent is due again."""
        if not turned.notices:
            return 0
        from mxbackup.service import telling

        failed = telling.tell(self.context, turned.notices, inventory, self._trouble, self.log)
        if failed:
            self.outages.put({name: turned.unsaid[name] for notice in failed for name in notice.names})
        return len(turned.notices) - len(failed)

    def _let_go(self, inventory: Inventory, reading: Reading) -> None:
        if not inventory.draining:
            return
        waits = [mail.name for mail in held.summary(reading, inventory).rules]
        try:
            if ended := draining.end_draining(self.context, inventory, held=waits):
                self.log([f"tend: nothing is held any more for {', '.join(ended)}; its way out is closed"])
        except MxBackupError as error:
            self._trouble(error)

    def _trouble(self, error: MxBackupError) -> None:
        self.troubles.append(error)
        self.log([f"tend: {printable.line(str(error))}"])


def _beside(states: Mapping[str, State], found: Mapping[str, Found]) -> list[str]:
    """The rules that were not due, and were out of reach, where a primary has just answered for another rule."""
    answered = {target for one in found.values() if one.contact == Contact.ANSWERS for target in one.primary}
    return [
        name
        for name, state in states.items()
        if name not in found and state.contact == Contact.UNREACHABLE and answered.intersection(state.primary)
    ]


def _nothing(state: State) -> State:
    """The state of a rule of which nothing is to be remembered but when it was seen."""
    return State(since=state.since, primary=state.primary)
