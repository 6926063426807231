# SPDX-License-Identifier: GPL-2.0-or-later
"""The lists of recipients, in the e-smith database `mxbackup_recipients`.

A list is a record `dupontnet.com=list|Count|2` and, for each address, `dupontnet.com:jean@dupontnet.com=recipient`,
percent-encoded where a key could not hold it. A file that lost some of its addresses shows by the count: refusing
mail for good because of such a list would lose it.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import quote, unquote

from mxbackup.errors import InvalidInput
from mxbackup.esmith.database import Database
from mxbackup.rules import Rule, RuleSet, names, shown

DATABASE = "mxbackup_recipients"
LIST = "list"
RECIPIENT = "recipient"
COUNT = "Count"

# Dot-string of RFC 5321 section 4.1.2, without the dots' rules, which old systems do not keep either.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")


def parse(text: str, rule: Rule, rules: RuleSet) -> set[str]:
    """Return the addresses of a text, one a line, in lower case; one without `@` is at the rule's name.

    Blank lines and those that begin with `#` are left out. Raises InvalidInput for the first line that is no address,
    or no address that this rule decides about; and for a text without any.
    """
    found = set()
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if (entry := line.strip()) and not entry.startswith("#"):
            found.add(_address(entry, number, rule, rules))
    if not found:
        raise InvalidInput(
            "There is no address in it. To accept every recipient: mxbackup set {name} --recipients any",
            name=rule.name,
        )
    return found


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


def _address(entry: str, number: int, rule: Rule, rules: RuleSet) -> str:
    local, host = entry.rsplit("@", 1) if "@" in entry else (entry, str(rule.name))
    try:
        host = names.parse_host(host)
    except InvalidInput as error:
        raise InvalidInput("Line {line}: {reason}", line=number, reason=error) from error
    if not _LOCAL.fullmatch(local):
        raise InvalidInput(
            'Line {line}: "{entry}" is no address. Give one a line, such as jean@{name}.',
            line=number,
            entry=entry,
            name=rule.name,
        )
    if rules.nearest(host) != rule:
        raise InvalidInput(
            'Line {line}: "{entry}" is no address of {name}, so this list does not decide about it.',
            line=number,
            entry=entry,
            name=shown(rule),
        )
    return f"{local.lower()}@{host}"


def _key(rule: Rule, address: str) -> str:
    return f"{rule.name}:{quote(address, safe='@+/')}"


def _is_address(text: str) -> bool:
    local, _, host = text.rpartition("@")
    return text == text.lower() and bool(_LOCAL.fullmatch(local)) and bool(re.fullmatch(r"[a-z0-9.-]{1,253}", host))


def _is_whole(database: Database, name: str, found: int) -> bool:
    record = database.get(name)
    count = record.properties.get(COUNT, "") if record and record.type == LIST else ""
    return bool(re.fullmatch("[0-9]{1,15}", count)) and 0 < int(count) <= found
