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

from mxbackup import lexicon

# What the sentences hold and ISO-8859-1 does not.
_TYPED = {"’": "'", "“": '"', "”": '"'}
# What Python itself sets LC_CTYPE to where the C library does not know the locale (PEP 538).
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}


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
    codecs.register_error("mxbackup.typed", _typed)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="mxbackup.typed")
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
        return bytes([ord(char) - 0xDC00]), error.end
    return codecs.backslashreplace_errors(error)
