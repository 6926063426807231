# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page of a check offers to do about a finding: each code, change and page is there."""

import pytest

import mxbackup.check.findings  # noqa: F401 - declares what can be found
from mxbackup.errors import FindingKind, Message
from mxbackup.panel import mending
from mxbackup.panel.changes import CHANGES
from mxbackup.panel.mending import MENDINGS
from mxbackup.panel.pages import PAGES


@pytest.mark.parametrize("code", MENDINGS)
def test_each_code_can_be_found_and_each_way_exists(code: str) -> None:
    kinds = [kind for kind in FindingKind.registered if kind.id == code]
    assert kinds
    for way in MENDINGS[code]:
        assert way.do in CHANGES if way.do else way.page in PAGES
        assert not way.value or all(f"{{{way.value}}}" in kind.sentence + kind.remedy for kind in kinds)


@pytest.mark.parametrize("code", MENDINGS)
def test_where_there_is_a_button_no_command_is_named(code: str) -> None:
    for kind in FindingKind.registered:
        if kind.id == code:
            said = mending.advice(code, Message(kind.remedy)).sentence
            assert not any(word in said for word in ("mxbackup ", "Run:", "{command}", "{stating}"))
