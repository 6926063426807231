# SPDX-License-Identifier: GPL-2.0-or-later
"""How it ends when smtp(8) of Postfix tries one address after the other. Follows smtp_addr.c and smtp_connect.c."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from mxbackup.routing.postfix.hosts import LOOPS_BACK, Hop, type_of
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.verdict import NOBODY_ANSWERS, Target, Verdict, leads_to_us

LOOPS_LATER = "4.4.6"
NO_LIMIT = 1 << 16
ALL = "all"
FAMILIES = {"ipv4": "A", "ipv6": "AAAA"}


class End(NamedTuple):
    """How trying ends, and which target answered, if any. One that passes leaves the message to the next one."""

    verdict: Verdict
    code: str = ""
    passes: bool = False
    target: Target | None = None


def in_tiers(hops: Iterable[Hop], preference: str) -> list[list[Hop]]:
    """Return addresses in the groups within which chance decides. `preference` is smtp_address_preference."""
    wanted = FAMILIES.get(preference)

    def rank(hop: Hop) -> tuple[int, bool]:
        return hop.preference, wanted is not None and type_of(hop.address) != wanted

    return [list(tier) for _, tier in groupby(sorted(hops, key=rank), key=rank)]


@dataclass(frozen=True, slots=True)
class Servers:
    """Who answers where. See `delivery.outcomes`."""

    own: Container[str]
    public: Container[str] = ()
    unreachable: Container[Target] = ()

    def ends(self, hops: Sequence[Hop], port: int, postfix: Postfix) -> list[End]:
        """Return how trying these addresses may end."""
        tiers = in_tiers(hops, postfix.preference)
        # With soft_bounce the next one is tried even then.
        best = None if postfix.soft_bounce else hops[0].preference
        answers = [[(type_of(hop.address), self._at(hop, port, best)) for hop in tier] for tier in tiers]
        return list(dict.fromkeys(end for quota in _quotas(tiers, postfix) for end in _ends(answers, quota)))

    def _at(self, hop: Hop, port: int, best: int | None) -> End:
        target = Target(hop.address, port)
        if target in self.unreachable:
            return End(Verdict.DEFER, NOBODY_ANSWERS, passes=True)
        if not leads_to_us(target, self.own, self.public):
            return End(Verdict.DELIVER, target=target)
        # It greets with our own name.
        if hop.preference == best:
            return End(Verdict.BOUNCE, LOOPS_BACK, target=target)
        return End(Verdict.DEFER, LOOPS_LATER, passes=True, target=target)


def _ends(tiers: Iterable[list[tuple[str, End]]], quota: Mapping[str, int]) -> Iterator[End]:
    """How it may end when so many addresses of each family are tried."""
    left = dict(quota)
    last: list[End] = []
    for tier in tiers:
        by_family = {family: [end for of, end in tier if family in (of, ALL)] for family in left}
        tried = {family: min(len(ends), left[family]) for family, ends in by_family.items()}
        within = [end for family, ends in by_family.items() if tried[family] for end in ends]
        yield from (end for end in within if not end.passes)
        if any(sum(end.passes for end in ends) < tried[family] for family, ends in by_family.items()):
            return
        last = [end for end in within if end.passes] or last
        left = {family: left[family] - tried[family] for family in left}
    yield from last


def _quotas(tiers: Sequence[Sequence[Hop]], postfix: Postfix) -> Iterator[dict[str, int]]:
    """How many addresses are tried, of all or of each family (smtp_balance_inet_proto): it may be left to chance."""
    limit = postfix.address_limit or NO_LIMIT
    count = Counter(type_of(hop.address) for tier in tiers for hop in tier)
    four, six = count["A"], count["AAAA"]
    if not (postfix.balance and four and six and four + six > limit):
        yield {ALL: limit}
    elif six <= limit // 2:
        yield {"A": limit - six, "AAAA": six}
    elif four <= limit // 2:
        yield {"A": four, "AAAA": limit - four}
    else:
        for first_is_four in {type_of(hop.address) == "A" for hop in tiers[0]}:
            of_four = (limit + first_is_four) // 2
            yield {"A": of_four, "AAAA": limit - of_four}
