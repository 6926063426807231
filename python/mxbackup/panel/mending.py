# SPDX-License-Identifier: GPL-2.0-or-later
"""What an administrator can do here and now about what a check found: a button or a link instead of a command."""

from collections.abc import Mapping
from dataclasses import dataclass

from mxbackup.errors import Message, Sentence


@dataclass(frozen=True)
class Mending:
    """`do` is the change that the button asks for, or `page` the page that the link leads to.

    `advice` is said instead of the finding's own, which names a command. `value` is the parameter of the finding that
    the change takes.
    """

    label: Sentence
    do: str = ""
    page: str = ""
    advice: Sentence | None = None
    value: str = ""

    def fits(self, parameters: Mapping[str, object]) -> bool:
        """Whether the finding has what the change takes."""
        return not self.value or bool(parameters.get(self.value))


_ENFORCE = Mending("Put the rules into force again", do="enable", advice="")
_ADDRESS = Mending("Public address of this server", page="address")
_LETTER = Mending("What its owner has to do", page="letter")
_REMOVE = Mending("Remove the rule", page="remove")
_ROUTE = Mending("Set the route", page="edit")
_PRIMARYS_ROUTE: Sentence = "See to the other findings, or set the primary's address as route."

# By the code of the finding.
MENDINGS: Mapping[str, tuple[Mending, ...]] = {
    "disabled": (Mending("Enable MX backup", do="enable", advice=""),),
    "not-in-force": (_ENFORCE,),
    "routes-stale": (_ENFORCE,),
    "plugin": (Mending("Have qpsmtpd ask our plugin", do="plugin", advice=""),),
    "not-mx": (
        Mending(
            "What its owner has to do",
            page="letter",
            advice="Have an MX record with this server's name and a higher preference number than the primary's added. "
            "Behind NAT, state the public address.",
        ),
        _ADDRESS,
    ),
    "bad-public-address": (Mending("Public address of this server", page="address", advice="State it again."),),
    "nat": (
        Mending(
            "Set the route to {primary}",
            do="route",
            value="primary",
            advice="Set the route to the primary, which no MX record changes then.",
        ),
        Mending("Set the route", page="edit", advice="Set the route to the primary, which no MX record changes then."),
    ),
    "proxy-interfaces": (_ADDRESS,),
    "no-address": (
        Mending("Set the route", page="edit", advice="Give the primary an A record, or set its address as route."),
    ),
    "qmail-differs": (
        Mending(
            "Set the route", page="edit", advice="Set the primary's address as route, which makes all do the same."
        ),
    ),
    "by-chance": (
        Mending(
            "Set the route",
            page="edit",
            advice="Give this server a higher preference number than the primary's, "
            "or set the primary's address as route.",
        ),
    ),
    "bounce": (Mending("Set the route", page="edit", advice=_PRIMARYS_ROUTE),),
    "loop": (_ROUTE,),
    "mx-lookup-failed": (_ROUTE,),
    "ipv6-only": (_ROUTE,),
    "smarthost": (Mending("Go around the smart host", do="bypass", advice="Let the rule go around the smart host."),),
    "null-mx": (_REMOVE,),
    "local-domain": (_REMOVE,),
    "only-mx": (_LETTER,),
    "best-mx": (_LETTER,),
    "equal-mx": (_LETTER,),
    "primary-refuses": (_LETTER,),
    "primary-defers": (_LETTER,),
    "mta-sts": (_LETTER,),
    "not-checked": (Mending("Check again", do="check", advice=""),),
}


def advice(code: str, remedy: Message) -> Message:
    """Return what is said beside the buttons of a finding: its own remedy, unless that names a command."""
    said = next((mending.advice for mending in MENDINGS.get(code, ()) if mending.advice is not None), None)
    return remedy if said is None else Message(said, **remedy.parameters)
