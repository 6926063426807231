# SPDX-License-Identifier: GPL-2.0-or-later
"""What a browser sends: decoded from the charset of our pages, and the entries of the form of a rule."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from mxbackup import rules
from mxbackup.errors import MxBackupError, Sentence
from mxbackup.rules import PROPERTIES, About, Rule

MAX_BODY = 1 << 20  # bytes: a long list of recipients
MAX_FIELDS = 300  # a page of the table has 100 rules, each sent with its stamp
# What the form shows at once, and what it shows when asked.
SIMPLE = tuple(prop for prop in PROPERTIES if prop.about == About.RULE)
ADVANCED = tuple(prop for prop in PROPERTIES if prop.about != About.RULE)
# Browsers take ISO-8859-1 for windows-1252 (WHATWG Encoding Standard, section 4.2).
_BROWSER_CHARSETS = {"iso-8859-1": "cp1252"}


class Refused(MxBackupError):
    """A request that is not answered; `status` is the HTTP status."""

    def __init__(self, status: int, template: Sentence, **params: object) -> None:
        super().__init__(template, **params)
        self.status = status


class Parameters(dict[str, str]):
    """What a query or a form says; of parameters of one name the last counts, and `every` has them all."""

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def every(self, name: str) -> list[str]:
        """Return all parameters of that name, in their order."""
        return [value for known, value in self._pairs if known == name]


def decode(encoded: bytes, charset: str) -> Parameters:
    """Return the parameters of a query or body (application/x-www-form-urlencoded). Raises Refused.

    What the legacy charset cannot hold arrives as character references, which are resolved.
    """
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            encoding=_BROWSER_CHARSETS.get(charset, charset),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Refused(400, "The request cannot be understood. Go back to the list of rules.") from None
    if charset == "utf-8":
        return Parameters(pairs)
    return Parameters(
        [(name, re.sub(r"&#[0-9]{1,7};", lambda found: html.unescape(found[0]), value)) for name, value in pairs]
    )


@dataclass(frozen=True)
class Entries:
    """The form of a rule, as typed: its name, and the texts of all properties by their names.

    `rule` is the key of the rule to change, empty for a new one; `expected` the stamp of its record when the form
    was first shown.
    """

    name: str = ""
    properties: Mapping[str, str] = field(default_factory=lambda: {prop.name: prop.default for prop in PROPERTIES})
    rule: str = ""
    expected: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "Entries":
        """Return the entries among the parameters; all others are ignored."""
        properties = {prop.name: parameters.get(prop.name, prop.default) for prop in PROPERTIES}
        return cls(properties=properties, **{key: parameters.get(key, "") for key in ("name", "rule", "expected")})

    @classmethod
    def of_rule(cls, rule: Rule, expected: str) -> "Entries":
        """Return the entries that stand for a rule as it is recorded."""
        properties = {prop.name: prop.text(rule) for prop in PROPERTIES}
        return cls(rules.shown(rule), properties, rule=rule.name, expected=expected)

    def as_rule(self) -> Rule:
        """Return the rule they mean. Raises InvalidInput."""
        return rules.make(self.rule or self.name, **self.properties)

    def normalised(self) -> "Entries":
        """Return the entries as the rule that they mean has them. Raises InvalidInput."""
        return replace(Entries.of_rule(self.as_rule(), self.expected), rule=self.rule)

    def parameters(self) -> dict[str, str]:
        """Return what `of` makes these entries of."""
        return {"name": self.name, **self.properties, "rule": self.rule, "expected": self.expected}
