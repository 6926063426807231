# SPDX-License-Identifier: GPL-2.0-or-later
"""What this server knows of the recipients of its rules: the lists, and what was learnt from primaries."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mxbackup.errors import DatabaseMissing
from mxbackup.esmith.database import Database, log_to_syslog
from mxbackup.esmith.host import Host
from mxbackup.recipients import lists
from mxbackup.recipients.policies import NOTHING, Known, counting, primary_key
from mxbackup.rules import Recipients, Rule, RuleSet


@dataclass(frozen=True)
class Knowledge:
    """What is known for one rule.

    `count` is the number of recipients known to be good, `newest` when a primary last said anything, in seconds
    since 1970. `whole` is false for a list that is missing or damaged, `accepts_all` true for a primary that says
    yes to everything, `elsewhere` where the mail system itself asks and remembers.
    """

    policy: Recipients
    count: int = 0
    newest: int | None = None
    whole: bool = True
    accepts_all: bool = False
    elsewhere: bool = False


class Register:
    """The lists and the memory of one host. The memory is opened only where a rule learns."""

    def __init__(self, host: Host) -> None:
        self.lists = host.store(lists.DATABASE, _log_in_short, disposable=True)
        self._host = host

    def known(self, rules: Collection[Rule]) -> Known:
        """Return all that is known of the recipients of these rules. Raises DatabaseError."""
        listing = [rule for rule in rules if rule.recipients == Recipients.LIST]
        whole = lists.whole_lists(self._read(), listing) if listing else {}
        if not any(rule.recipients == Recipients.LEARN for rule in rules):
            return Known(whole) if whole else NOTHING
        from mxbackup.recipients import memory  # brings SQLite, which most servers need not load

        return memory.known(self._host.path(memory.FILE), whole)

    def change(
        self, rule: Rule, wanted: Callable[[frozenset[str] | None], Collection[str]]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Make what `wanted` returns the list of the rule; return what it was and what it is.

        `wanted` is given the list as it stands under the lock, None for a damaged one, and may be called again.
        Raises what it raises, and DatabaseError; the list is then as it was.
        """

        def change(database: Database) -> tuple[frozenset[str], frozenset[str]]:
            before = lists.standing(database, rule)
            after = frozenset(wanted(before))
            if after != before:
                lists.replace(database, rule, after)
            return before or frozenset(), after

        return self.lists.update(change)

    def of(self, rule: Rule) -> frozenset[str] | None:
        """Return the rule's list, empty when there is none; None when it is damaged. Raises DatabaseError."""
        return lists.standing(self._read(), rule)

    def _read(self) -> Database:
        try:
            return self.lists.read()
        except DatabaseMissing:
            return Database()


def knowledge(rules: RuleSet, known: Known) -> dict[str, Knowledge]:
    """Return what is known, by the rule's name."""
    good = dict.fromkeys((rule.name for rule in rules), 0)
    newest: dict[str, int] = {}
    for answer, rule in counting(rules, known):
        good[rule.name] += answer.good
        newest[rule.name] = max(newest.get(rule.name, 0), answer.asked)
    return {rule.name: _of(rule, known, good[rule.name], newest.get(rule.name)) for rule in rules}


def _of(rule: Rule, known: Known, good: int, newest: int | None) -> Knowledge:
    match rule.recipients:
        case Recipients.LIST:
            found = known.lists.get(rule.name, ())
            return Knowledge(Recipients.LIST, len(found), whole=bool(found))
        case Recipients.LEARN:
            primary = known.primaries.get(primary_key(rule))
            return Knowledge(Recipients.LEARN, good, newest, accepts_all=bool(primary and primary.accepts_all))
        case _:
            return Knowledge(Recipients.ANY)


def _log_in_short(lines: list[str]) -> None:
    """A list may have thousands of addresses; syslog need not hold them twice."""
    log_to_syslog(lines if len(lines) <= 20 else [*lines[:20], f"... and {len(lines) - 20} more lines"])
