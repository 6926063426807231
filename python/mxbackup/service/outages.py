# SPDX-License-Identifier: GPL-2.0-or-later
"""What is remembered of outages, below /var/lib/mxbackup, for root alone: the state of each rule, and the history.

`outages.json` is replaced in one step, `history` is added to; both are bounded. Whoever changes them holds one lock.
A file that is damaged is set aside, never emptied, and that is said.
"""

import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mxbackup.errors import HostError, Message
from mxbackup.esmith import files
from mxbackup.esmith.database import log_to_syslog
from mxbackup.esmith.host import Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import Check, Condition, Event, State
from mxbackup.outage.history import YEAR, kept
from mxbackup.queue import Held
from mxbackup.service.held import HeldMail

STATES = Path("/var/lib/mxbackup/outages.json")
HISTORY = Path("/var/lib/mxbackup/history")
LOCK = Path("/var/lib/mxbackup/outages.lock")
VERSION = 1
LIMIT = 4 * 1024 * 1024  # bytes of the history
PATIENCE = 10.0  # seconds that the lock is waited for
_MODE = 0o600

States = dict[str, State]


@dataclass(frozen=True)
class Known:
    """The states by the rule's name, why the queue could not be read at the last look, and what is damaged here.

    seen: the time of the database of rules that was last compared with them, in nanoseconds.
    """

    states: States = field(default_factory=dict)
    trouble: str = ""
    seen: int = 0
    damage: HostError | None = None


@dataclass(frozen=True)
class Past:
    """What has happened, oldest first, and how many lines of it are damaged."""

    events: list[Event]
    damaged: int = 0


@dataclass(frozen=True)
class Turn:
    """What a change makes of what is known: these states, and what happened by it.

    `trouble` and `seen` are as in `Known`; None leaves them as they are.
    """

    states: States
    events: list[Event] = field(default_factory=list)
    trouble: str | None = None
    seen: int | None = None


