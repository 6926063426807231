# SPDX-License-Identifier: GPL-2.0-or-later
"""The page about the record of a rule is what the table of properties says now."""

from pathlib import Path

import pytest

from tests.scratch import run_python
from tools import record

TOOL = Path(record.__file__)
DOCS = TOOL.parents[1] / "docs"


@pytest.mark.parametrize(("language", "page"), [("C", "record.md"), ("fr", "record.fr.md")])
def test_the_page_is_up_to_date(language: str, page: str) -> None:
    done = run_python(str(TOOL), environment={"LC_ALL": language})
    assert (done.returncode, done.stderr) == (0, "")
    assert (DOCS / page).read_text() == done.stdout, "run: make words"
