# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dialogue with a backup MX means, in words."""

from collections.abc import Iterator

from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome
from mxbackup.words.lexicon import Lexicon


def as_it_should_be(dialogue: Dialogue) -> bool:
    """Whether the recipient is accepted, the other address refused, and the message, if there was one, taken."""
    return (
        dialogue.outcome == Outcome.ACCEPTED
        and dialogue.refuse.outcome == Outcome.REFUSED
        and dialogue.sent in (None, Outcome.ACCEPTED)
        and dialogue.trouble is None
    )


def verdict(dialogue: Dialogue, question: Question, words: Lexicon) -> Iterator[str]:
    """Yield the verdict, a sentence a line."""
    yield from _recipient(dialogue, question, words)
    if dialogue.outcome not in (Outcome.UNREACHABLE, Outcome.BROKEN):
        yield from _refused(dialogue, question, words)
    if dialogue.starttls:
        yield words.text("The server offers STARTTLS.")
    if dialogue.size:
        yield words.text("The server takes messages of up to {size} bytes.", size=dialogue.size)
    if question.message is not None:
        yield from _sent(dialogue, question, words)


def _recipient(dialogue: Dialogue, question: Question, words: Lexicon) -> Iterator[str]:
    match dialogue.outcome:
        case Outcome.ACCEPTED:
            yield words.text("Good: {address} is accepted.", address=question.recipient)
        case Outcome.REFUSED:
            yield words.text("BAD: {address} is refused: {reply}", address=question.recipient, reply=dialogue.reply)
            yield words.text("Is there a rule for it, and is it in force? On that server: mxbackup status")
        case Outcome.DEFERRED:
            yield words.text(
                "Not known: the server puts {address} off: {reply}", address=question.recipient, reply=dialogue.reply
            )
            yield words.text("Try again in some minutes.")
        case Outcome.UNREACHABLE | Outcome.BROKEN:
            yield words.text("BAD: {trouble}", trouble=dialogue.trouble)


def _refused(dialogue: Dialogue, question: Question, words: Lexicon) -> Iterator[str]:
    params = {"address": question.refuse, "reply": dialogue.refuse}
    match dialogue.refuse.outcome:
        case Outcome.REFUSED:
            yield words.text("Good: {address} is refused.", **params)
        case Outcome.ACCEPTED:
            yield words.text("BAD: {address} is accepted, so this server may be an open relay.", **params)
            yield words.text("The test counts only from outside: not from that server's own network.")
        case Outcome.DEFERRED:
            yield words.text("Not known: the server puts {address} off: {reply}", **params)
        case _:
            trouble = dialogue.trouble or dialogue.reply
            yield words.text("Not known whether {address} is refused: {trouble}", **params, trouble=trouble)


def _sent(dialogue: Dialogue, question: Question, words: Lexicon) -> Iterator[str]:
    if question.message is None or dialogue.sent != Outcome.ACCEPTED:
        yield words.text("The test message was not sent: {reply}", reply=dialogue.sent_reply or dialogue.reply)
        return
    yield words.text(
        "The test message is on its way. In the header of what {address} receives, look for:",
        address=question.recipient,
    )
    yield f"    Message-ID: {question.message['Message-ID']}"
    greeting = dialogue.banner.text.split()[:1] or ["?"]
    yield f"    Received: ... by {greeting[0]} ..."
    yield words.text("The second line shows that it came through the backup; without it the primary took it directly.")
