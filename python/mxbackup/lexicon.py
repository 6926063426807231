# SPDX-License-Identifier: GPL-2.0-or-later
"""Translations, from e-smith XML lexicons. The English sentence is the key of its translation."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from mxbackup.errors import MxBackupError

FALLBACK = "en-us"
LANGUAGES = (FALLBACK, "fr")
# What glibc and musl say of the errors that an administrator meets most.
SYSTEM_REASONS = frozenset(
    {
        "Connection refused",
        "Connection reset by peer",
        "Connection timed out",
        "Host is unreachable",
        "I/O error",
        "Input/output error",
        "Is a directory",
        "Network is unreachable",
        "Network unreachable",
        "No route to host",
        "No space left on device",
        "No such file or directory",
        "Not a directory",
        "Operation not permitted",
        "Operation timed out",
        "Permission denied",
        "Read-only file system",
        "timed out",
    }
)


@dataclass(frozen=True)
class Lexicon:
    """The sentences of one language; what is not in it is said in English."""

    language: str = FALLBACK
    entries: Mapping[str, str] = field(default_factory=dict)

    def text(self, template: str, /, **params: object) -> str:
        """Return the sentence in this language, with the placeholders filled in."""
        return self.entries.get(template, template).format(**{key: self._said(params[key]) for key in params})

    def _said(self, value: object) -> object:
        if isinstance(value, MxBackupError):
            return self.error(value)
        return self.entries.get(value, value) if isinstance(value, str) and value in SYSTEM_REASONS else value

    def error(self, error: MxBackupError) -> str:
        """Return what an error says, in this language."""
        return self.text(error.template, **error.params)


@cache
def load(language: str) -> Lexicon:
    """Return the lexicon of one of LANGUAGES, or English."""
    if language not in LANGUAGES or language == FALLBACK:
        return Lexicon()
    return Lexicon(language, parse(resources.files("mxbackup").joinpath(f"locale/{language}.xml").read_bytes()))


def parse(content: bytes) -> dict[str, str]:
    """Return the entries of an e-smith lexicon: `<entry><base>KEY</base><trans>text</trans></entry>`."""
    from xml.etree import ElementTree  # the packaged lexicons are ours, not a stranger's

    root = ElementTree.fromstring(content)  # noqa: S314
    return {entry.findtext("base", ""): entry.findtext("trans", "") for entry in root.iter("entry")}


def language_of_environment() -> str:
    """Return the language that LC_ALL, LC_MESSAGES or LANG ask for, as locale(7) orders them."""
    return language_of(next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "") or "")


def language_of(locale: str) -> str:
    """Return the one of LANGUAGES that a locale such as `fr_FR.UTF-8` asks for."""
    return "fr" if locale.startswith("fr") else FALLBACK
