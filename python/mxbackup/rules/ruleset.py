# SPDX-License-Identifier: GPL-2.0-or-later
"""All rules of a server together: which of them decides about a name."""

from collections.abc import Collection, Iterable, Iterator, Set
from functools import cached_property

from mxbackup.rules import names
from mxbackup.rules.names import Name
from mxbackup.rules.rule import Kind, Rule


class RuleSet(Collection[Rule]):
    """Rules by name, in the order of the names (`names.sort_key`); of two with one name the later counts."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._by_name = {rule.name: rule for rule in rules}

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._sorted)

    def __contains__(self, rule: object) -> bool:
        return isinstance(rule, Rule) and self.get(rule.name) == rule

    def __len__(self) -> int:
        return len(self._by_name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleSet) and self._by_name == other._by_name

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RuleSet({self._sorted!r})"

    def names(self) -> Set[Name]:
        """Return the names of the rules."""
        return self._by_name.keys()

    def get(self, name: str) -> Rule | None:
        """Return the rule of exactly this name, or None."""
        return self._by_name.get(Name(name))

    def nearest(self, host: str) -> Rule | None:
        """Return the rule that decides about mail to `host`: its own, else the nearest domain it lies in, or None."""
        return self.get(host) or self.covering(host)

    def covering(self, name: str) -> Rule | None:
        """Return the domain rule below which `name` lies, nearest first, so that its mail is accepted; or None."""
        above = (self.get(up) for up in names.parents(name))
        return next((rule for rule in above if rule and rule.kind == Kind.DOMAIN), None)

    def beside(self, rule: Rule) -> "RuleSet":
        """Return the set as it is with `rule` in it, in the place of the one of its name."""
        return RuleSet([*self._by_name.values(), rule])

    @cached_property
    def _sorted(self) -> list[Rule]:
        return sorted(self._by_name.values(), key=lambda rule: names.sort_key(rule.name))
