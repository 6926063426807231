# SPDX-License-Identifier: GPL-2.0-or-later
"""What matters now: the lights, and why they are not green."""

import time

import pytest

from mxbackup.errors import QueueError
from mxbackup.outage import Check, Contact, Outage, State
from mxbackup.queue import Held, Summary
from mxbackup.words import lexicon, outlook
from mxbackup.words.outlook import Concern, Light, Outlook, Reason

ENGLISH = lexicon.load("en-us")
NOW = int(time.time())
FINE = State(check=Check("fine"))
AWAY = State(contact=Contact.UNREACHABLE, check=Check("fine"), since=NOW - 3600, primary=("192.0.2.25:25",))


@pytest.mark.parametrize(
    ("state", "waits", "expected"),
    [
        (None, False, Light.UNCHECKED),
        (State(), False, Light.UNCHECKED),
        (FINE, False, Light.FINE),
        (FINE, True, Light.WARNING),
        (State(check=Check("warning")), False, Light.WARNING),
        (State(check=Check("error", ("nat",))), False, Light.ERROR),
        (AWAY, False, Light.ERROR),
        (State(contact=Contact.REFUSES), True, Light.ERROR),
        (State(contact=Contact.ANSWERS, outage=Outage(1, back=2), check=Check("fine")), False, Light.WARNING),
        (None, True, Light.WARNING),
    ],
)
def test_only_what_was_checked_and_is_fine_is_green(state: State | None, waits: bool, expected: Light) -> None:
    assert outlook.light(state, waits=waits) == expected


def held(*names: str) -> Summary:
    rules = tuple(Held(name, 7, 7, 700, NOW - 9 * 3600, None, NOW, "") for name in names)
    return Summary(rules, messages=7 * len(rules))


@pytest.mark.parametrize(
    ("states", "waiting", "expected"),
    [
        ({}, held(), Outlook(Light.FINE)),
        (
            {"a.com": FINE},
            held(),
            Outlook(Light.FINE, (Reason("All is well: every primary can be reached, and no mail waits."),)),
        ),
        (
            {"a.com": AWAY, "b.com": AWAY, "c.com": State(contact=Contact.REFUSES), "d.com": FINE},
            held("a.com", "c.com"),
            Outlook(
                Light.ERROR,
                (
                    Reason("Primaries that cannot be reached or refuse mail: 2.", Concern.AWAY),
                    Reason("Messages that wait: 14, the oldest since 9 h.", Concern.HELD),
                ),
            ),
        ),
        (
            {"a.com": State(check=Check("error", ("nat",))), "b.com": None, "c.com": State(check=Check("warning"))},
            held(),
            Outlook(
                Light.ERROR,
                (
                    Reason("Rules with errors: 1.", Concern.ERROR),
                    Reason("Rules with warnings: 1.", Concern.WARNING),
                    Reason("Rules not checked yet: 1.", Concern.UNCHECKED),
                ),
            ),
        ),
    ],
)
def test_what_matters_now(states: dict[str, State | None], waiting: Summary, expected: Outlook) -> None:
    known = {name: state for name, state in states.items() if state}
    assert outlook.outlook(states, known, waiting, None, ENGLISH) == expected


def test_what_is_not_known_is_no_green() -> None:
    trouble = QueueError("The mail queue {path} cannot be read: {reason}.", path="/q", reason="no")
    found = outlook.outlook(["a.com"], {"a.com": FINE}, Summary(), trouble, ENGLISH)
    assert found == Outlook(Light.WARNING, (Reason("The mail queue /q cannot be read: no."),))


def test_what_is_wrong_beside_the_rules_is_no_green() -> None:
    assert outlook.outlook(["a.com"], {"a.com": FINE}, Summary(), None, ENGLISH, Light.ERROR) == Outlook(Light.ERROR)


def test_mail_of_removed_rules_alone_is_told_and_concerns_no_rule() -> None:
    found = outlook.outlook(["a.com"], {"a.com": FINE}, held("gone.com"), None, ENGLISH)
    assert found.reasons == (Reason("Messages that wait: 7, the oldest since 9 h."),)
