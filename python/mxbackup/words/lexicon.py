# SPDX-License-Identifier: GPL-2.0-or-later
"""What the program says, in the user's language: gettext catalogues, whose keys are the English sentences."""

import gettext
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mxbackup.errors import Finding, Message, MxBackupError, Sentence

DOMAIN = "mxbackup"
CATALOGUES = Path(__file__).parents[1] / "locale"
FALLBACK = "en-us"
# What glibc and musl say of the errors that an administrator meets, and SQLite of its files.
SYSTEM_REASONS: frozenset[Sentence] = frozenset(
    {
        "Address already in use",
        "Address family not supported by protocol",
        "Address in use",
        "Address not available",
        "Broken pipe",
        "Cannot allocate memory",
        "Cannot assign requested address",
        "Connection refused",
        "Connection reset by peer",
        "Connection timed out",
        "Device or resource busy",
        "Directory not empty",
        "Disk quota exceeded",
        "Exec format error",
        "File exists",
        "File name too long",
        "File too large",
        "Filename too long",
        "Host is unreachable",
        "I/O error",
        "Input/output error",
        "Invalid argument",
        "Is a directory",
        "Name does not resolve",
        "Name or service not known",
        "Network is unreachable",
        "Network unreachable",
        "No file descriptors available",
        "No route to host",
        "No space left on device",
        "No such file or directory",
        "Not a directory",
        "Operation not permitted",
        "Operation timed out",
        "Out of memory",
        "Permission denied",
        "Quota exceeded",
        "Read-only file system",
        "Resource busy",
        "Resource temporarily unavailable",
        "Symbolic link loop",
        "Temporary failure in name resolution",
        "Text file busy",
        "Too many levels of symbolic links",
        "Too many open files",
        "Try again",
        "attempt to write a readonly database",
        "database disk image is malformed",
        "database is locked",
        "database or disk is full",
        "disk I/O error",
        "file is not a database",
        "timed out",
        "unable to open database file",
    }
)


@dataclass(frozen=True)
class Lexicon:
    """The sentences of one language; what is not in its catalogue is said in English."""

    language: str = FALLBACK
    catalogue: gettext.NullTranslations = field(default_factory=gettext.NullTranslations)

    def text(self, sentence: Sentence, /, **parameters: object) -> str:
        """Return the sentence in this language, with the placeholders filled in."""
        return self.catalogue.gettext(sentence).format(**{key: self._said(parameters[key]) for key in parameters})

    def _said(self, value: object) -> object:
        match value:
            case Message():
                return self.message(value)
            case MxBackupError():
                return self.error(value)
            case Finding():
                return self.finding(value)
            case Exception():
                return self._said(getattr(value, "strerror", None) or str(value))
            case str() if value in SYSTEM_REASONS:
                return self.catalogue.gettext(value)
        return value

    def message(self, message: Message) -> str:
        """Return a message in this language."""
        return self.text(message.sentence, **message.parameters)

    def error(self, error: MxBackupError) -> str:
        """Return what an error says, in this language."""
        return self.message(error.message)

    def finding(self, finding: Finding) -> str:
        """Return what was found and what to do about it, in this language."""
        return " ".join(map(self.message, finding.messages))


@cache
def load(language: str) -> Lexicon:
    """Return the lexicon of one of `languages()`, or English."""
    if language not in languages()[1:]:
        return Lexicon()
    return Lexicon(language, gettext.translation(DOMAIN, CATALOGUES, [language]))


def languages() -> tuple[str, ...]:
    """Return English and every language that has a catalogue."""
    return (FALLBACK, *sorted(path.parts[-3] for path in CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")))


def bind() -> None:
    """Make the catalogues those of the whole process: click asks `gettext` itself, as the environment has it."""
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "C")
    if locale.partition(".")[0] in ("C", "POSIX"):
        os.environ.pop("LANGUAGE", None)  # means nothing there, says GNU's manual of gettext; Python's reads it
    gettext.bindtextdomain(DOMAIN, str(CATALOGUES))
    gettext.textdomain(DOMAIN)


def language_of_environment() -> str:
    """Return the language that LANGUAGE, LC_ALL, LC_MESSAGES or LANG ask for, as gettext orders them."""
    return _language_found(gettext.find(DOMAIN, CATALOGUES))


def language_of(locale: str) -> str:
    """Return the language that a locale such as `fr_CA.UTF-8` asks for."""
    return _language_found(gettext.find(DOMAIN, CATALOGUES, [locale]))


def _language_found(catalogue: str | None) -> str:
    return Path(catalogue).parts[-3] if catalogue else FALLBACK
