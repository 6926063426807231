# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors a user can meet.

Each is raised with an English sentence, which is also the key of its translation, and the values
to fill in. It says what is wrong and what would be right. Faces translate and print; nobody else does.
"""

# An English sentence that a user may be told. `make words` takes every text that is given where one is declared
# into the catalogues: parameters, fields, tables and variables of this type.
Sentence = str


class MxBackupError(Exception):
    """Base of all errors that are meant for the user.

    `template` is the English sentence with `{placeholders}`, `params` their values.
    """

    def __init__(self, template: Sentence, **params: object) -> None:
        super().__init__(template, params)
        self.template = template
        self.params = params

    def __str__(self) -> str:
        return self.template.format(**self.params)


class InvalidInput(MxBackupError):
    """What was given cannot be accepted. `field` names the record property or `name`."""

    field = ""


class InvalidName(InvalidInput):
    """Not a domain name that mail can be accepted for."""

    field = "name"


class InvalidRule(InvalidInput):
    """A rule that cannot stand, alone or among the others."""

    def __init__(self, field: str, template: Sentence, **params: object) -> None:
        super().__init__(template, **params)
        self.field = field


class RuleExists(InvalidRule):
    """There is a rule of that name already."""


class UnknownRule(MxBackupError):
    """There is no rule of that name."""


class ChangedMeanwhile(MxBackupError):
    """Someone else changed the record since it was looked at; it is as they left it."""


class DatabaseError(MxBackupError):
    """A database file could not be read or written; it is as it was."""


class DatabaseMissing(DatabaseError):
    """There is no such database file."""


class RenderError(MxBackupError):
    """A fragment could not be made."""


class HostError(MxBackupError):
    """The host did not do what it was asked: an event, an expansion or a restart failed."""


class QueueError(MxBackupError):
    """The mail queue could not be read or changed; what it holds is as it was."""
