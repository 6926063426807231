# SPDX-License-Identifier: GPL-2.0-or-later
"""The queue of Postfix, read and acted on by its own programs: postqueue(1), postsuper(1).

A message is made due by its ID: that takes the destination out of those that the queue manager has found dead, which
it would not try for `minimal_backoff_time`, and leaves all other mail alone. `postqueue -s` does the same for a site
only as long as that is in fast_flush_domains, which a rule that was just removed is not.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mxbackup.errors import HostError, QueueError
from mxbackup.esmith import postfix
from mxbackup.esmith.host import Host
from mxbackup.queue.holding import Holds, hold_of
from mxbackup.queue.mailqueue import Attempt, Failure, MailQueue, Reading
from mxbackup.queue.messages import Channel, Message, Recipient
from mxbackup.queue.postfix import listing, maillog, renewing
from mxbackup.queue.postfix.listing import Entry, Place
from mxbackup.queue.postfix.renewing import Term

ONE_BY_ONE = 500  # messages that are made due each by its ID, some milliseconds each; more are all of the queue
LIFETIME = "maximal_queue_lifetime"
_LIVES = {False: LIFETIME, True: "bounce_queue_lifetime"}  # by whether a message has no sender
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_TIME = re.compile(r"([0-9]{1,9})([smhdw]?)")


@dataclass(frozen=True)
class PostfixReading(Reading):
    """What Postfix holds; `reasons` are by address."""

    host: Host
    now: int
    reasons: Mapping[str, str]
    given_up: Sequence[Failure]

    @property
    def longest(self) -> int:
        """So often that no server takes it for a loop."""
        return renewing.longest(self.lifetime)

    def reason(self, addresses: Collection[str]) -> str:
        """Of the message that waits longest."""
        return next((self.reasons[address] for address in addresses if address in self.reasons), "")

    @property
    def failures(self) -> Sequence[Failure]:
        """As the log tells, where there is one."""
        return self.given_up

    def keep(self, holds: Holds) -> int:
        """By renewing them, of which `renewing` tells."""
        terms = {str(message.ident): self._term(message, holds) for message in self.messages}
        old = [ident for ident, term in terms.items() if renewing.due(term.arrival, term, self.now)]
        if not old:
            return 0
        try:
            births = dict(renewing.births(postfix.envelopes(self.host, old)))
            wanted = [ident for ident in old if ident in births and renewing.due(births[ident], terms[ident], self.now)]
            return postfix.requeue(self.host, wanted)
        except HostError as trouble:
            raise _unreadable(trouble) from trouble

    def _term(self, message: Message, holds: Holds) -> Term:
        """Only what is deferred is held for any time."""
        life = message.end - message.arrival
        hold = hold_of(message.recipients, holds) if message.next is not None else None
        return Term(message.arrival, min(hold or 0, renewing.longest(life)), life)


class PostfixMailQueue(MailQueue):
    """The queue of a host; `local` returns the names that Postfix delivers itself."""

    def __init__(self, host: Host, local: Callable[[], Container[str]]) -> None:
        self.host = host
        self._local = local

    def waiting(self) -> list[set[str]]:
        """What is about to be in it may be for elsewhere."""
        local = self._local()
        return [
            {to.name for to in _recipients(entry, local) if to.channel != Channel.LOCAL} for entry in self._listed()
        ]

    def lifetime(self) -> int:
        """As main.cf has it."""
        try:
            return seconds(postfix.parameters(self.host, LIFETIME)[LIFETIME])
        except (HostError, KeyError) as trouble:
            raise _unreadable(trouble) from trouble

    def read(self, *, past: bool = False) -> PostfixReading:
        """Whatever becomes of a message meanwhile, it is told of once."""
        try:
            entries = self._listed()
            said = postfix.parameters(self.host, "queue_directory", "maillog_file", *_LIVES.values())
            due = _due(self.host.path(Path(said["queue_directory"])) / Place.DEFERRED)
            lives = {bounce: seconds(said[name]) for bounce, name in _LIVES.items()}
            local = self._local()
        except HostError as trouble:
            raise _unreadable(trouble) from trouble
        messages = [
            Message(
                entry.ident, entry.arrival, entry.size, _recipients(entry, local),
                due.get(entry.ident) if entry.place == Place.DEFERRED else None, entry.arrival + lives[entry.bounce],
                entry.place == Place.HOLD,
            )
            for entry in entries
        ]  # fmt: skip
        reasons = dict(pair for entry in reversed(entries) for pair in entry.reasons)
        now = int(time.time())
        gone = self._given_up(said.get("maillog_file", ""), now) if past else []
        return PostfixReading(messages, lives[False], None, self.host, now, reasons, gone)

    def make_due(self, messages: Iterable[Message], addresses: Iterable[str]) -> str:
        """Each by its ID; all that Postfix holds where they are too many, or not known."""
        idents = [str(message.ident) for message in messages]
        if not 0 < len(idents) <= ONE_BY_ONE:
            return postfix.flush(self.host)
        for ident in idents:
            used = postfix.flush(self.host, ident)
        return used

    def attempt(self, sender: str) -> Attempt | None:
        """As qmgr and smtp log it."""
        try:
            configured = postfix.parameters(self.host, "maillog_file").get("maillog_file", "")
            return maillog.attempt(self._log(configured), sender)
        except HostError as trouble:
            raise QueueError("The log of Postfix cannot be read: {reason}", reason=trouble) from trouble

    def stopped(self) -> HostError | None:
        """As postfix(1) says."""
        try:
            return None if postfix.runs(self.host) else HostError("{service} is not running.", service="Postfix")
        except HostError as trouble:
            return trouble

    def _given_up(self, configured: str, now: int) -> list[Failure]:
        """Nothing is known of it where there is no log."""
        try:
            return maillog.parse(self._log(configured), now)
        except HostError:
            return []

    def _log(self, configured: str) -> list[str]:
        own = (Path(configured),) if configured.startswith("/") and not configured.startswith("/dev/") else ()
        return maillog.read(self.host, [self.host.path(path) for path in (*own, *maillog.LOGS)])

    def _listed(self) -> list[Entry]:
        try:
            return listing.parse(postfix.queue(self.host))
        except (HostError, ValueError) as trouble:
            raise _unreadable(trouble) from trouble


def seconds(value: str) -> int:
    """Return a time of main.cf, one whose default unit is the day, in seconds. Raises QueueError."""
    found = _TIME.fullmatch(value)
    if not found:
        raise QueueError("The queue of Postfix cannot be read: {reason}", reason=value)
    return int(found[1]) * _SECONDS[found[2] or "d"]


def _recipients(entry: Entry, local: Container[str]) -> tuple[Recipient, ...]:
    found = ((address, address.rpartition("@")[2].lower()) for address in entry.addresses)
    return tuple(Recipient(address, name, _channel(entry, name, local, address)) for address, name in found)


def _channel(entry: Entry, name: str, local: Container[str], address: str) -> Channel | None:
    if entry.place == Place.MAILDROP:
        return None
    return Channel.LOCAL if name in local or "@" not in address else Channel.REMOTE


def _due(deferred: Path) -> dict[str, int]:
    """Return when each deferred message is tried next: the queue manager says it by the time of the file.

    Raises QueueError.
    """
    try:
        return dict(_stamps(deferred))
    except OSError as error:
        raise QueueError(
            "The mail queue {path} cannot be read: {reason}.", path=deferred, reason=error.strerror
        ) from error


def _stamps(directory: Path) -> Iterable[tuple[str, int]]:
    """The directory is split by the beginnings of the IDs, as deep as hash_queue_depth says."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _stamps(Path(entry.path))
            else:
                try:
                    yield entry.name, entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000_000
                except FileNotFoundError:  # it has just been taken from there
                    continue


def _unreadable(trouble: Exception) -> QueueError:
    return QueueError("The queue of Postfix cannot be read: {reason}", reason=trouble)
