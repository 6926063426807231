# SPDX-License-Identifier: GPL-2.0-or-later
"""What a text to be imported says, line by line, before anything is changed.

Shared by the readers of each form. An `Entry` says something of a rule; a `Remark` is a line that says nothing
we take, and why. Lines count from 1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mxbackup.errors import InvalidInput, Message
from mxbackup.rules import names
from mxbackup.rules.names import Name


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line, or a pair of lines, says of a rule.

    properties: of the rule's record, as far as the form states them; None is one that is not to be there.
    only_existing: true for what makes no rule by itself, such as a route.
    """

    line: int
    name: Name
    properties: Mapping[str, str | None] = field(default_factory=dict)
    only_existing: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A line that was left out or cannot be taken, and why."""

    line: int
    text: str
    reason: Message


@dataclass
class Reading:
    """All that a text says: the entries, the lines left out (`notes`), those to be mended (`problems`)."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)

    def name(self, line: int, text: str, whole: str = "") -> Name | None:
        """Return the name that a rule can have, or record of the `whole` line why it can have none."""
        try:
            return names.parse(text)
        except InvalidInput as reason:
            remarks = self.notes if names.is_local(text) else self.problems
            remarks.append(Remark(line, whole or text, reason.message))
            return None


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that are neither blank nor comment, without blanks and CR around them.

    A comment behind a name goes too: the programs that read such files take it for a part of the name, but
    who wrote it did not.
    """
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if content and not content.startswith("#"):
            yield number, content.partition(" #")[0].partition("\t#")[0].rstrip()
