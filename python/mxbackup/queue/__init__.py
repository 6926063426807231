# SPDX-License-Identifier: GPL-2.0-or-later
"""Held mail: what the queue holds for the rules, why it waits and until when, and the two ways to act on it: to have it
tried now, and to keep it from expiring.

`mailqueue` is what every queue answers; `qmail` and `postfix` are one each, and `hosts` says which a server has.
`holding` and `summary` are the same for all. May import errors, names, rules and `esmith`; the rules' names are handed
in.
"""

from mxbackup.queue.holding import Holds
from mxbackup.queue.mailqueue import Attempt, Ending, Failure, MailQueue, Reading
from mxbackup.queue.messages import Channel, Message, Recipient
from mxbackup.queue.summary import Held, Summary, summarise

__all__ = [
    "Attempt",
    "Channel",
    "Ending",
    "Failure",
    "Held",
    "Holds",
    "MailQueue",
    "Message",
    "Reading",
    "Recipient",
    "Summary",
    "summarise",
]
