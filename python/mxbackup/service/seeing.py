# SPDX-License-Identifier: GPL-2.0-or-later
"""What a look sees in the queue, by rule."""

import re
from collections.abc import Container, Iterable
from dataclasses import replace

from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import GivenUp, Mail
from mxbackup.queue import Message, Reading
from mxbackup.queue.messages import waiting
from mxbackup.service import held
from mxbackup.service.outages import States

_PLAIN = re.compile(r"[!#-;=?-~]{1,64}@[A-Za-z0-9.-]{1,253}")


def any_outage(states: States) -> bool:
    """Whether any outage has not ended."""
    return any(state.outage is not None for state in states.values())


def mails(reading: Reading, inventory: Inventory) -> dict[str, Mail]:
    """Return what is held for each rule that mail is held for, except what is on hold, for that waits for nobody."""
    rules = held.summary(moving(reading), inventory).rules
    return {mail.name: Mail(mail.messages, mail.oldest, mail.expires) for mail in rules}


def moving(reading: Reading) -> Reading:
    """Return the reading without what is on hold."""
    return replace(reading, messages=[message for message in reading.messages if not message.frozen])


def given_up(reading: Reading, inventory: Inventory, states: States) -> dict[str, GivenUp]:
    """Return how many messages of each rule went back to their senders since its outage began, if it is remembered."""
    refused: dict[str, set[int | str]] = {}
    expired: dict[str, set[int | str]] = {}
    for failure in reading.failures:
        rule = inventory.with_draining.nearest(failure.name)
        outage = states[rule.name].outage if rule and rule.name in states else None
        if rule and outage and outage.begun <= failure.when:
            (expired if failure.expired else refused).setdefault(str(rule.name), set()).add(failure.message)
    return {name: GivenUp(len(refused.get(name, ())), len(expired.get(name, ()))) for name in {*refused, *expired}}


def recipients(messages: Iterable[Message], inventory: Inventory) -> dict[str, str]:
    """Return for each rule one address that mail is held for; none that could break out of a command."""
    found: dict[str, str] = {}
    for message in messages:
        for to in waiting(message.recipients):
            rule = inventory.with_draining.nearest(to.name)
            if rule and rule.name not in found and _PLAIN.fullmatch(to.address):
                found[rule.name] = to.address
    return found


def of_rules(names: Container[str], messages: Iterable[Message], inventory: Inventory) -> list[Message]:
    """Return the messages that wait for any of these rules."""
    nearest = inventory.with_draining.nearest
    return [
        message
        for message in messages
        if any((rule := nearest(to.name)) and rule.name in names for to in waiting(message.recipients))
    ]
