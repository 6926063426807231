# SPDX-License-Identifier: GPL-2.0-or-later
"""Why an internationalised name cannot be one, from the codes of the library idna (RFC 5891, RFC 5893, UTS 46)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mxbackup.errors import Message, Sentence

if TYPE_CHECKING:
    import idna

_HYPHENS: Sentence = "hyphens stand where names may have none"
_NO_CODE: Sentence = "what follows xn-- is no encoded name"
_REASONS: Mapping[str | None, Sentence] = {
    "contextj": "{char} may not stand in this place",
    "contexto": "{char} may not stand in this place",
    "leading_combiner": "it begins with the accent of a letter that is missing",
    "hyphen_3_4": _HYPHENS,
    "hyphen_start_end": _HYPHENS,
    "label_too_long": "it is too long",
    "domain_too_long": "it is too long",
    "input_too_long": "it is too long",
    "empty_label": "a part of it is empty",
    "empty_domain": "a part of it is empty",
    "invalid_alabel": _NO_CODE,
    "invalid_ascii": _NO_CODE,
    "non_canonical_alabel": _NO_CODE,
}


def reason(error: "idna.IDNAError") -> Message:
    """Return what is wrong with the name that the library refused."""
    if found := _REASONS.get(error.code):
        return Message(found, char=_shown(error.codepoint))
    if (error.code or "").startswith("bidi"):
        return Message("it mixes writing from left to right and from right to left")
    if error.codepoint is not None:
        return Message("names may not hold {char}", char=_shown(error.codepoint))
    return Message("it breaks the rules of IDNA")


def _shown(codepoint: int | None) -> str:
    """Return a character as Unicode names it, and itself where it can be seen."""
    if codepoint is None:
        return ""
    number = f"U+{codepoint:04X}"
    return f"{chr(codepoint)} ({number})" if chr(codepoint).isprintable() and codepoint > ord(" ") else number
