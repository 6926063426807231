# SPDX-License-Identifier: GPL-2.0-or-later
"""What e-smith's own templates and panels make of records of ours is told, and is no fault."""

from pathlib import Path

import pytest

from mxbackup.rules import Kind, Rule, RuleSet
from mxbackup.rules.names import Name
from mxbackup.targets.lint import neighbours
from tests.conftest import Run
from tests.scratch import Scratch

RULES = RuleSet([Rule(Name("dupontnet.com")), Rule(Name("www.martin.fr"), kind=Kind.HOST)])
ETRN = (
    "/usr/bin/fetchmail --fetchdomains durantcom.net,Dupontnet.com,www.martin.fr --timeout 300 "
    "--proto etrn mail.provider.net\n"
)
PSEUDONYMS = """\
# a comment
info@dupontnet.com=pseudonym|Account|admin
Jean@a.DupontNet.com=pseudonym|Account|jean
jo@martin.fr=pseudonym|Account|jo
jo=pseudonym|Account|jo
jo@www.martin.fr=user|Uid|5000
"""


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({neighbours.FETCHMAIL: ETRN}, [("fetched", {"count": 2, "first": "dupontnet.com", "path": None})]),
        ({neighbours.FETCHMAIL: ETRN.replace("upont", "urand").replace("www.", "")}, []),
        ({neighbours.FETCHMAIL: "# nothing\n"}, []),
        (
            {neighbours.ACCOUNTS: PSEUDONYMS},
            [
                ("pseudonym-of-rule", {"address": "info@dupontnet.com", "name": "dupontnet.com", "path": None}),
                ("pseudonym-of-rule", {"address": "jean@a.dupontnet.com", "name": "dupontnet.com", "path": None}),
            ],
        ),
    ],
)
def test_what_is_made_of_rules(texts: dict[Path, str], found: list[object]) -> None:
    assert [(one.id, {**one.parameters, "path": None}) for one in neighbours.lint(texts, RULES)] == found


def test_status_tells_it(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    server.write("/etc/fetchmail", ETRN)
    server.database("accounts", "info@dupontnet.com=pseudonym|Account|admin")
    said = mxbackup("status")[1]
    assert "note: /etc/fetchmail: e-smith asks the provider by ETRN" in said
    assert "accounts: Mail for the pseudonym info@dupontnet.com stays here" in said
