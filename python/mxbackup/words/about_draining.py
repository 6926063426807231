# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of mail that waits while its rule goes: before and after a removal, and as long as it drains."""

from mxbackup import rules
from mxbackup.errors import Message
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Rule, names
from mxbackup.targets.draining import Waiting
from mxbackup.words import about_rules
from mxbackup.words.lexicon import Lexicon


def removed(name: str, waiting: Waiting, words: Lexicon) -> str:
    """Return what becomes of the mail that waits for a rule without it; empty when none does."""
    shown = names.to_unicode(name)
    if waiting.trouble:
        return words.text(
            "{reason} So it is not known whether mail waits for {name}. No new mail is accepted for it, and its way "
            "out stays until the queue can be read and holds nothing more.",
            reason=waiting.trouble,
            name=shown,
        )
    if not waiting:
        return ""
    return words.text(
        "Messages that wait for {name}: {count}. No new mail is accepted for it, and these are still delivered.",
        name=shown,
        count=waiting.messages,
    )


def disabled(waiting: Waiting, words: Lexicon) -> str:
    """Return what becomes of the mail that waits for the rules when they are disabled; empty when none does."""
    if waiting.trouble:
        return words.text(
            "{reason} So it is not known whether mail waits. No new mail is accepted, and the way out of all rules "
            "stays until the queue can be read and holds nothing more.",
            reason=waiting.trouble,
        )
    if not waiting:
        return ""
    return words.text(
        "Messages that wait: {count}. No new mail is accepted, and these are still delivered.", count=waiting.messages
    )


def erased(waiting: Waiting, relies: Message | None, words: Lexicon) -> str:
    """Return in one line what is left of the rules when the program is erased, and what relies on that."""
    said = [
        words.text(
            "No new mail is accepted for the rules, which stay recorded. Messages that wait and keep their way: "
            "{count}.",
            count=count(waiting, words),
        )
    ]
    if relies:
        said.append(words.text(relies.sentence, **relies.parameters))
    return " ".join(said)


def state(rule: Rule, waiting: Waiting, settings: Settings, words: Lexicon) -> str:
    """Return what is still done for a rule that was removed."""
    return words.text(
        "{name} is removed, and its mail in the queue is still delivered ({destination}; messages: {count}).",
        name=rules.shown(rule),
        destination=about_rules.destination(rule, settings, words),
        count=count(waiting, words),
    )


def count(waiting: Waiting, words: Lexicon) -> str:
    """Return how many messages wait."""
    return words.text("not known") if waiting.trouble else str(waiting.messages)