@dataclass(frozen=True)
class RuleNow:
    """A rule as it is now: its condition, since when, why, what is held, what the last check found and when.

    `held` is None when nothing is held or that is not known; `checked` is empty before the first check, `codes` are
    those of the errors that it found.
    """

    condition: Condition
    since: int = 0
    reason: str = ""
    held: Held | None = None
    checked: str = ""
    when: int = 0
    codes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what JSON has of it, beside what is held; times in seconds since 1970, null where there is none."""
        return {
            "condition": self.condition.value,
            "since": self.since or None,
            "reason": self.reason or None,
            "check": self.checked or None,
            "checked": self.when or None,
            "codes": list(self.codes),
        }


@dataclass(frozen=True)
class Checks:
    """What the last checks found: when the newest was, which rules had errors or warnings, and which had no check."""

    when: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    never: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """Every rule as it is now, by name, draining ones too; `trouble` says why not all is known."""

    rules: dict[str, RuleNow]
    trouble: HostError | None = None

    @property
    def away(self) -> dict[str, RuleNow]:
        """The rules that are not fine."""
        return {name: now for name, now in self.rules.items() if now.condition != Condition.FINE}

    def checks(self, names: Collection[str]) -> Checks:
        """Return what the last checks of some rules found."""
        rules = {name: self.rules[name] for name in names}

        def of(state: str) -> tuple[str, ...]:
            return tuple(name for name, now in rules.items() if now.checked == state)

        return Checks(max((now.when for now in rules.values()), default=0), of("error"), of("warning"), of(""))


def known_now(host: Host) -> Known:
    """Return what is known. Never raises: `damage` says why it is nothing, be it that the states are for root alone."""
    try:
        return Outages(host).read()
    except HostError as trouble:
        return Known(damage=trouble)


def overview(host: Host, inventory: Inventory, mail: HeldMail) -> Overview:
    """Return every rule as it is now. Never raises: why not all is known is in the result."""
    known = known_now(host)
    found = {}
    for rule in inventory.with_draining:
        state = known.states.get(rule.name, State())
        condition = state.condition
        if condition == Condition.FINE and not inventory.rules.get(rule.name):
            condition = Condition.DRAINING
        check = state.check or Check("")
        found[str(rule.name)] = RuleNow(
            condition, state.since, state.reason, mail.of(rule.name), check.state, state.checked, check.codes
        )
    return Overview(found, known.damage)


class Outages:
    """The states and the history of one host. `log` takes lines for syslog."""

    def __init__(self, host: Host, log: Callable[[list[str]], None] = log_to_syslog) -> None:
        self._states, self._history, self._lock = map(host.path, (STATES, HISTORY, LOCK))
        self._log = log
        self._dry = host.dry

    def read(self) -> Known:
        """Return what is known. Raises HostError when the file cannot be read; damage is in the result."""
        try:
            content = self._states.read_bytes()
        except FileNotFoundError:
            return Known()
        except OSError as error:
            raise _unusable(self._states, error) from error
        try:
            return _parse(content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return Known(damage=_damaged(self._states))

    def update(self, change: Callable[[Known], Turn]) -> States:
        """Replace the states by what `change` makes of them, and add what happened to the history.

        Returns the states. Nothing is written when nothing changed. Raises HostError; the states are then as they were.
        """
        if self._dry:
            return change(self.read()).states
        try:
            with self._locked():
                known = self.read()
                if known.damage:
                    self._set_aside()
                turn = change(known)
                self._append(turn.events)
                content = _content(turn, known)
                if not self._states.exists() or content != _content(Turn(known.states), known):
                    self._remove_left_over()
                    files.replace(self._states, content, mode=_MODE, group="root")
                return turn.states
        except OSError as error:
            raise _unusable(self._states, error) from error

    def note(self, event: Event) -> None:
        """Add what happened to the history, and leave the states. Raises HostError."""
        self.update(lambda known: Turn(known.states, [event]))

    def put(self, states: States) -> None:
        """Replace these states, and leave the others. Raises HostError."""
        self.update(lambda known: Turn({**known.states, **states}))

    def each(self, names: Collection[str], change: Callable[[State], State]) -> None:
        """Change the states of these rules, of those that there are. Raises HostError."""
        self.update(lambda known: Turn({n: change(s) if n in names else s for n, s in known.states.items()}))

    def forget_all_but(self, inventory: Inventory) -> None:
        """Forget the rules that are gone: a new one of the name has no past. Raises HostError."""
        there = {str(rule.name) for rule in inventory.with_draining} | {record.key for record in inventory.invalid}
        past = {event.name for event in self.past().events}
        self.forget((self.read().states.keys() | past) - there)

    def forget(self, names: Collection[str]) -> None:
        """Forget these rules: their states and what happened to them. Raises HostError."""
        known = self.read()
        gone = set(names)
        if gone.intersection(known.states):
            self.update(lambda known: Turn({n: s for n, s in known.states.items() if n not in gone}))
        past = self.past()
        if not self._dry and any(event.name in gone for event in past.events):
            try:
                with self._locked():
                    self._rewrite(event for event in self.past().events if event.name not in gone)
            except OSError as error:
                raise _unusable(self._history, error) from error

    def past(self, name: str = "") -> Past:
        """Return what has happened to a rule, or to all. Raises HostError when it cannot be read."""
        try:
            lines = self._history.read_bytes().splitlines()
        except FileNotFoundError:
            return Past([])
        except OSError as error:
            raise _unusable(self._history, error) from error
        events = list(_events(lines))
        whole = kept(events, int(time.time()))
        return Past([event for event in whole if name in ("", event.name)], len(lines) - len(events))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _MODE)
        try:
            files.lock(descriptor, PATIENCE)
            yield
        finally:
            os.close(descriptor)

    def _set_aside(self) -> None:
        aside = self._states.with_name(f"{self._states.name}.damaged")
        self._states.rename(aside)
        self._log([f"{self._states} is damaged; it is now {aside}, and the states are found out anew"])

    def _remove_left_over(self) -> None:
        """What one that was killed while it wrote left behind; nobody else writes under the lock."""
        for path in self._states.parent.glob(f"{self._states.name}.*"):
            if path.suffix[1:].isdigit():
                path.unlink(missing_ok=True)

    def _append(self, events: Iterable[Event]) -> None:
        lines = b"".join(_line(event) for event in events)
        if not lines:
            return
        descriptor = os.open(self._history, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, _MODE)
        try:
            size = os.fstat(descriptor).st_size
            torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + lines)
        finally:
            os.close(descriptor)
        if size > LIMIT or self._is_old():
            self._rewrite(self.past().events)

    def _is_old(self) -> bool:
        with self._history.open("rb") as file:
            first = next(_events([file.readline(65536)]), None)
        return first is not None and first.time < time.time() - YEAR - 30 * 86_400

    def _rewrite(self, events: Iterable[Event]) -> None:
        """Write the history anew, the newest half of its LIMIT at most."""
        newest: list[bytes] = []
        room = LIMIT // 2
        for event in reversed(list(events)):
            newest.append(_line(event))
            room -= len(newest[-1])
            if room < 0:
                break
        files.replace(self._history, b"".join(reversed(newest)), mode=_MODE, group="root")


def _parse(content: bytes) -> Known:
    told = json.loads(content)
    if told["version"] != VERSION:
        raise ValueError(told["version"])
    states = {str(name): State.from_json(state) for name, state in told["rules"].items()}
    return Known(states, str(told["trouble"]), int(told["seen"]))


def stamp(database: Path) -> int:
    """Return what `Known.seen` is of a database as it is now, 0 where there is none: see `hooks.idle`."""
    with suppress(FileNotFoundError):
        return database.stat().st_mtime_ns
    return 0


def _content(turn: Turn, known: Known) -> bytes:
    """Return the file; its beginning tells `hooks.idle` whether anything is going on."""
    states: Mapping[str, State] = turn.states
    busy = any(state.open or state.mail.messages for state in states.values())
    told = {
        "version": VERSION,
        "open": busy,
        "seen": known.seen if turn.seen is None else turn.seen,
        "trouble": known.trouble if turn.trouble is None else turn.trouble,
        "rules": {name: states[name].to_json() for name in sorted(states)},
    }
    return json.dumps(told).encode() + b"\n"


def _line(event: Event) -> bytes:
    return json.dumps(event.to_json()).encode() + b"\n"


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            yield Event.from_json(json.loads(line))


def _damaged(path: Path) -> HostError:
    return HostError("{path} is damaged: what was known of outages is lost until the next look.", path=path)


def _unusable(path: Path, error: OSError) -> HostError:
    reason = error.strerror or Message("it was locked too long")
    return HostError("{path} cannot be used: {reason}.", path=path, reason=reason)
