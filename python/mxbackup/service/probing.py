# SPDX-License-Identifier: GPL-2.0-or-later
"""The how-to's test from outside: one dialogue, what STARTTLS is worth, and whether this machine is outside at all."""

from dataclasses import dataclass

from mxbackup.check import vantage
from mxbackup.check.vantage import Vantage
from mxbackup.lookup import interfaces
from mxbackup.smtp import client, starttls
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.session import UnknownHost
from mxbackup.smtp.starttls import Security


@dataclass(frozen=True)
class Probed:
    """What a server said; what its TLS is worth, None where it offers none or this Python has none; from where."""

    dialogue: Dialogue
    security: Security | None
    vantage: Vantage


def probe(host: str, question: Question, port: int, timeout: float) -> Probed:
    """Hold the dialogue, and then negotiate TLS, each in `timeout` seconds. Raises UnknownHost."""
    dialogue = client.probe(host, question, port, timeout)
    if isinstance(dialogue.trouble, UnknownHost):  # nothing could be asked, so there is no answer
        raise dialogue.trouble
    secured = dialogue.starttls and dialogue.trouble is None and starttls.available()
    security = starttls.negotiate(host, port, timeout, [dialogue.address], question.helo) if secured else None
    return Probed(dialogue, security, vantage.of(dialogue, interfaces.interfaces()))
