# SPDX-License-Identifier: GPL-2.0-or-later
"""The properties of a rule: one table, from which record, options, form, import, export and JSON follow.

A property is a field of `Rule`, which has its type and its default, and a row here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from functools import lru_cache

from mxbackup.errors import InvalidRule, Sentence
from mxbackup.rules import contact, route
from mxbackup.rules.rule import Kind, Recipients, Rule, SmartHostUse, Unknown

# C0, DEL and C1; the ends of lines and paragraphs, and what turns the direction of writing (Unicode, UAX 9).
# Compiled where there is a description, which most events are spared.
_NOT_IN_REMARKS = "[|\\\\\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]"
_LONGEST_HOLD = 30  # days
_DEFAULTS = {known.name: known.default for known in fields(Rule)}


class About(Enum):
    """What a property is about: the rule itself, the way of its mail, an outage, recipients (only where qpsmtpd is)."""

    RULE = "rule"
    WAY = "way"
    OUTAGE = "outage"
    RECIPIENTS = "recipients"


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a property can have, and its words in a form."""

    value: StrEnum
    label: Sentence
    hint: Sentence


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """What can be said of a rule.

    key: its name in a record; `name`, which is the same in lower case, is that of field, option and JSON.
    parse: makes the value of a text. Raises InvalidRule.
    form: of a text that means a value, as usage messages have it.
    always: whether a record without it holds no rule; any other is recorded only where it is not the default.
    at_fault: makes the value of a faulty text in a record. Given where the property decides nothing about mail:
        the rule stays in force, and the fault is reported. Without it, the record holds no rule.
    unfit: why the rule cannot have its value, or None, where that depends on the rest of the rule; with `at_fault`.
    counts: whether it makes a difference to a rule; without it, it does to all.
    carried: whether a catalog says it to other servers: it decides about the mail of the name, and is no affair of
        each server, its provider and its people.
    label, hint, choices: words of the panel; help: of the command. size: characters in the panel at most.
    """

    key: str
    about: About
    parse: Callable[[str], object]
    label: Sentence
    help: Sentence
    hint: Sentence | None = None
    form: str = "TEXT"
    choices: tuple[Choice, ...] = ()
    always: bool = False
    at_fault: Callable[[str], object] | None = None
    unfit: Callable[[Rule], InvalidRule | None] | None = None
    counts: Callable[[Rule], bool] | None = None
    carried: bool = False
    size: int = 253
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the name once: records are read by the hundred thousand."""
        object.__setattr__(self, "name", self.key.lower())

    @property
    def default(self) -> str:
        """The text of the value that a rule has without it."""
        return _text(_DEFAULTS[self.name])

    def text(self, rule: Rule) -> str:
        """Return the text of the rule's value, empty for none. `parse` makes the value of it."""
        return _text(getattr(rule, self.name))

    def recorded(self, rule: Rule) -> str | None:
        """Return the text that records the rule's value, None when it is not to be recorded."""
        text = self.text(rule)
        return text if self.always or text != self.default else None


def adds_nothing(rule: Rule, cover: Rule) -> bool:
    """Whether the rule's mail would fare the same by `cover`, the domain rule that it lies below."""
    own_list = rule.recipients == Recipients.LIST  # each rule has its own
    deciding = [prop for prop in PROPERTIES if prop.about != About.RULE]
    return not own_list and all(prop.text(rule) == prop.text(cover) for prop in deciding)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _one_of(values: type[StrEnum], key: str, otherwise: Sentence) -> Callable[[str], object]:
    """Return the parser of an enumeration, which raises what is said `otherwise`."""

    @lru_cache  # rules by the hundred thousand have few settings
    def parse(text: str) -> StrEnum:
        try:
            return values(text)
        except ValueError:
            raise InvalidRule(key, otherwise, value=text) from None

    return parse


def _description(text: str) -> str:
    """The host's library gives "|" and "\\" meanings of their own; the rest would spoil a line or its direction."""
    text = text.strip()
    if re.search(_NOT_IN_REMARKS, text):
        raise InvalidRule("Description", 'The description must be one line without "|", "\\" and control characters.')
    return text


def _rest_of_description(text: str) -> str:
    return " ".join(re.sub(_NOT_IN_REMARKS, " ", text).split())


def _hold(text: str) -> int | None:
    text = text.strip(" \t")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= _LONGEST_HOLD:
        raise InvalidRule(
            "Hold",
            'Mail cannot be kept for "{value}" days. Give a whole number from 1 to {limit}, or nothing for as long as '
            "this server keeps all mail.",
            value=text,
            limit=_LONGEST_HOLD,
        )
    return int(text)


