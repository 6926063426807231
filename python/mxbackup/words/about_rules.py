# SPDX-License-Identifier: GPL-2.0-or-later
"""How a rule is said, in the user's language: the same words in the command and in the panel."""

from collections.abc import Iterable, Iterator

from mxbackup import rules
from mxbackup.errors import Sentence
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.register import Knowledge
from mxbackup.routing.entries import Way, actual_way, meant_way
from mxbackup.rules import Kind, Property, Recipients, Rule, names
from mxbackup.words import spans
from mxbackup.words.lexicon import Lexicon


def kind(rule: Rule, words: Lexicon) -> str:
    """Return how far the rule reaches."""
    return words.text("Domain") if rule.kind == Kind.DOMAIN else words.text("Host")


def destination(rule: Rule, settings: Settings, words: Lexicon) -> str:
    """Return where the mail of the rule goes."""
    match actual_way(rule, settings):
        case Way.ROUTE:
            return rule.route
        case Way.SMARTHOST:
            return words.text("smart host {host}", host=settings.smarthost)
        case Way.BYPASS:
            return words.text("MX, around the smart host")
        case _:
            return words.text("MX")


def properties(rule: Rule, shown: Iterable[Property], words: Lexicon) -> Iterator[tuple[str, str]]:
    """Yield label and value of those of the properties that a rule need not have, and that count for it."""
    for prop in shown:
        if not prop.always and prop.recorded(rule) and (prop.counts is None or prop.counts(rule)):
            text = prop.text(rule)
            label = next((choice.label for choice in prop.choices if choice.value == text), None)
            yield words.text(prop.label), words.text(label) if label else text


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
        case Knowledge(elsewhere=True):
            return words.text("Postfix asks the primary about recipients, and remembers its answers")
        case Knowledge(accepts_all=True):
            return words.text("the primary accepts every recipient, so this server does too")
        case Knowledge(newest=None):
            return words.text("recipients are to be learnt; no answer yet")
        case _:
            age = spans.since(known.newest or 0, words)
            said: Sentence = "{count} recipients learnt, the newest answer is {age} old"
            return words.text(said, count=known.count, age=age)


def covered(rule: Rule, cover: Rule, words: Lexicon) -> str:
    """Return what a rule is for beside `cover`, the domain rule that it lies below."""
    if rules.adds_nothing(rule, cover):
        return words.text("It is covered by the domain rule {name}, and adds nothing to it.", name=rules.shown(cover))
    return words.text("It lies below the domain rule {name}, and what it says counts instead.", name=rules.shown(cover))


def still_accepted(name: str, cover: Rule, words: Lexicon) -> str:
    """Return what becomes of the mail for a name without its rule, when a domain rule reaches there."""
    return words.text(
        "Mail for {name} stays accepted by the domain rule {cover}.",
        name=names.to_unicode(name),
        cover=rules.shown(cover),
    )


def no_effect(rule: Rule, settings: Settings, words: Lexicon) -> str:
    """Return why a rule's route, or its way around the smart host, does not count here; empty when all is well."""
    if actual_way(rule, settings) == meant_way(rule, settings):
        return ""
    from mxbackup.targets import smtproutes

    return " ".join(
        words.text("{level}: {path}: {mistake}", level=words.text("warning"), path=finding.path, mistake=finding)
        for finding in smtproutes.TARGET.without_effect([rule], settings)
    )


def no_list(rule: Rule, words: Lexicon) -> str:
    """Return what to do about a rule that is to have a list of recipients, and has none."""
    return words.text(
        "There is no list yet, so all its mail is put off. Import it: mxbackup recipients import {name} FILE",
        name=rule.name,
    )


def own_port(rule: Rule, settings: Settings, words: Lexicon) -> str:
    """Return what to mind of a route to another port of this server; empty for every other rule."""
    if not rules.to_own_port(rule, settings.local):
        return ""
    return words.text(
        "The route {route} leads to this server itself: that is right only if another mail server listens there.",
        route=rule.route,
    )
