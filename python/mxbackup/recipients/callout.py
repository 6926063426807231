# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking a primary about one recipient, in turn with the qpsmtpd plugin.

`turn-ADDRESS:PORT`, in the directory shared with the plugin, is locked during a dialogue and holds the time before
which that primary is not to be asked again.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mxbackup.esmith import files
from mxbackup.recipients.journal import open_regular
from mxbackup.smtp import client, replies
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Reply

BETWEEN = 1.0  # seconds between two questions to one primary
BACKOFF = 60.0  # seconds without questions after a primary did not answer
LONGEST_WAIT = 5.0  # seconds for our turn; what is longer is the pause after a silent primary
TIMEOUT = 10.0  # seconds for one dialogue

Probe = Callable[[str, Question, int], Dialogue]


class Came(StrEnum):
    """What came of a question."""

    REPLY = "reply"  # to RCPT: nothing else says anything of the recipient
    SILENCE = "silence"
    NOT_NOW = "not-now"  # it is not our turn, or it was silent a moment ago


class Said(NamedTuple):
    """What came of a question; the replies for the recipient and for the control, if there are any."""

    came: Came
    reply: Reply = replies.NONE
    control: Reply = replies.NONE


def probe(host: str, question: Question, port: int) -> Dialogue:
    """Hold the dialogue in the time that a question may take."""
    return client.probe(host, question, port, TIMEOUT)


def ask(directory: Path, target: str, question: Question, probe: Probe = probe) -> Said:
    """Wait for our turn and ask the primary at `target`, `address:port`. Raises OSError."""
    with _turn(directory, target) as turn:
        if turn is None or (wait := _wait(os.pread(turn, 64, 0))) > LONGEST_WAIT:
            return Said(Came.NOT_NOW)
        time.sleep(wait)
        host, _, port = target.rpartition(":")
        said = _said(probe(host, question, int(port)))
        pause = BACKOFF if said.came == Came.SILENCE else BETWEEN
        os.ftruncate(turn, 0)
        os.pwrite(turn, b"%.3f\n" % (time.time() + pause), 0)
    return said


def _said(dialogue: Dialogue) -> Said:
    if not dialogue.asked or dialogue.reply.closing:
        return Said(Came.SILENCE)
    return Said(Came.REPLY, dialogue.reply, dialogue.control)


@contextmanager
def _turn(directory: Path, target: str) -> Iterator[int | None]:
    """Open and lock the file of the turns at one primary; None when others have it all the time."""
    descriptor = open_regular(directory / f"turn-{target}", os.O_RDWR | os.O_CREAT)
    try:
        yield descriptor if _locked(descriptor) else None
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        files.lock(descriptor, LONGEST_WAIT)
    except TimeoutError:
        return False
    return True


def _wait(content: bytes) -> float:
    """Return the seconds until our turn. Nobody sets more than a pause: then the clock was wrong, or is."""
    try:
        wait = float(content) - time.time()
    except ValueError:
        return 0.0
    return wait if 0 < wait <= BACKOFF + BETWEEN else 0.0  # the file has milliseconds, rounded
