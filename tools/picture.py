#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Print the output of sandbox/demo as a moving picture (SVG, without a script), at a pace that can be read.

usage: tools/picture.py FILE > docs/screenshots/demo.svg

What the demo does in the panel is on the screenshots: its part of the output is left out.
"""

import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2

TEMPLATE = Path(__file__).with_name("picture.svg.j2")
COLUMNS, ROWS = 96, 28
HEADING, COMMAND, OUTPUT, END = 1.5, 1.0, 0.15, 5.0  # seconds that a line stays the last one
BOLD = re.compile(r"\x1b\[1m(.*)\x1b\[0m")
PANEL = "The server-manager, with the panel."


@dataclass(frozen=True)
class Line:
    """A line of the screen: what it says, how it looks, and for how many seconds it is the last one."""

    text: str
    look: str
    lasts: float


def lines(output: str) -> Iterator[Line]:
    """Yield the lines of the screen, broken at its width."""
    for line in output.split(f"\x1b[1m{PANEL}")[0].strip().splitlines():
        if heading := BOLD.fullmatch(line):
            text, look, lasts = heading[1], "heading", HEADING
        elif line.startswith("# ") and not line.startswith(("# BEGIN", "# END")):
            text, look, lasts = line, "command", COMMAND
        else:
            text, look, lasts = line, "output", OUTPUT
        text = re.sub(r"[^ -~\xa0-\uffff]", "", text)
        broken = textwrap.wrap(text, COLUMNS, subsequent_indent="    ", drop_whitespace=False) or [""]
        yield from (Line(part, look, 0.0) for part in broken[:-1])
        yield Line(broken[-1], look, lasts)


def picture(output: str) -> str:
    """Return the picture."""
    shown = list(lines(output))
    duration = sum(line.lasts for line in shown) + END
    past, steps = 0.0, []
    for count, line in enumerate(shown, start=1):
        if line.lasts:
            steps.append((100 * past / duration, count))
            past += line.lasts
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    facts = {"lines": shown, "steps": steps, "duration": round(duration, 1), "columns": COLUMNS, "rows": ROWS}
    return environment.from_string(TEMPLATE.read_text()).render(facts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(picture(Path(sys.argv[1]).read_text()))
