# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dialogue with a backup MX means, in words."""

from collections.abc import Iterator

from mxbackup.check import vantage
from mxbackup.check.vantage import Vantage
from mxbackup.smtp.client import Dialogue, Question
from mxbackup.smtp.replies import Outcome
from mxbackup.smtp.starttls import Security
from mxbackup.words import spans
from mxbackup.words.lexicon import Lexicon


def as_it_should_be(dialogue: Dialogue) -> bool:
    """Whether the recipient is accepted, the other address refused, and the message, if there was one, taken."""
    return (
        dialogue.outcome == Outcome.ACCEPTED
        and dialogue.denied
        and dialogue.sent in (None, Outcome.ACCEPTED)
        and dialogue.trouble is None
    )


def answered(dialogue: Dialogue) -> bool:
    """Whether the server said anything about the recipient."""
    return dialogue.outcome not in (Outcome.UNREACHABLE, Outcome.BROKEN)


def verdict(
    dialogue: Dialogue, question: Question, words: Lexicon, host: str = "", security: Security | None = None
) -> Iterator[str]:
    """Yield the verdict, a sentence a line; `security` is what STARTTLS with the `host` came to, where it was tried."""
    yield from _recipient(dialogue, question, words)
    if answered(dialogue):
        yield from _refused(dialogue, question, words)
    if dialogue.starttls:
        yield _secured(host, security, words) if security else words.text("The server offers STARTTLS.")
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
        case Outcome.DEFERRED if dialogue.denied:
            yield words.text("Good: {address} is refused, if only for now: {reply}", **params)
        case Outcome.DEFERRED:
            yield words.text("Not known: the server puts {address} off: {reply}", **params)
        case _:
            trouble = dialogue.trouble or dialogue.reply
            yield words.text("Not known whether {address} is refused: {trouble}", **params, trouble=trouble)


def from_inside(found: Vantage, dialogue: Dialogue, recipient: str, words: Lexicon) -> Iterator[str]:
    """Yield that this machine is no stranger to the server, and what to do; nothing where it is one."""
    match found:
        case Vantage.OUTSIDE:
            return
        case Vantage.SERVER:
            yield words.text("This machine is that server itself: what it says here is not what it says to strangers.")
        case Vantage.NETWORK:
            yield words.text("This machine is in that server's network, where other rules hold than for strangers.")
        case Vantage.INSIDE:
            yield words.text(
                "The server sees this machine as {address}, an address that no stranger has: other rules may hold.",
                address=vantage.seen_as(dialogue),
            )
    domain = recipient.rpartition("@")[2]
    yield words.text("What to do:")
    yield "    " + words.text("From elsewhere (a friend's machine, a telephone's network): repeat this command.")
    yield "    " + words.text(
        "The owner of the domain, from his machine: {command}", command=f"mxbackup audit {domain}"
    )
    yield "    " + words.text("On the backup itself, without a stranger: {command}", command=f"mxbackup check {domain}")


def _secured(host: str, security: Security, words: Lexicon) -> str:
    version, trouble = security.version, security.trouble
    if security.trusted:
        until = spans.day(security.until)
        return words.text(
            "STARTTLS: {version}, trusted for {host} until {until}.", version=version, host=host, until=until
        )
    if version:
        return words.text("STARTTLS: {version}, but not trusted: {trouble}.", version=version, trouble=trouble)
    return words.text("STARTTLS is offered, and does not work: {trouble}", trouble=trouble)


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
