# SPDX-License-Identifier: GPL-2.0-or-later
"""What one request brings to the function that answers it, and what that returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mxbackup.errors import MxBackupError, UnknownRule
from mxbackup.panel.checking import Checking
from mxbackup.panel.forms import Parameters
from mxbackup.panel.session import Notice
from mxbackup.service.context import Context
from mxbackup.words.lexicon import Lexicon


@dataclass(frozen=True)
class Visit:
    """A request of a logged-in administrator; `parameters` are those of the query or of the form.

    `check` finds out whether a rule will work.
    """

    parameters: Parameters
    context: Context
    words: Lexicon
    check: Checking

    def parameter(self, name: str) -> str:
        """Return one parameter, empty when it is not there."""
        return self.parameters.get(name, "")


@dataclass(frozen=True)
class Page:
    """A page to show: its template, and what it says."""

    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    """Leads to a page of ours (a query) and has it say what happened, if anything (post, redirect, get)."""

    message: Notice | None
    query: str = ""


def failed(visit: Visit, error: MxBackupError, query: str = "") -> Redirect:
    """Lead to a page that says what went wrong."""
    # The service's sentence for a missing rule ends with a hint for the shell.
    if isinstance(error, UnknownRule):
        error = UnknownRule(
            'There is no rule for "{name}". It may have been removed meanwhile.', **error.message.parameters
        )
    return Redirect(Notice(False, visit.words.error(error)), query)
