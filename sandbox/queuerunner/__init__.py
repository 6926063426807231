# SPDX-License-Identifier: GPL-2.0-or-later
"""A queue runner: what qmail-send(8) does with a queue, for tests and for the sandbox, as Debian has no qmail.

A test rig. It follows qmail-send.c, qmail-queue.c, qmail-remote.c and tcpto.c of notqmail 1.08 in what can be seen
from outside: the files and their times, the schedule, the time-outs, life and bounce, signals, the log. It delivers
over real SMTP. The sandbox runs it as its qmail-send and qmail-queue, with the Python of the machine.
"""
