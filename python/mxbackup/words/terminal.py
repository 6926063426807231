# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal of an administrator: its charset, and the language of what is said there.

The locale's variables decide, not the C library: musl takes every locale for UTF-8, and the shells of an SME
Server before April 2008 are ISO-8859-1. Databases are UTF-8 everywhere.
"""

import codecs
import io
import locale
import os
import shutil
import sys
from enum import IntEnum
from typing import TextIO

from mxbackup.esmith import printable
from mxbackup.words import lexicon

# What the sentences hold and ISO-8859-1 does not.
_TYPED = {"’": "'", "“": '"', "”": '"', "„": '"', "…": "..."}
# What Python itself sets LC_CTYPE to where the C library does not know the locale (PEP 538).
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}


class Colour(IntEnum):
    """Colours of a text, by the parameter that begins them (ECMA-48, SGR)."""

    RED = 31
    GREEN = 32
    YELLOW = 33


class Output(io.TextIOWrapper):
    """A stream to a terminal, on which nothing that others wrote moves the cursor, turns the text or colours it."""

    def write(self, text: str) -> int:
        """Write a text, made printable; returns its length."""
        super().write(printable.lines(printable.legible(text)))
        return len(text)

    def paint(self, text: str, colour: Colour) -> None:
        """Write a text in a colour of our own."""
        super().write(f"\x1b[{colour.value}m{printable.lines(text)}\x1b[0m")


class Line:
    """The last line of a terminal, which is replaced by what is shown next and ends as if it had never been."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = drawing(stream)

    def show(self, text: str) -> None:
        """Show a text, as much of it as fits."""
        self._draw(printable.line(text)[: shutil.get_terminal_size().columns - 1])

    def above(self, text: str) -> None:
        """Let a text stand above the line."""
        self._draw(f"{printable.line(text)}\n")

    def clear(self) -> None:
        """Show nothing any more."""
        self._draw("")

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()


def understands(stream: TextIO) -> bool:
    """Whether a stream leads to a terminal that takes escape sequences."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def paint(text: str, colour: Colour | None) -> None:
    """Write a line to stdout, in a colour where the terminal has any, and NO_COLOR is not set (https://no-color.org)."""
    stream = sys.stdout
    if colour and isinstance(stream, Output) and understands(stream) and not os.environ.get("NO_COLOR"):
        stream.paint(text, colour)
        text = ""
    stream.write(f"{text}\n")


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
    """Write what the terminal's charset lacks as typewriters do, or escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    error.end = error.start + 1
    char = error.object[error.start]
    if char in _TYPED:
        return _TYPED[char], error.end
    return codecs.backslashreplace_errors(error)


codecs.register_error("mxbackup.typed", _typed)
