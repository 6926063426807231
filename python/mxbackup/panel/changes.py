# SPDX-License-Identifier: GPL-2.0-or-later
"""What a sent form does. Everything goes through the service: the database is changed, and an event signalled."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import zip_longest
from types import MappingProxyType
from urllib.parse import quote

from mxbackup import rules
from mxbackup.errors import ChangedMeanwhile, InvalidInput, MxBackupError, Sentence, UnknownRule
from mxbackup.esmith.inventory import Inventory
from mxbackup.panel import address, recipients
from mxbackup.panel.forms import ADVANCED, SIMPLE, Entries
from mxbackup.panel.next import line
from mxbackup.panel.pages import form, none_chosen, removal
from mxbackup.panel.session import Notice
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.rules import Rule, names
from mxbackup.service import changing, inspecting, knowing, plugin, removing, stepping, together
from mxbackup.service.background import LIMIT
from mxbackup.service.removing import Removal
from mxbackup.words import about_draining, about_outages, about_queue, about_rules, about_steps
from mxbackup.words.lexicon import Lexicon

LISTED = 5  # names in one sentence
_NO_LIST: Sentence = "There is no list yet: until you paste one, all its mail is put off."
_BESIDE_DESTINATION = [prop for prop in (*SIMPLE, *ADVANCED) if prop.name != "route"]


def review(visit: Visit) -> Page:
    """Sum up what the entries of a form would accept; or show the form again, with the reason why not."""
    entries = Entries.of(visit.parameters)
    inventory = visit.context.inventory()
    try:
        rule = entries.as_rule()
        _check(entries, rule, inventory)
    except InvalidInput as error:
        return form(visit, entries, error)
    cover = inventory.rules.covering(rule.name)
    return Page(
        "review.html",
        {
            "entries": entries.normalised(),
            "rule": rule,
            "kind": about_rules.kind(rule, visit.words),
            "properties": list(about_rules.properties(rule, _BESIDE_DESTINATION, visit.words)),
            "destination": about_rules.destination(rule, inventory.settings, visit.words),
            "samples": samples(rule, inventory, visit.words),
            "covered": about_rules.covered(rule, cover, visit.words) if cover else "",
            "no_effect": about_rules.no_effect(rule, inventory.settings, visit.words),
            "own_port": about_rules.own_port(rule, inventory.settings, visit.words),
            "no_list": visit.words.text(_NO_LIST) if knowing.lacks_list(visit.context, rule) else "",
            "line": line(visit, rule),
            "settings": inventory.settings,
            "check": visit.check(visit.context, rule, visit.words, planned=True),
            "name": rules.shown(rule),
            "limit": LIMIT,
        },
    )


def revise(visit: Visit) -> Page:
    """Show the form again with its entries."""
    return form(visit, Entries.of(visit.parameters))


def save(visit: Visit) -> Page | Redirect:
    """Record the rule."""
    entries = Entries.of(visit.parameters)
    try:
        rule = entries.as_rule()
        if entries.rule:
            done = changing.change(visit.context, entries.rule, rules.to_properties(rule), expected=entries.expected)
            said = visit.words.text("Changed {name}.", name=rules.shown(done.rule))
        else:
            done = changing.add(visit.context, rule)
            said = visit.words.text("Added {name}.", name=rules.shown(done.rule))
    except InvalidInput as error:
        return form(visit, entries, error)
    except ChangedMeanwhile as error:
        return failed(visit, error, f"?page=edit&rule={entries.rule}")
    except UnknownRule as error:
        return failed(visit, error)
    if done.covered_by:
        said += " " + about_rules.covered(done.rule, done.covered_by, visit.words)
    if not entries.rule:
        return Redirect(Notice(True, said), f"?page=next&rule={quote(done.rule.name)}")
    return Redirect(Notice(True, said))


def remove(visit: Visit) -> Redirect:
    """Remove rules, or records that hold none, as they were when the question was asked; all or none of them."""
    chosen, expected = visit.parameters.every("rule"), visit.parameters.every("expected")
    done = removing.remove(visit.context, dict(zip_longest(chosen, expected[: len(chosen)], fillvalue="")))
    said = _removed(done, visit.words)
    return Redirect(Notice(True, said, undo="restore", removal=removing.last(visit.context)))


def restore(visit: Visit) -> Redirect:
    """Take the last removal back."""
    keys = removing.restore(visit.context, visit.parameter("removal"))
    return Redirect(Notice(True, visit.words.text("Recorded again: {names}.", names=_listed(keys))))


def check(visit: Visit) -> Redirect:
    """Check a rule, even if that was just done; its page shows what is found."""
    rule = changing.get(visit.context, visit.parameter("rule"))
    visit.check(visit.context, rule, visit.words, anew=True)
    return Redirect(None, f"?page=check&rule={quote(rule.name)}")


def check_chosen(visit: Visit) -> Redirect:
    """Check the rules that are chosen; the table shows how far that is, and what is found."""
    chosen = visit.parameters.every("rule")
    return _check_many(visit, chosen) if chosen else none_chosen(visit)


def check_all(visit: Visit) -> Redirect:
    """Check all rules."""
    return _check_many(visit, [])


def _check_many(visit: Visit, chosen: list[str]) -> Redirect:
    if together.begin(visit.context, chosen):
        return Redirect(None, "?watch=1")
    said = visit.words.text("Rules are being checked already. Wait for the end of that.")
    return Redirect(Notice(False, said), "?watch=1")


def route(visit: Visit) -> Redirect:
    """Set the route of a rule."""
    return _set(visit, {"Route": visit.parameter("value")})


def bypass(visit: Visit) -> Redirect:
    """Let a rule go around the smart host."""
    return _set(visit, {"Smarthost": "bypass"})


def load_plugin(visit: Visit) -> Redirect:
    """Have qpsmtpd ask our plugin."""
    plugin.load(visit.context)
    return Redirect(Notice(True, visit.words.text("qpsmtpd is told to ask our plugin.")))


def flush(visit: Visit) -> Redirect:
    """Have the mail that waits for a rule tried now."""
    from mxbackup.service import tending  # brings the DNS library, which no other form needs

    name = visit.parameter("rule")
    query = f"?page=rule&rule={quote(name)}"
    try:
        done = tending.flush(visit.context, [name])
    except MxBackupError as error:
        return failed(visit, error, query)
    if name in done.refusing:
        return Redirect(Notice(False, about_outages.refusing(name, done.refusing[name], visit.words)), query)
    if not done.names and done.on_hold:
        return Redirect(Notice(False, about_queue.on_hold(done.on_hold, visit.words)), query)
    if not done.names:
        return Redirect(Notice(True, visit.words.text("No mail is held.")), query)
    said = visit.words.text("The mail for {name} is tried now. Look again in a minute.", name=names.to_unicode(name))
    return Redirect(Notice(True, said), query)


def tested(visit: Visit) -> Redirect:
    """Record that somebody has tested a rule from outside."""
    name = visit.parameter("rule")
    query = f"?page=rule&rule={quote(name)}"
    try:
        rule = stepping.record_test(visit.context, name, visit.parameter("by"))
    except MxBackupError as error:
        return failed(visit, error, query)
    return Redirect(Notice(True, about_steps.recorded(rule, visit.words)), query)


def enable(visit: Visit) -> Redirect:
    """Switch MX backup on; where it is on, put the rules into force again."""
    on = visit.context.inventory().settings.enabled
    changing.enable(visit.context, True)
    if not on:
        return Redirect(Notice(True, visit.words.text("MX backup is enabled.")))
    if inspecting.outdated(visit.context, visit.context.inventory()):
        said = visit.words.text("The rules could not be put into force. What is wrong stands below.")
        return Redirect(Notice(False, said))
    return Redirect(Notice(True, visit.words.text("The rules are in force again.")))


def disable(visit: Visit) -> Redirect:
    """Switch MX backup off."""
    waiting = changing.enable(visit.context, False)
    said = f"{visit.words.text('MX backup is disabled.')} {about_draining.disabled(waiting, visit.words)}"
    return Redirect(Notice(True, said.rstrip(), undo="enable"))


def perform(visit: Visit) -> Page | Redirect:
    """Do what the form asks for, and then check a rule again, if it says so.

    Lead to the list of rules, saying why, when it cannot be done.
    """
    change = CHANGES.get(visit.parameter("do"), _nothing)
    try:
        return _checked_again(visit, change(visit))
    except MxBackupError as error:
        return failed(visit, error)


def samples(rule: Rule, inventory: Inventory, words: Lexicon) -> list[tuple[str, bool]]:
    """Return addresses and whether their mail is accepted once the rule stands beside the others."""
    held = [rule, *(other for other in inventory.rules if other.name != rule.name)]
    on = inventory.settings.enabled
    hosts = (rule.name, f"www.{rule.name}", words.text("other.net"))
    return [
        (f"{words.text('someone')}@{names.to_unicode(host)}", on and any(known.covers(host) for known in held))
        for host in hosts
    ]


def _set(visit: Visit, properties: Mapping[str, str]) -> Redirect:
    done = changing.change(visit.context, visit.parameter("rule"), properties)
    return Redirect(Notice(True, visit.words.text("Changed {name}.", name=rules.shown(done.rule))))


def _checked_again(visit: Visit, done: Page | Redirect) -> Page | Redirect:
    """Where a form says so, lead back to the check of a rule, which was made for another state of things."""
    name = visit.parameter("then")
    if not name or isinstance(done, Page):
        return done
    rule = changing.get(visit.context, name)
    visit.check(visit.context, rule, visit.words, anew=True)
    return replace(done, query=f"?page=check&rule={quote(rule.name)}")


def _removed(done: list[Removal], words: Lexicon) -> str:
    """Tell what was removed, and what that leaves."""
    said = [words.text("Removed {name}.", name=_listed([each.key for each in done]))]
    said += [about_rules.still_accepted(each.key, each.covered_by, words) for each in done if each.covered_by]
    said += filter(None, (about_draining.removed(each.key, each.waiting, words) for each in done))
    return " ".join(said)


def _listed(keys: list[str]) -> str:
    """The names, as many as a person reads in a sentence."""
    shown = [names.to_unicode(key) for key in keys]
    return ", ".join(shown if len(shown) <= LISTED else [*shown[:LISTED], f"… ({len(shown)})"])


def _check(entries: Entries, rule: Rule, inventory: Inventory) -> None:
    if entries.rule:
        rules.check_local(rule, inventory.settings.local)
    else:
        rules.check_new(rule, inventory.rules, inventory.settings.local)


def _nothing(visit: Visit) -> Redirect:
    return Redirect(Notice(False, visit.words.text("The form asked for nothing known, and nothing was done.")))


CHANGES: Mapping[str, Callable[[Visit], Page | Redirect]] = MappingProxyType(
    {
        "review": review,
        "revise": revise,
        "save": save,
        "ask": removal,
        "remove": remove,
        "restore": restore,
        "check": check,
        "check-all": check_all,
        "check-chosen": check_chosen,
        "route": route,
        "bypass": bypass,
        "plugin": load_plugin,
        "flush": flush,
        "tested": tested,
        "address": address.state,
        "list": recipients.add,
        "relist": recipients.replace,
        "unlist": recipients.remove,
        "enable": enable,
        "disable": disable,
    }
)
