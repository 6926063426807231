# SPDX-License-Identifier: GPL-2.0-or-later
"""What a look sees in the queue and in the log of qmail-send, by rule."""

import re
from collections.abc import Iterable

from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import Mail
from mxbackup.queue import Message
from mxbackup.service.held import Reading
from mxbackup.service.outages import States

_PLAIN = re.compile(r"[!#-;=?-~]{1,64}@[A-Za-z0-9.-]{1,253}")


def any_is_back(states: States) -> bool:
    """Whether any primary is back from an outage that has not ended."""
    return any(state.outage is not None and state.outage.back > 0 for state in states.values())


def mails(reading: Reading, inventory: Inventory) -> dict[str, Mail]:
    """Return what is held for each rule that mail is held for."""
    summary = reading.summary(inventory)
    return {mail.name: Mail(mail.messages, mail.oldest, mail.expires) for mail in summary.rules}


def refused(reading: Reading, inventory: Inventory, states: States) -> dict[str, int]:
    """Return how many messages of each rule its primary refused for good since it is back, as the log tells."""
    found: dict[str, set[int]] = {}
    for failure in reading.log.failures:
        rule = inventory.with_draining.nearest(failure.name)
        outage = states[rule.name].outage if rule and rule.name in states else None
        if rule and outage and 0 < outage.back <= failure.when:
            found.setdefault(str(rule.name), set()).add(failure.message)
    return {name: len(messages) for name, messages in found.items()}


def recipients(messages: Iterable[Message], inventory: Inventory) -> dict[str, str]:
    """Return for each rule one address that mail is held for; none that could break out of a command."""
    found: dict[str, str] = {}
    for message in messages:
        for to in message.undelivered():
            rule = inventory.with_draining.nearest(to.name)
            if rule and rule.name not in found and _PLAIN.fullmatch(to.address):
                found[rule.name] = to.address
    return found
