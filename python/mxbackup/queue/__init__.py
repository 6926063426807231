# SPDX-License-Identifier: GPL-2.0-or-later
"""Held mail: what qmail's queue holds for the rules, why it waits and until when, and the three ways to act on it.

Those are to have it tried now (`tcpto`, then `alarm`) and to keep it from expiring (`holding`); nothing else is safe
beside a running qmail-send. May import errors, names and rules; the host and the rules' names are handed in.
"""

from mxbackup.queue.messages import Channel, Message, Recipient, Sender, next_try, retry
from mxbackup.queue.reading import QUEUE, read

__all__ = ["QUEUE", "Channel", "Message", "Recipient", "Sender", "next_try", "read", "retry"]
