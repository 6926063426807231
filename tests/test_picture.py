# SPDX-License-Identifier: GPL-2.0-or-later
"""The moving picture of the demo."""

import re
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from tools import picture

TOP = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def texts(source: str) -> list[tuple[str | None, str | None]]:
    return [(text.get("class"), text.text) for text in ElementTree.fromstring(source).iter(f"{SVG}text")]


def test_how_lines_look_and_how_long_they_last() -> None:
    output = f"\n\x1b[1mA server:\x1b[0m\n\n# mxbackup status\nMX <backup>\n{'word ' * 30}\n\x1b[1m{picture.PANEL}"
    assert [(line.look, line.text.strip(), line.lasts) for line in picture.lines(output)] == [
        ("heading", "A server:", picture.HEADING),
        ("output", "", picture.OUTPUT),
        ("command", "# mxbackup status", picture.COMMAND),
        ("output", "MX <backup>", picture.OUTPUT),
        ("output", " ".join(["word"] * 19), 0.0),
        ("output", " ".join(["word"] * 11), picture.OUTPUT),
    ]


@given(st.text())
@settings(max_examples=50)
def test_any_output_makes_a_picture_that_says_it(output: str) -> None:
    shown = [(line.look, line.text) for line in picture.lines(output) if line.text.strip()]
    assert texts(picture.picture(output)) == shown


def test_the_picture_in_the_manual_is_that_of_the_demo() -> None:
    """And small, and no place of the machine that made it is in it."""
    made = (TOP / "docs/screenshots/demo.svg").read_text()
    said = " ".join(text or "" for _, text in texts(made))
    demo = (TOP / "sandbox/demo").read_text()
    wanted = [*re.findall(r"^say '(.*)'$", demo, re.MULTILINE)[:-1], "250 2.1.5 Recipient accepted."]
    assert len(wanted) == 5
    for words in wanted:
        assert re.search(re.sub(r"\\? +", r"\\s+", re.escape(words)), said)
    assert len(made) < 100_000
    assert str(TOP) not in made
    assert "<script" not in made
