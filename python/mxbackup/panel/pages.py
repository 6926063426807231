# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages that are only looked at: the list of rules, one of them, a form, the question before a removal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mxbackup import rules
from mxbackup.errors import Finding, InvalidInput, MxBackupError, Severity, UnknownRule
from mxbackup.outage import State
from mxbackup.panel.address import address
from mxbackup.panel.checking import look
from mxbackup.panel.details import details
from mxbackup.panel.forms import ADVANCED, SIMPLE, Entries
from mxbackup.panel.letter import letter
from mxbackup.panel.listing import View, listing
from mxbackup.panel.next import after
from mxbackup.panel.recipients import recipients
from mxbackup.panel.session import Notice
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.rules import names
from mxbackup.service import changing, inspecting, knowing, outages, removing, stepping, together
from mxbackup.service import held as mail
from mxbackup.service.background import LIMIT
from mxbackup.service.held import HeldMail
from mxbackup.service.inspecting import Status
from mxbackup.service.removing import Removal
from mxbackup.targets.target import TargetStatus
from mxbackup.words import about_draining, about_queue, about_rules, outlook
from mxbackup.words.lexicon import Lexicon
from mxbackup.words.outlook import Light, Outlook


@dataclass(frozen=True)
class Leaving:
    """What the removal of one record leaves, in words that are empty when there is nothing to say."""

    key: str
    name: str
    stamp: str
    still_accepted: str
    waiting: str

    @classmethod
    def of(cls, removal: Removal, words: Lexicon) -> "Leaving":
        """Return the words for one removal."""
        cover = removal.covered_by
        return cls(
            removal.key,
            names.to_unicode(removal.key),
            removal.stamp,
            about_rules.still_accepted(removal.key, cover, words) if cover else "",
            about_draining.removed(removal.key, removal.waiting, words),
        )


def front(visit: Visit) -> Page:
    """What matters now, whether MX backup is on, the rules, and what is wrong."""
    status = inspecting.status(visit.context)
    inventory = status.inventory
    enabled = inventory.settings.enabled
    held = mail.look(visit.context.host, inventory)
    known = outages.known_now(visit.context.host)
    files, elsewhere = _mistakes(status)
    sweep = together.look(visit.context) if enabled else None
    in_force = not any(target.outdated for target in status.targets)
    return Page(
        "front.html",
        {
            "inventory": inventory,
            "listing": listing(status, known.states, held, View.of(visit.parameters), visit.words),
            "now": _now(status, known.states, held, held.trouble or held.stopped or known.damage, visit.words),
            "outdated": files,
            "sweep": sweep,
            "watching": bool(sweep and sweep.running and visit.parameter("watch")),
            "state": "off" if not enabled else "active" if in_force else "not in force",
            "draining": [
                about_draining.state(rule, waiting, inventory.settings, visit.words)
                for rule, waiting in status.draining.items()
            ],
            "faults": [found.finding for found in inventory.faults],
            "mistakes": elsewhere,
        },
    )


def _mistakes(status: Status) -> tuple[list[tuple[TargetStatus, list[Finding]]], list[Finding]]:
    """Return the files that do not hold the rules, each with what is wrong in it, and what is wrong elsewhere.

    So that each is told once: where rules are lost, the files are as they are on purpose.
    """
    mistakes = [finding for finding in status.findings if finding.severity != Severity.NOTE]
    if any(finding.id == "rules-lost" for finding in mistakes):
        return [], mistakes
    outdated = {target.path: target for target in status.targets if target.outdated}
    files = [(target, [found for found in mistakes if found.path == path]) for path, target in outdated.items()]
    return files, [found for found in mistakes if found.path not in outdated]


def _now(
    status: Status, states: Mapping[str, State], held: HeldMail, trouble: MxBackupError | None, words: Lexicon
) -> Outlook:
    """What matters now. What is wrong beside the rules is told above them, and is no green either."""
    inventory = status.inventory
    errors = [not inventory.settings.enabled, *(finding.severity == Severity.ERROR for finding in status.findings)]
    besides = [
        Light.ERROR if any(errors) else Light.FINE,
        Light.FINE if status.sound else Light.WARNING,
    ]
    return outlook.outlook(
        [rule.name for rule in inventory.rules], states, held.summary, trouble, words, outlook.worst(besides)
    )


def new(visit: Visit) -> Page:
    """The form of a new rule."""
    return form(visit, Entries())


def edit(visit: Visit) -> Page | Redirect:
    """The form of a rule that there is."""
    name = visit.parameter("rule")
    try:
        stamp = changing.stamp(visit.context, name)  # taken first: a change in between is noticed when the form is sent
        return form(visit, Entries.of_rule(changing.get(visit.context, name), stamp))
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)


def removal(visit: Visit) -> Page | Redirect:
    """The question before rules, or records that hold none, are removed: once for all that are chosen."""
    try:
        found = removing.outlook(visit.context, visit.parameters.every("rule"))
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)
    if not found:
        return none_chosen(visit)
    return Page("remove.html", {"removals": [Leaving.of(each, visit.words) for each in found]})


def none_chosen(visit: Visit) -> Redirect:
    """Tell that no rule is chosen."""
    return Redirect(Notice(False, visit.words.text("Choose rules in the table first.")))


def examine(visit: Visit) -> Page | Redirect:
    """What the check of a rule finds."""
    try:
        rule = changing.get(visit.context, visit.parameter("rule"))
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)
    found = visit.check(visit.context, rule, visit.words)
    inventory = visit.context.inventory()
    waiting = mail.look(visit.context.host, inventory).of(rule.name)
    return Page(
        "check.html",
        {
            "rule": rule.name,
            "name": rules.shown(rule),
            "check": found,
            "limit": LIMIT,
            "lacks_list": knowing.lacks_list(visit.context, rule),
            "held": about_queue.held(waiting, visit.words) if waiting else "",
            "server": stepping.server(visit.context, inventory) or visit.words.text("SERVER"),
        },
    )


def found(visit: Visit) -> Page:
    """What the check behind a page has found so far, as a part of that page."""
    shown = look(visit.context, visit.parameter("check"), visit.words)
    return Page("found.html", {"name": "", "check": shown, "limit": LIMIT})


def form(visit: Visit, entries: Entries, error: InvalidInput | None = None) -> Page:
    """The form of a rule with these entries, and beside the field at fault what is wrong."""
    field = error.field.lower() if error else ""
    return Page(
        "form.html",
        {
            "entries": entries,
            "field": field,
            "reason": visit.words.error(error) if error else "",
            "simple": SIMPLE,
            "advanced": ADVANCED,
            "opened": any(field == prop.name or entries.properties[prop.name] != prop.default for prop in ADVANCED),
            "smarthost": visit.context.inventory().settings.smarthost,
            "qpsmtpd": visit.context.kind.tells_recipients_apart(),
        },
        status=422 if error else 200,
    )


PAGES: Mapping[str, Callable[[Visit], Page | Redirect]] = MappingProxyType(
    {
        "": front,
        "new": new,
        "edit": edit,
        "remove": removal,
        "check": examine,
        "found": found,
        "rule": details,
        "letter": letter,
        "address": address,
        "recipients": recipients,
        "next": after,
    }
)
