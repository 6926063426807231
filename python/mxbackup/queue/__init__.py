# SPDX-License-Identifier: GPL-2.0-or-later
"""Held mail: what qmail's queue holds for the rules, why it waits and until when, and the three ways to act on it.

Those are to have it tried now (`tcpto`, then `alarm`) and to keep it from expiring (`holding`); nothing else is safe
beside a running qmail-send. May import errors, names and rules; the host and the rules' names are handed in.
"""

from mxbackup.queue.flushing import make_due
from mxbackup.queue.holding import Renewal, expiry, renew, renewals
from mxbackup.queue.lifetime import QUEUELIFETIME, read_lifetime
from mxbackup.queue.messages import Channel, Message, Recipient, Sender, next_try, retry
from mxbackup.queue.reading import QUEUE, read
from mxbackup.queue.sendlog import LOGS, Deferral, SendLog, read_log
from mxbackup.queue.summary import Held, Summary, summarise
from mxbackup.queue.tcpto import TimeOut, read_time_outs

__all__ = [
    "LOGS",
    "QUEUE",
    "QUEUELIFETIME",
    "Channel",
    "Deferral",
    "Held",
    "Message",
    "Recipient",
    "Renewal",
    "SendLog",
    "Sender",
    "Summary",
    "TimeOut",
    "expiry",
    "make_due",
    "next_try",
    "read",
    "read_lifetime",
    "read_log",
    "read_time_outs",
    "renew",
    "renewals",
    "retry",
    "summarise",
]
