# SPDX-License-Identifier: GPL-2.0-or-later
"""How a rule is said, in the user's language: the same words in the command and in the panel."""

from mxbackup import render
from mxbackup.lexicon import Lexicon
from mxbackup.rules import Kind, Rule
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
