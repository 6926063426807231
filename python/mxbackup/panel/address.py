# SPDX-License-Identifier: GPL-2.0-or-later
"""The page on which the public address of this server is looked at and stated (NAT)."""

from urllib.parse import quote

from mxbackup.errors import ChangedMeanwhile, InvalidInput
from mxbackup.panel.session import Notice
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.words import about_addresses

QUERY = "?page=address"


def address(visit: Visit) -> Page:
    """Which addresses this server has, and which lead here."""
    return _page(visit)


def state(visit: Visit) -> Page | Redirect:
    """Record the public address; an empty one clears it. Lead to the check of the rule that it was asked for from."""
    from mxbackup.service import addressing

    given, expected = (visit.parameter(name).replace(",", " ").split() for name in ("addresses", "expected"))
    try:
        addressing.state(visit.context, given, expected=expected)
    except InvalidInput as error:
        return _page(visit, error)
    except ChangedMeanwhile as error:
        return failed(visit, error, QUERY)
    said = about_addresses.recorded(addressing.look(visit.context).stated, visit.words)
    rule = visit.parameter("rule")
    return Redirect(Notice(True, said), f"?page=check&rule={quote(rule)}" if rule else QUERY)


def _page(visit: Visit, error: InvalidInput | None = None) -> Page:
    from mxbackup.service import addressing  # brings what only this page needs

    found = addressing.look(visit.context)
    return Page(
        "address.html",
        {
            "rule": visit.parameter("rule"),
            "interfaces": found.interfaces,
            "stated": found.stated,
            "belief": about_addresses.belief(found.public, stated=found.told, words=visit.words),
            "known": bool(found.public),
            "typed": visit.parameter("addresses") if error else " ".join(found.stated),
            "expected": visit.parameter("expected") if error else " ".join(found.stated),
            "reason": visit.words.error(error) if error else "",
        },
        status=422 if error else 200,
    )
