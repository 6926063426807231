# SPDX-License-Identifier: GPL-2.0-or-later
"""The way back, tried before it is needed: one message, through the queue of this server, to the primary of a rule.

Its sender is of a domain that lets nobody send its mail (SPF), as that of held mail often is for this server: what the
primary does with it now it will do with held mail after an outage.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mxbackup.errors import HostError, InvalidInput, NotNow
from mxbackup.esmith import sendmail
from mxbackup.outage import Event, Happening
from mxbackup.queue import Attempt, Ending
from mxbackup.rules import names
from mxbackup.service import changing, inspecting
from mxbackup.service.context import Context
from mxbackup.service.outages import Known, Outages, Turn

if TYPE_CHECKING:
    from mxbackup.lookup.answers import Answer

SENDERS_DOMAIN = "example.com"  # its records say that it sends no mail (RFC 2606)
FORBIDS_ALL = "v=spf1 -all"  # RFC 7208
BETWEEN = 3600  # seconds from one message to a primary to the next
PATIENCE = 120  # seconds that the answer is waited for
PAUSE = 1.0  # seconds between two looks
TOKEN = 8  # bytes


@dataclass(frozen=True)
class Replay:
    """What was sent, and what came of it; `attempt` is None when that is not known yet, `seconds` until it was."""

    name: str
    sender: str
    recipient: str
    attempt: Attempt | None = None
    seconds: int = 0

    @property
    def arrived(self) -> bool:
        """Whether the primary has taken it."""
        return self.attempt is not None and self.attempt.ending == Ending.ACCEPTED


def replay(
    context: Context,
    name: str,
    *,
    recipient: str = "",
    domain: str = SENDERS_DOMAIN,
    progress: Callable[[Replay], object] = lambda sent: None,
) -> Replay:
    """Send one message to a recipient of a rule, from a sender in `domain`, and wait for what its primary answers.

    Without one it is to postmaster. `progress` is called when it is sent. Raises UnknownRule; InvalidInput when the
    recipient is none of the rule, or this server may send mail of the domain; NotNow within the hour after the last
    one; DatabaseError, HostError, QueueError.
    """
    from mxbackup.service.telling import OWNERS_LANGUAGES
    from mxbackup.words import lexicon, replay_mail

    rule = changing.get(context, name)
    inventory = context.inventory()
    if not inventory.settings.enabled or inspecting.outdated(context, inventory):
        raise HostError("The rule is not in force, so its mail would not take this way. To see why: mxbackup status")
    recipient = recipient or f"postmaster@{rule.name}"
    if inventory.rules.nearest(recipient.rpartition("@")[2]) != rule:
        raise InvalidInput("{address} is no recipient of {name}.", address=recipient, name=names.to_unicode(rule.name))
    if not sendmail.can_send(context.host):
        raise HostError("There is no {command}, so no mail can be sent.", command=sendmail.SENDMAIL)
    _refuse_allowed(domain, _published(context, domain))
    sent = Replay(rule.name, f"mxbackup-{secrets.token_hex(TOKEN)}@{domain}", recipient)
    queue = context.kind.queue
    queue.attempt(sent.sender)  # a log that cannot be read is said before anything is sent
    store, begun = Outages(context.host), int(time.time())
    store.update(_once(store, rule.name, begun))
    languages = [lexicon.load(language) for language in OWNERS_LANGUAGES]
    message = replay_mail.message(sent.sender, sent.recipient, inventory.settings, languages)
    sendmail.send(context.host, message, sent.sender)
    progress(sent)
    attempt = _wait(lambda: queue.attempt(sent.sender))
    if attempt:
        said = f"{attempt.ending}: {attempt.text}"
        store.note(Event(int(time.time()), Happening.ANSWERED, rule.name, reason=said))
    return replace(sent, attempt=attempt, seconds=int(time.time()) - begun)


def _published(context: Context, domain: str) -> "Answer":
    from mxbackup.check import collecting

    return collecting.dns_at(context.kind).lookup(names.parse_host(domain), "TXT")


def _refuse_allowed(domain: str, answer: "Answer") -> None:
    """Raise InvalidInput unless the records of the domain say that nobody sends its mail."""
    if FORBIDS_ALL not in [record.strip() for record in answer.records]:
        raise InvalidInput(
            'The records of {domain} do not say "{spf}", so a primary may take its mail from here in any case. '
            "Name a domain that sends no mail.",
            domain=names.to_unicode(domain),
            spf=FORBIDS_ALL,
        )


def _once(store: Outages, name: str, now: int) -> Callable[[Known], Turn]:
    """Note that a message is sent, before it is; refuse a second one within the hour. Both under the lock."""

    def turn(known: Known) -> Turn:
        last = [event.time for event in store.past(name).events if event.happening == Happening.REPLAYED]
        if any(now - BETWEEN < when <= now for when in last):
            raise NotNow("The last such message to this primary was sent less than an hour ago. Wait for the next one.")
        return Turn(known.states, [Event(now, Happening.REPLAYED, name)])

    return turn


def _wait(ask: Callable[[], Attempt | None]) -> Attempt | None:
    end = time.monotonic() + PATIENCE
    while (found := ask()) is None and time.monotonic() < end:
        time.sleep(PAUSE)
    return found
