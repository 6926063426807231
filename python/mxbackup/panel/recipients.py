# SPDX-License-Identifier: GPL-2.0-or-later
"""The page with the list of a rule's recipients: to look at, to search, to paste into, to edit."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from mxbackup import rules
from mxbackup.errors import ChangedMeanwhile, InvalidInput, MxBackupError, UnknownRule
from mxbackup.panel.session import Notice
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.recipients.lists import BadLines
from mxbackup.rules import Recipients
from mxbackup.service import listing
from mxbackup.service.listing import ListChange

SHOWN = 200  # addresses; a form has fields for that many
EDITED = 5000  # addresses in a text that can be sent back
MISTAKES = 100  # that are told


@dataclass(frozen=True)
class Refusal:
    """What was sent and cannot be recorded: by which form, its text, and what is wrong with it."""

    form: str = ""
    text: str = ""
    reasons: tuple[str, ...] = ()
    status: int = 200

    @classmethod
    def of(cls, visit: Visit, error: MxBackupError) -> "Refusal":
        """Return what comes back with the page."""
        said = error.mistakes if isinstance(error, BadLines) else (error.message,)
        reasons = [visit.words.message(each) for each in said[:MISTAKES]]
        if len(said) > MISTAKES:
            reasons.append(visit.words.text("... and {count} more", count=len(said) - MISTAKES))
        status = 409 if isinstance(error, ChangedMeanwhile) else 422
        return cls(visit.parameter("do"), visit.parameter("addresses"), tuple(reasons), status)


NONE = Refusal()


def recipients(visit: Visit) -> Page | Redirect:
    """The list of a rule."""
    return _page(visit, NONE)


def add(visit: Visit) -> Page | Redirect:
    """Add what was pasted."""
    return _changed(visit, lambda name: listing.add(visit.context, name, visit.parameter("addresses")))


def replace(visit: Visit) -> Page | Redirect:
    """Make what was edited the whole list."""
    text, expected = visit.parameter("addresses"), visit.parameter("expected")
    return _changed(visit, lambda name: listing.replace(visit.context, name, text, expected=expected))


def remove(visit: Visit) -> Page | Redirect:
    """Take off what was chosen."""
    return _changed(visit, lambda name: listing.remove(visit.context, name, visit.parameters.every("address")))


def query(name: str, text: str = "") -> str:
    """Return the query of the page, with the text that the addresses shown must contain."""
    return "?" + urlencode({"page": "recipients", "rule": name, **({"q": text} if text else {})})


def _changed(visit: Visit, change: Callable[[str], ListChange]) -> Page | Redirect:
    name = visit.parameter("rule")
    try:
        done = change(name)
    except (InvalidInput, ChangedMeanwhile) as error:
        return _page(visit, Refusal.of(visit, error))
    except UnknownRule as error:
        return failed(visit, error)
    said = visit.words.text(
        "Recipients of {name}: {count}. Added: {added}, removed: {removed}.",
        name=rules.shown(done.rule),
        count=done.count,
        added=len(done.added),
        removed=len(done.removed),
    )
    return Redirect(Notice(True, said), query(name, visit.parameter("q")))


def _page(visit: Visit, refused: Refusal) -> Page | Redirect:
    try:
        found = listing.look(visit.context, visit.parameter("rule"))
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)
    text = visit.parameter("q").strip()
    matching = [address for address in found.addresses if text.lower() in address]
    edited = "\n".join(found.addresses) if len(found.addresses) <= EDITED else None
    return Page(
        "recipients.html",
        {
            "rule": found.rule.name,
            "name": rules.shown(found.rule),
            "counts": found.rule.recipients == Recipients.LIST,
            "apart": visit.context.kind.tells_recipients_apart(),
            "damaged": found.damaged,
            "count": len(found.addresses),
            "shown": matching[:SHOWN],
            "matching": len(matching),
            "text": text,
            "edited": edited,
            "limit": EDITED,
            "stamp": found.stamp,
            "refused": refused,
        },
        status=refused.status,
    )
