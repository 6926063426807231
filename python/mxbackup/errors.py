# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user is told: errors, which are raised, and findings, which checks of names and files collect.

Each says it in an English sentence, which is also the key of its translation, and the values to fill in: what is wrong
and what would be right. Faces translate and print; nobody else does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

# An English sentence that a user may be told. `make words` takes every text that is given where one is declared
# into the catalogues: parameters, fields, tables and variables of this type.
Sentence = str


@dataclass(frozen=True, init=False)
class Message:
    """A sentence with `{placeholders}`, and their values, which may be messages, errors and findings themselves."""

    sentence: Sentence
    parameters: Mapping[str, object]

    def __init__(self, sentence: Sentence, /, **parameters: object) -> None:
        object.__setattr__(self, "sentence", sentence)
        object.__setattr__(self, "parameters", parameters)

    def __str__(self) -> str:
        return self.sentence.format(**self.parameters)


class Severity(StrEnum):
    """How bad it is: mail is lost, refused, or accepted from strangers; it may come to that; or good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class FindingKind:
    """What can be found: declared once, in the module that looks for it. The manual lists all that are declared.

    `id` is stable; the same trouble in other words is another kind of the same id. `milder` is the severity where it
    does less harm. `source` names what says so: an RFC, a page of a manual, a file of a program.
    """

    id: str
    severity: Severity
    sentence: Sentence
    remedy: Sentence = ""
    source: str = ""
    milder: Severity | None = None
    registered: ClassVar[list["FindingKind"]] = []

    def __post_init__(self) -> None:
        self.registered.append(self)

    def found(
        self, path: Path | None = None, lines: tuple[int, ...] = (), *, mild: bool = False, **parameters: object
    ) -> "Finding":
        """Return that this was found, in a file and its lines, if it is about one. {path} in sentences is that file."""
        severity = self.milder if mild and self.milder else self.severity
        return Finding(self, severity, {"path": path, **parameters} if path else parameters, path, lines)


@dataclass(frozen=True)
class Finding:
    """One thing found. The lines of the file count from 1; none are named when it is the file."""

    kind: FindingKind
    severity: Severity
    parameters: Mapping[str, object]
    path: Path | None = None
    lines: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.messages))

    @property
    def id(self) -> str:
        """The stable name of what was found."""
        return self.kind.id

    @property
    def message(self) -> Message:
        """What is wrong."""
        return Message(self.kind.sentence, **self.parameters)

    @property
    def remedy(self) -> Message:
        """What to do about it; empty when the message says that."""
        return Message(self.kind.remedy, **self.parameters)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The message, and the remedy if there is one."""
        return (self.message, self.remedy) if self.kind.remedy else (self.message,)


class MxBackupError(Exception):
    """Base of all errors that are meant for the user."""

    def __init__(self, sentence: Sentence, /, **parameters: object) -> None:
        super().__init__(sentence, parameters)
        self.message = Message(sentence, **parameters)

    def __str__(self) -> str:
        return str(self.message)


class InvalidInput(MxBackupError):
    """What was given cannot be accepted. `field` names the record property or `name`."""

    field = ""


class InvalidName(InvalidInput):
    """Not a domain name that mail can be accepted for."""

    field = "name"


class InvalidRule(InvalidInput):
    """A rule that cannot stand, alone or among the others."""

    def __init__(self, field: str, sentence: Sentence, /, **parameters: object) -> None:
        super().__init__(sentence, **parameters)
        self.field = field


class RuleExists(InvalidRule):
    """There is a rule of that name already."""


class UnknownRule(MxBackupError):
    """There is no rule of that name."""


class ChangedMeanwhile(MxBackupError):
    """Someone else changed the record since it was looked at; it is as they left it."""


class NotNow(MxBackupError):
    """It was done too short a time ago to be done again."""


class DatabaseError(MxBackupError):
    """A database file could not be read or written; it is as it was."""


class DatabaseMissing(DatabaseError):
    """There is no such database file."""


class RenderError(MxBackupError):
    """A fragment could not be made."""


class HostError(MxBackupError):
    """The host did not do what it was asked: an event, an expansion or a restart failed."""


class CatalogError(MxBackupError):
    """A catalog could not be had from its server, or not be given to it; what is known of it stays."""


class QueueError(MxBackupError):
    """The mail queue could not be read or changed; what it holds is as it was."""


class QueueElsewhere(QueueError):
    """The mail is held by a mail system whose queue is not read here: nothing is wrong with that."""
