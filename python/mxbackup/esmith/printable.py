# SPDX-License-Identifier: GPL-2.0-or-later
"""What may reach a terminal or a log: the one place that says which characters may not.

Those that move a cursor, begin an escape sequence or a line, or turn the order of what is read: the controls of
ASCII and ISO 8859 (C0, DEL, C1), the bidirectional controls of Unicode (UAX #9) and its separators of lines and
paragraphs. They are shown as JSON writes them, `\\u202e`, so that JSON stays what it was.
"""

import re

_TURNING = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_IN_LINES = f"[\0-\x08\x0b-\x1f\x7f-\x9f{_TURNING}]"
_IN_A_LINE = f"[\0-\x1f\x7f-\x9f{_TURNING}\ud800-\udfff]"


def legible(text: str) -> str:
    """Return a text in which bytes that are no UTF-8, as Python reads them, are the characters they were meant for.

    An SME of before April 2008 wrote them, in ISO-8859-1.
    """
    return text if text.isascii() else re.sub("[\udc80-\udcff]", lambda found: chr(ord(found[0]) - 0xDC00), text)


def line(text: str) -> str:
    """Return a text that others wrote as it may stand within one line."""
    return _escape(_IN_A_LINE, text)


def lines(text: str) -> str:
    """Return lines as they may be shown. Halves of surrogate pairs are left to the charset they are written in."""
    return _escape(_IN_LINES, text)


def _escape(unwanted: str, text: str) -> str:
    """Compiling a pattern takes long, and most that is said is plain."""
    plain = text.isascii() and text.replace("\n", "").isprintable() and (unwanted is _IN_LINES or "\n" not in text)
    return text if plain else re.sub(unwanted, _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
