# SPDX-License-Identifier: GPL-2.0-or-later
"""The letter to the owner of a backed-up name: what he has to do, with the true values of both servers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mxbackup.errors import HostError, InvalidName, QueueError
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule, names
from mxbackup.rules.names import Name
from mxbackup.service import changing, held, inspecting
from mxbackup.service.context import Context

# Both bring the DNS library.
if TYPE_CHECKING:
    from mxbackup.check.letter import Letter
    from mxbackup.lookup.query import Server

LIMIT = 20.0  # seconds
SOON = 1.0  # seconds that the page with the MX records to add waits for the DNS


def letter(
    context: Context,
    name: str,
    *,
    public: Iterable[str] = (),
    nameservers: "Sequence[Server]" = (),
    limit: float = LIMIT,
) -> "Letter":
    """Return what the letter about a rule says; what is not known in `limit` seconds it says without.

    `public` addresses and `nameservers` are as in `checking.check`. Raises UnknownRule, InvalidInput, DatabaseError,
    HostError, OSError.
    """
    from mxbackup.check import collecting
    from mxbackup.check.letter import ask
    from mxbackup.lookup.clock import Clock

    rule = changing.get(context, name)
    inventory = context.inventory()
    settings = inventory.settings
    us = collecting.us_at(context.kind, settings, public, inspecting.outdated(context, inventory))
    us = collecting.with_mistakes(us, context.kind, inventory.rules)
    ours = _names(context, settings)
    found = ask(rule, us, collecting.dns_at(context.kind, nameservers), ours, Clock(limit))
    try:
        hold = held.hold(rule, held.read(context.host, inventory))
    except QueueError:
        hold = None
    domain = settings.domain_name
    return replace(found, hold=hold, admin=f"{settings.administrator}@{domain or found.server}")


def place(context: Context, rule: Rule, *, nameservers: "Sequence[Server]" = (), limit: float = SOON) -> "Letter":
    """Return what the letter about a rule says of the MX records to add; the rule may be planned only.

    What is not known in `limit` seconds it says without. Raises DatabaseError, HostError, OSError.
    """
    from mxbackup.check import collecting
    from mxbackup.check.letter import ask_place
    from mxbackup.lookup.clock import Clock

    settings = context.inventory().settings
    us = collecting.us_at(context.kind, settings)
    dns = collecting.dns_at(context.kind, nameservers)
    return ask_place(rule, us, dns, _names(context, settings), Clock(limit))


def _names(context: Context, settings: Settings) -> list[Name]:
    """The names of this server that can stand in a DNS record. Raises HostError without any."""
    found = []
    for text in context.kind.names(settings):
        try:
            found.append(names.parse_host(text))
        except InvalidName:
            continue
    if not found:
        raise HostError("This server has no name that an MX record could have. Give it one first.")
    return found
