# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes after a rule is made: the line for the DNS, and the steps of the how-to."""

from dataclasses import dataclass

from mxbackup import rules
from mxbackup.errors import HostError, InvalidInput, UnknownRule
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.rules import Rule
from mxbackup.service import changing, knowing, stepping, writing
from mxbackup.words import about_steps


@dataclass(frozen=True)
class Line:
    """The MX records to add, empty where none can be told, and what to mind of them."""

    text: str = ""
    remarks: tuple[str, ...] = ()


def line(visit: Visit, rule: Rule) -> Line:
    """Return the line for the DNS of a rule, which need not be recorded yet."""
    from mxbackup.words import letter as about  # brings the DNS library

    try:
        found = writing.place(visit.context, rule)
    except HostError as error:
        return Line(remarks=(visit.words.error(error),))
    except OSError as error:
        return Line(remarks=(error.strerror or str(error),))
    remarks = list(about.about_records(found, visit.words))
    if not found.answered:
        remarks.append(visit.words.text("It must be greater than that of every primary: ask the owner."))
    return Line(about.to_add(found), tuple(remarks))


def after(visit: Visit) -> Page | Redirect:
    """What comes next for a rule that was just made."""
    context, words = visit.context, visit.words
    try:
        rule = changing.get(context, visit.parameter("rule"))
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)
    inventory = context.inventory()
    steps = stepping.look(context, inventory, rule)
    return Page(
        "next.html",
        {
            "rule": rule.name,
            "name": rules.shown(rule),
            "line": line(visit, rule),
            "lacks_list": knowing.lacks_list(context, rule),
            "steps": about_steps.steps(steps, rule.name, stepping.server(context, inventory), words),
        },
    )
