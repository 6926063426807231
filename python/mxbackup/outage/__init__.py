# SPDX-License-Identifier: GPL-2.0-or-later
"""The outage: one state per rule, what turns it, what has happened, and what somebody is to be told. Pure.

`state` is what is known of a rule, `turning` what becomes of that when something new is seen, `pace` when a primary is
asked and mail is made due, `notices` which mails are due, `history` what has happened. Nothing here reads or writes.
What faces need is in `service.outages`: `overview` gives every rule as it is now (condition, since when, held mail,
last check), `Outages.past` what has happened to one. May import errors, and from `queue` how a delivery ends.
"""

from mxbackup.outage.history import Event, Happening
from mxbackup.outage.notices import Kind, Notice, due
from mxbackup.outage.state import Check, Condition, Contact, GivenUp, Mail, NameServer, Outage, Record, Seen, State
from mxbackup.outage.turning import after

__all__ = [
    "Check",
    "Condition",
    "Contact",
    "Event",
    "GivenUp",
    "Happening",
    "Kind",
    "Mail",
    "NameServer",
    "Notice",
    "Outage",
    "Record",
    "Seen",
    "State",
    "after",
    "due",
]
