# SPDX-License-Identifier: GPL-2.0-or-later
"""Our share of a file: the lines between two comments. How they are found again, and replaced."""

import re

from mxbackup.errors import HostError

BEGIN = "# BEGIN mxbackup: rules of the domains database"
END = "# END mxbackup"

_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n(.*?)^{re.escape(END)}$", re.MULTILINE | re.DOTALL)


def inside(text: str) -> str:
    """Return the lines that stand between our comments in a file, wherever these are whole."""
    return "".join(_BLOCK.findall(text))


def replace(content: str, block: str) -> str:
    """Return the content with `block` in the place of ours, or at its end; every other line is as it was.

    An empty block takes ours out. Raises HostError when our two comments do not stand there once each, in order.
    """
    lines = content.split("\n")
    begins = [at for at, line in enumerate(lines) if line.rstrip() == BEGIN]
    ends = [at for at, line in enumerate(lines) if line.rstrip() == END]
    if not begins and not ends:
        gap = "\n" if block and content and not content.endswith("\n") else ""
        return content + gap + block
    if len(begins) != 1 or len(ends) != 1 or begins > ends:
        raise HostError(
            'The lines "{begin}" and "{end}" must stand there once each, in this order, and do not. '
            "Take them out by hand, and our rules between them.",
            begin=BEGIN,
            end=END,
        )
    return "".join(line + "\n" for line in lines[: begins[0]]) + block + "\n".join(lines[ends[0] + 1 :])
