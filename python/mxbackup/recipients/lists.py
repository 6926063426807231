# SPDX-License-Identifier: GPL-2.0-or-later
"""The lists of recipients, in the e-smith database `mxbackup_recipients`.

A list is a record `dupontnet.com=list|Count|2` and, for each address, `dupontnet.com:jean@dupontnet.com=recipient`,
percent-encoded where a key could not hold it. A file that lost some of its addresses shows by the count: refusing
mail for good because of such a list would lose it.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import quote, unquote

from mxbackup.errors import InvalidInput, Message
from mxbackup.esmith.database import Database
from mxbackup.rules import Rule, RuleSet, names, shown

DATABASE = "mxbackup_recipients"
LIST = "list"
RECIPIENT = "recipient"
COUNT = "Count"

# Dot-string of RFC 5321 section 4.1.2, without the dots' rules, which old systems do not keep either.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
# What stands before < is a name, in quotation marks or not (RFC 5322 section 3.4); between entries there is a comma.
_ENTRY = re.compile(r'\s*(?:(?:"(?:[^"\\]|\\.)*"|[^",;<>])*<([^<>]*)>|([^\s,;<>"]*))\s*(?:[,;]|\Z)')
NAMED = 20  # lines in one sentence
LONGEST = 100  # characters of an entry that are repeated


class BadLines(InvalidInput):
    """Lines of a text are no addresses of the rule; `mistakes` are all of them, and `first` is what is wrong first."""

    def __init__(self, mistakes: Sequence[tuple[int, InvalidInput]]) -> None:
        self.first = mistakes[0][1]
        self.mistakes = tuple(Message("Line {line}: {reason}", line=line, reason=error) for line, error in mistakes)
        others = list(dict.fromkeys(line for line, _ in mistakes[1:]))
        if others:
            more = ", ".join(map(str, others[:NAMED])) + (" …" if len(others) > NAMED else "")
            super().__init__("{first} Wrong too: line {lines}", first=self.mistakes[0], lines=more)
        else:
            super().__init__(self.mistakes[0].sentence, **self.mistakes[0].parameters)


def parse(text: str, rule: Rule, rules: RuleSet) -> set[str]:
    """Return the addresses of a text, in lower case; one without `@` is at the rule's name.

    One a line, or several with commas or semicolons between them; `Jean <jean@dupontnet.com>` is the address in it.
    Blank lines and those that begin with `#` are left out. Raises BadLines for what is no address, or none that this
    rule decides about; and InvalidInput for a text without any.
    """
    found: set[str] = set()
    mistakes = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        for entry in _entries(line):
            try:
                found.add(address(entry, rule, rules))
            except InvalidInput as error:
                mistakes.append((number, error))
    if mistakes:
        raise BadLines(mistakes)
    if not found:
        raise InvalidInput(
            "There is no address in it. To accept every recipient: mxbackup set {name} --recipients any",
            name=rule.name,
        )
    return found


def address(entry: str, rule: Rule, rules: RuleSet) -> str:
    """Return the address that an entry of a list means. Raises InvalidInput when it is none that the rule decides."""
    local, host = entry.rsplit("@", 1) if "@" in entry else (entry, str(rule.name))
    if not _LOCAL.fullmatch(local):
        raise InvalidInput(
            '"{entry}" is no address. Give one a line, such as jean@{name}.', entry=_short(entry), name=rule.name
        )
    host = names.parse_host(host)
    if rules.nearest(host) != rule:
        raise InvalidInput(
            '"{entry}" is no address of {name}, so this list does not decide about it.',
            entry=_short(entry),
            name=shown(rule),
        )
    return f"{local.lower()}@{host}"


def replace(database: Database, rule: Rule, addresses: Collection[str]) -> None:
    """Make `addresses` the list of the rule."""
    wanted = {_key(rule, address) for address in addresses}
    for key in [key for key, _ in database.of_type(RECIPIENT) if key.startswith(f"{rule.name}:")]:
        if key not in wanted:
            database.delete(key)
    for key in wanted:
        database.set(key, RECIPIENT, {})
    database.set(rule.name, LIST, {COUNT: str(len(wanted))})


def whole_lists(database: Database, rules: Iterable[Rule]) -> dict[str, frozenset[str]]:
    """Return the addresses by the rule's name, for those rules whose list is there and lost none of its addresses."""
    addresses: dict[str, set[str]] = {rule.name: set() for rule in rules}
    for key, _ in database.of_type(RECIPIENT):
        name, _, encoded = key.partition(":")
        address = unquote(encoded)
        if name in addresses and _is_address(address):
            addresses[name].add(address)
    return {name: frozenset(found) for name, found in addresses.items() if _is_whole(database, name, len(found))}


def standing(database: Database, rule: Rule) -> frozenset[str] | None:
    """Return the rule's list, empty when there is none; None when it is damaged."""
    whole = whole_lists(database, [rule]).get(rule.name, frozenset())
    return None if not whole and rule.name in database else whole


def _entries(line: str) -> list[str]:
    """Return the entries of a line; one that is not made of entries is one as a whole."""
    if not line.strip() or line.lstrip().startswith("#"):
        return []
    found, at = [], 0
    while at < len(line):
        entry = _ENTRY.match(line, at)
        if not entry:
            return [line.strip()]
        found.append(entry)
        at = entry.end()
    if any(entry[1] for entry in found) and any(entry[2] and "@" not in entry[2] for entry in found):
        return [line.strip()]  # the half of a name with a comma in it is no local part
    return [text for entry in found if (text := (entry[1] or entry[2] or "").strip())]


def _short(entry: str) -> str:
    return entry if len(entry) <= LONGEST else f"{entry[:LONGEST]}…"


def _key(rule: Rule, address: str) -> str:
    return f"{rule.name}:{quote(address, safe='@+/')}"


def _is_address(text: str) -> bool:
    local, _, host = text.rpartition("@")
    return text == text.lower() and bool(_LOCAL.fullmatch(local)) and bool(re.fullmatch(r"[a-z0-9.-]{1,253}", host))


def _is_whole(database: Database, name: str, found: int) -> bool:
    record = database.get(name)
    count = record.properties.get(COUNT, "") if record and record.type == LIST else ""
    return bool(re.fullmatch("[0-9]{1,15}", count)) and 0 < int(count) <= found
