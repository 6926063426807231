# SPDX-License-Identifier: GPL-2.0-or-later
"""A test message to a primary and what became of it, in words."""

from collections.abc import Mapping

from mxbackup.errors import Sentence
from mxbackup.esmith import printable
from mxbackup.queue import Attempt, Ending
from mxbackup.words.lexicon import Lexicon

_ENDINGS: Mapping[Ending, Sentence] = {
    Ending.ACCEPTED: "The primary accepted it after {seconds} s: {text}",
    Ending.DEFERRED: "It was put off after {seconds} s: {text}",
    Ending.REFUSED: "It was refused for good after {seconds} s: {text}",
}
_REMEDIES: Mapping[Ending, Sentence] = {
    Ending.DEFERRED: "It waits in the queue and is tried again. Held mail would fare alike: if this server is "
    "greylisted or limited there, the owner can exempt it. What to tell him: mxbackup letter {name}",
    Ending.REFUSED: "Held mail with such a sender would go back to its senders after an outage. The owner should "
    "exempt this server from SPF and DMARC checks and from block lists. What to tell him: mxbackup letter {name}",
}


def sent(sender: str, recipient: str, words: Lexicon) -> str:
    """Return from whom to whom it is."""
    return words.text("Sent through this server's queue, from {sender} to {to}.", sender=sender, to=recipient)


def result(name: str, attempt: Attempt | None, seconds: int, words: Lexicon) -> list[str]:
    """Return what became of it, and what is to be done about that."""
    if attempt is None:
        unknown: Sentence = "Nothing is known of it after {seconds} s. To see: mxbackup queue {name}"
        return [words.text(unknown, seconds=seconds, name=name)]
    said = words.text(_ENDINGS[attempt.ending], seconds=seconds, text=printable.line(attempt.text))
    remedy = _REMEDIES.get(attempt.ending)
    return [said, words.text(remedy, name=name)] if remedy else [said]


def to_json(name: str, sender: str, recipient: str, attempt: Attempt | None, seconds: int) -> dict[str, object]:
    """Return what JSON has of it; `outcome` and `text` are null where nothing is known."""
    return {
        "name": name,
        "sender": sender,
        "recipient": recipient,
        "outcome": attempt.ending.value if attempt else None,
        "text": printable.line(attempt.text) if attempt else None,
        "seconds": seconds,
    }
