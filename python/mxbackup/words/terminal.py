# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal of an administrator: its charset, and the language of what is said there.

The locale's variables decide, not the C library: musl takes every locale for UTF-8, and the shells of an SME
Server before April 2008 are ISO-8859-1. Databases are UTF-8 everywhere.
"""

import codecs
import io
import locale
import os
import sys
from typing import TextIO

from mxbackup.esmith import printable
from mxbackup.words import lexicon

# What the sentences hold and ISO-8859-1 does not.
_TYPED = {"’": "'", "“": '"', "”": '"', "„": '"', "…": "..."}
# What Python itself sets LC_CTYPE to where the C library does not know the locale (PEP 538).
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}


class Output(io.TextIOWrapper):
    """A stream to a terminal, on which nothing that others wrote moves the cursor or turns the text."""

    def write(self, text: str) -> int:
        """Write a text, made printable; returns its length."""
        super().write(printable.lines(text))
        return len(text)


def drawing(stream: TextIO) -> TextIO:
    """Return the stream behind an Output, for what moves the cursor itself: a progress bar."""
    if not isinstance(stream, Output):
        return stream
    stream.flush()
    return open(stream.fileno(), "w", encoding=stream.encoding, errors=stream.errors, closefd=False)


def charset() -> str:
    """Return the charset that LC_ALL, LC_CTYPE or LANG ask for, as locale(7) orders them; else utf-8."""
    variables = [os.environ.get("LC_ALL"), os.environ.get("LC_CTYPE"), os.environ.get("LANG")]
    if variables[1] in _COERCED:
        del variables[1]
    asked = next(filter(None, variables), "")
    try:
        return codecs.lookup(locale.normalize(asked).partition(".")[2] or "utf-8").name
    except LookupError:
        return "utf-8"


def take_up() -> None:
    """Make the process talk as its terminal does, click and its words included."""
    encoding = charset()
    sys.argv = [os.fsencode(argument).decode(encoding, "surrogateescape") for argument in sys.argv]
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            buffered = stream.line_buffering
            setattr(sys, name, Output(stream.detach(), encoding, "mxbackup.typed", line_buffering=buffered))
    lexicon.bind()


def path(argument: str) -> str:
    """Return the file's path that an argument means: its bytes as they were typed."""
    return os.fsdecode(argument.encode(charset(), "surrogateescape"))


def _typed(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write what the terminal's charset lacks as typewriters do, or escaped; bytes that are no UTF-8 as they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    error.end = error.start + 1
    char = error.object[error.start]
    if char in _TYPED:
        return _TYPED[char], error.end
    if error.encoding != "utf-8" and "\udca0" <= char <= "\udcff":  # written by a shell of this charset
        byte = bytes([ord(char) - 0xDC00])
        if printable.lines(meant := byte.decode(error.encoding, "replace")) == meant:
            return byte, error.end
    return codecs.backslashreplace_errors(error)


codecs.register_error("mxbackup.typed", _typed)
