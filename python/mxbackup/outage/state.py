# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of one rule. Times are whole seconds since 1970, 0 where there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar


class Condition(StrEnum):
    """The state of a rule, in one word. DRAINING: its primary answers again, and held mail is on its way out."""

    FINE = "fine"
    UNREACHABLE = "unreachable"
    REFUSES = "refuses"
    MISCONFIGURED = "misconfigured"
    DRAINING = "draining"


class Contact(StrEnum):
    """How the primary answered when it was last asked.

    REFUSES is for whatever it says but yes, for now or for good. NOWHERE: qmail would send the mail back, as the DNS
    or a route leads nowhere or to this server.
    """

    UNKNOWN = "unknown"
    ANSWERS = "answers"
    UNREACHABLE = "unreachable"
    REFUSES = "refuses"
    NOWHERE = "nowhere"


AWAY = frozenset({Contact.UNREACHABLE, Contact.REFUSES, Contact.NOWHERE})
# What a check says of the contact, which the contact itself tells better.
CONTACT_CODES = frozenset({"primary-refuses"})


class Mail(NamedTuple):
    """What is held for a rule: how many messages, when the oldest came, from when on one may be sent back."""

    messages: int = 0
    oldest: int = 0
    expires: int = 0


NO_MAIL = Mail()


class GivenUp(NamedTuple):
    """How many messages of an outage went back to their senders: refused by the primary for good, or kept too long."""

    refused: int = 0
    expired: int = 0


class Record(NamedTuple):
    """One MX record; `ours` is whether it is of this server. The name is empty in a null MX."""

    preference: int
    name: str
    ours: bool = False


class NameServer(NamedTuple):
    """A name server of a domain at the last check: `answers`, `silent` or `lame`, and the MX records that it gave."""

    name: str
    answer: str
    records: tuple[Record, ...] = ()

    @property
    def knows_us(self) -> bool:
        """Whether a record of this server is among them."""
        return any(record.ours for record in self.records)


class Check(NamedTuple):
    """What a check found: `fine`, `warning` or `error`, the codes of the errors, and what each name server said."""

    state: str
    codes: tuple[str, ...] = ()
    servers: tuple[NameServer, ...] = ()


class Seen(NamedTuple):
    """What was seen of a rule at one time; what was not looked at is None, a primary that was not asked UNKNOWN.

    `asked` is whether it came to a dialogue with the primary, and not to a connection only; `given_up` which
    messages went back to their senders since the outage began.
    """

    now: int
    contact: Contact = Contact.UNKNOWN
    reason: str = ""
    primary: tuple[str, ...] = ()
    asked: bool = False
    mail: Mail | None = None
    given_up: GivenUp | None = None
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage, from the first failed contact until nothing is held any more that came before the primary was back.

    failed: how many contacts in a row. back: the first good contact, 0 as long as it is away. messages: the most that
    were held, and what went back. oldest: when the first of them came. refused, expired: how many went back to their
    senders, as the primary refused them for good, or as they were kept too long. told: when admin was last told of it.
    stuck: whether it was told that the mail does not drain. recorded: whether the history has its beginning.
    """

    begun: int
    reason: str = ""
    failed: int = 1
    back: int = 0
    messages: int = 0
    oldest: int = 0
    told: int = 0
    refused: int = 0
    expired: int = 0
    stuck: bool = False
    recorded: bool = False

    @property
    def given_up(self) -> int:
        """How many messages went back to their senders."""
        return self.refused + self.expired


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one rule.

    since: when the condition became what it is. primary: the targets of the last contact. asked: when `tend` last asked
    it, failures: how many of its dialogues in a row came to nothing. mail: held at the last look. flushed: when it was
    last made due, flushes: how often since anything of it was delivered. outage: the one that lasts. ended: the one
    before, of whose end somebody is to be told. check: the last one, and when it was. broken: whether admin was told of
    its errors. warned: how often admin was warned that mail expires, and for when.
    """

    since: int = 0
    contact: Contact = Contact.UNKNOWN
    reason: str = ""
    primary: tuple[str, ...] = ()
    asked: int = 0
    failures: int = 0
    mail: Mail = NO_MAIL
    flushed: int = 0
    flushes: int = 0
    outage: Outage | None = None
    ended: Outage | None = None
    check: Check | None = None
    checked: int = 0
    broken: bool = False
    warned: int = 0
    warned_for: int = 0

    @property
    def condition(self) -> Condition:
        """The state in one word."""
        if self.contact == Contact.UNREACHABLE:
            return Condition.UNREACHABLE
        if self.contact == Contact.REFUSES:
            return Condition.REFUSES
        if self.contact == Contact.NOWHERE or (self.check and self.check.codes):
            return Condition.MISCONFIGURED
        return Condition.DRAINING if self.outage else Condition.FINE

    @property
    def open(self) -> bool:
        """Whether something is going on that has to be looked at until it ends."""
        return self.outage is not None or self.ended is not None

    def to_json(self) -> dict[str, Any]:
        """Return what a file has of it: what differs from the default."""
        return {
            field.name: asdict(value) if isinstance(value, Outage) else value
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "State":
        """Return what `to_json` had. Raises ValueError, TypeError or KeyError for anything else."""
        values: dict[str, Any] = dict(told)
        for name, make in (("contact", Contact), ("primary", tuple), ("mail", _mail), ("check", _check)):
            if name in values:
                values[name] = make(values[name])
        for name in ("outage", "ended"):
            if name in values:
                values[name] = _typed(Outage(**values[name]))
        return _typed(cls(**values))


Known = TypeVar("Known", State, Outage)


def _mail(told: list[int]) -> Mail:
    messages, oldest, expires = map(int, told)
    return Mail(messages, oldest, expires)


def _check(told: list[Any]) -> Check:
    state, codes, *servers = told  # no version before 1.0 remembered name servers
    return Check(str(state), tuple(map(str, codes)), tuple(map(_name_server, *servers)) if servers else ())


def _name_server(told: list[Any]) -> NameServer:
    name, answer, records = told
    return NameServer(
        str(name), str(answer), tuple(Record(int(number), str(host), bool(ours)) for number, host, ours in records)
    )


def _typed(value: Known) -> Known:
    """Return the value if its numbers, texts and truths are such."""
    for field in fields(value):
        if field.type in (int, str, bool) and type(getattr(value, field.name)) is not field.type:
            raise TypeError(f"{field.name} is {getattr(value, field.name)!r}")
    return value
