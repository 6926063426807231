# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real qmail-remote did, as tests/data has it: routes, a domain, the verdict, and the address mail went to."""

import json
from pathlib import Path
from typing import NotRequired, TypedDict

DATA = Path(__file__).parent / "data"


class Case(TypedDict):
    smtproutes: list[str]
    domain: str
    verdict: str
    to: NotRequired[str]


RECORDED: list[Case] = json.loads((DATA / "qmail-remote-cases.json").read_text())["cases"]