PROPERTIES = (
    Property(
        "Kind",
        About.RULE,
        _one_of(Kind, "Kind", 'The kind "{value}" is unknown. Give "domain" or "host".'),
        label="Kind",
        help="domain: the name and everything below it. host: exactly the name.",
        form="domain|host",
        choices=(
            Choice(
                Kind.DOMAIN,
                "Domain",
                "Mail for the name and for everything below it is accepted: "
                "for dupontnet.com and also for www.dupontnet.com.",
            ),
            Choice(Kind.HOST, "Host", "Mail for exactly this name is accepted, and for nothing below it."),
        ),
        always=True,
        carried=True,
    ),
    Property(
        "Route",
        About.WAY,
        lru_cache(route.parse),
        label="Route",
        help="Deliver there instead of following the MX records.",
        hint="Normally empty: the MX records of the name say where its mail goes. Give a host or IPv4 address, with a "
        "port if need be, to deliver there instead: mail.dupontnet.com, mail.dupontnet.com:26 or [192.0.2.1]:26.",
        form="HOST[:PORT]",
        carried=True,
    ),
    Property(
        "Smarthost",
        About.WAY,
        _one_of(
            SmartHostUse,
            "Smarthost",
            'The smart host setting "{value}" is unknown. Give "bypass" or "use".',
        ),
        label="Smart host",
        help="Whether this mail goes around the provider's relay.",
        form="bypass|use",
        choices=(
            Choice(
                SmartHostUse.BYPASS,
                "Around it",
                "The mail goes straight to the primary. A smart host could send it back here, in circles.",
            ),
            Choice(
                SmartHostUse.USE,
                "Through it",
                "Only where the provider lets no mail through otherwise, and knows how to reach the primary.",
            ),
        ),
    ),
    Property(
        "Description",
        About.RULE,
        _description,
        label="Description",
        help="A remark of yours.",
        hint="A remark of yours, shown in the list. It may be left empty.",
        at_fault=_rest_of_description,
        size=200,
    ),
    Property(
        "Recipients",
        About.RECIPIENTS,
        _one_of(
            Recipients,
            "Recipients",
            'The recipients setting "{value}" is unknown. Give "any", "list" or "learn".',
        ),
        label="Recipients",
        help="Which recipients qpsmtpd accepts: any, those of a list, or those the primary says it has.",
        form="any|list|learn",
        choices=(
            Choice(
                Recipients.ANY,
                "All",
                "Mail for every address of the name is accepted; the primary refuses the wrong ones later.",
            ),
            Choice(
                Recipients.LIST,
                "Those of a list",
                "Paste the list on a page of its own once the rule is saved. Until there is one, all mail is put off.",
            ),
            Choice(
                Recipients.LEARN,
                "Those that the primary knows",
                "This server asks the primary while it can be reached, and remembers the answers.",
            ),
        ),
        carried=True,
    ),
    Property(
        "Unknown",
        About.RECIPIENTS,
        _one_of(
            Unknown,
            "Unknown",
            'The setting for unknown recipients "{value}" is unknown. Give "accept" or "defer".',
        ),
        label="Recipients not asked about yet, while the primary is down",
        help="With learn: what happens to a recipient that is not known while the primary is down.",
        form="accept|defer",
        choices=(
            Choice(Unknown.ACCEPT, "Accept them", "No mail is lost; some may come back to its sender later."),
            Choice(Unknown.DEFER, "Put them off", "The sender's server tries again later."),
        ),
        counts=lambda rule: rule.recipients == Recipients.LEARN,
        carried=True,
    ),
    Property(
        "Hold",
        About.OUTAGE,
        _hold,
        label="Days to keep mail",
        help="How long mail is kept for a primary that is down, up to 30 days; never less than other mail is.",
        hint="Normally empty: mail that waits is kept as long as any other on this server, 7 days by default. "
        "Give a greater number of days, up to 30, to keep it longer.",
        form="DAYS",
        at_fault=lambda _: None,
        size=3,
        carried=True,
    ),
    Property(
        "Contact",
        About.OUTAGE,
        contact.parse,
        label="Owner's address",
        help="An e-mail address of the name's owner, outside the name, to be told of an outage.",
        hint="An e-mail address of who owns the name, to be told when its server is down. "
        "It must work then, so it cannot be an address of the name itself. It may be left empty.",
        form="ADDRESS",
        at_fault=lambda _: "",
        unfit=contact.inside,
        size=320,
    ),
)
