# SPDX-License-Identifier: GPL-2.0-or-later
"""Replies of mail servers: read once, from lines (RFC 5321 section 4.2), into values. Pure.

What a code means for a dialogue is `Reply.outcome`; what a reply to RCPT says of the recipient is `rcpt.meaning`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mxbackup.esmith import printable

SHOWN = 300  # characters of a reply that people are shown
CUT = "..."  # at the end of what is not all

# Some servers leave out the blank. All lines should have the same code; the last one's counts.
_LINE = re.compile(r"([2-5][0-9][0-9])(-?)(.*)", re.DOTALL)
_ADDRESSES = re.compile(r"<[^<>]*>|\S*@\S*")
_STATUS = re.compile(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?!\.?[0-9])")


class Outcome(StrEnum):
    """What became of an address, or of the dialogue before it came to that."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # 5xx
    DEFERRED = "deferred"  # 4xx
    UNREACHABLE = "unreachable"  # no connection
    BROKEN = "broken"  # connected, but no SMTP


# By the first digit of the code (RFC 5321 section 4.2.1); there is no reply without one.
_OUTCOMES = {0: Outcome.BROKEN, 2: Outcome.ACCEPTED, 3: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REFUSED}


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its code, and the printable texts of its lines. Without a code, which is false, there was none."""

    code: int = 0
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The texts of all lines, joined by blanks."""
        return " ".join(self.lines)

    @property
    def enhanced(self) -> tuple[str, ...]:
        """The enhanced status codes (RFC 3463), wherever they stand: qmail has `(#5.1.1)` at the end."""
        return tuple(_STATUS.findall(_ADDRESSES.sub(" ", self.text)))

    @property
    def outcome(self) -> Outcome:
        """What it means for what was asked."""
        return _OUTCOMES[self.code // 100]

    @property
    def closing(self) -> bool:
        """Whether the server is closing the connection (RFC 5321 section 3.8)."""
        return self.code == 421

    def __bool__(self) -> bool:
        """Whether there is one."""
        return self.code != 0

    def __str__(self) -> str:
        return self.line()

    def line(self, limit: int = SHOWN) -> str:
        """Return it as one line, `550 5.1.1 User unknown`, of at most `limit` characters and CUT; empty if none."""
        return cut(f"{self.code} {self.text}", limit) if self else ""

    def transcript(self) -> list[str]:
        """Return its lines as the server sends them, each cut as people are shown it."""
        marks = ["-"] * (len(self.lines) - 1) + [" "]
        return [cut(f"{self.code}{mark}{text}") for mark, text in zip(marks, self.lines, strict=True)]


NONE = Reply()


class NoReply(ValueError):
    """A line that is part of no reply."""


def read(lines: Iterable[bytes]) -> Reply:
    """Return the reply that the next lines are. Raises NoReply with the printable line that is part of none."""
    texts = []
    for line in lines:
        text = shown(line)
        found = _LINE.fullmatch(text)
        if not found:
            raise NoReply(text)
        texts.append(found[3].strip())
        if not found[2]:
            return Reply(int(found[1]), tuple(texts))
    raise NoReply("")


def parse(line: str) -> Reply:
    """Return the reply that `Reply.line` wrote; none from what is no such line."""
    found = _LINE.fullmatch(line)
    return Reply(int(found[1]), (found[3].strip(),)) if found else NONE


def shown(line: bytes) -> str:
    """Return a line of the server without its end, and without what would move a terminal's cursor."""
    return printable.line(line.decode("utf-8", "replace").rstrip("\r\n"))


def cut(text: str, limit: int = SHOWN) -> str:
    """Return at most `limit` characters of a text, and CUT where there are more."""
    return text if len(text) <= limit else text[:limit] + CUT
