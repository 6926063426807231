# SPDX-License-Identifier: GPL-2.0-or-later
"""How a rule is said, in the user's language: the same words in the command and in the panel."""

import shlex
import time

from mxbackup import render
from mxbackup.errors import InvalidInput
from mxbackup.lexicon import Lexicon
from mxbackup.recipients import Knowledge
from mxbackup.rules import Kind, Recipients, Rule
from mxbackup.settings import Settings


def kind(rule: Rule, words: Lexicon) -> str:
    """Return how far the rule reaches."""
    return words.text("Domain") if rule.kind == Kind.DOMAIN else words.text("Host")


def destination(rule: Rule, settings: Settings, words: Lexicon) -> str:
    """Return where the mail of the rule goes."""
    match render.destination(rule, settings):
        case "route":
            return rule.route
        case "smarthost":
            return words.text("smart host {host}", host=settings.smarthost)
        case "bypass":
            return words.text("MX, around the smart host")
        case _:
            return words.text("MX")


def recipients(rule: Rule, known: Knowledge, words: Lexicon) -> str:
    """Return what is known of the rule's recipients."""
    match known:
        case Knowledge(policy=Recipients.ANY):
            return words.text("every recipient is accepted")
        case Knowledge(policy=Recipients.LIST, whole=False):
            return words.text(
                "the list is missing or damaged, so all recipients are put off. "
                "Import it: mxbackup recipients import {name} FILE",
                name=rule.name,
            )
        case Knowledge(policy=Recipients.LIST):
            return words.text("{count} recipients by list", count=known.count)
        case Knowledge(accepts_all=True):
            return words.text("the primary accepts every recipient, so this server does too")
        case Knowledge(newest=None):
            return words.text("recipients are learnt, no answer yet")
        case _:
            age = _age(known.newest or 0, words)
            said = "{count} recipients learnt, the newest answer is {age} old"
            return words.text(said, count=known.count, age=age)


def left_out(key: str, reason: InvalidInput, words: Lexicon) -> str:
    """Return what is wrong with a record that holds no rule, and how to be rid of it in a shell."""
    said = words.text("Left out, the record {key} is no rule: {reason}", key=key, reason=reason)
    return f"{said} {words.text('To remove it: mxbackup remove {key}', key=shlex.quote(key))}"


def _age(since: int, words: Lexicon) -> str:
    minutes = max(0, int(time.time()) - since) // 60
    if minutes < 120:
        return words.text("{count} min", count=minutes)
    if minutes < 2880:
        return words.text("{count} h", count=minutes // 60)
    return words.text("{count} days", count=minutes // 1440)
