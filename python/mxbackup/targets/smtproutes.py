# SPDX-License-Identifier: GPL-2.0-or-later
"""`smtproutes`: where qmail-remote(8) sends the mail for a name, and for what lies below it."""

from collections.abc import Iterable, Iterator, Mapping

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.host import CONTROL, Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import Known
from mxbackup.routing.entries import Way, entries, keys, meant_way
from mxbackup.rules import Rule, RuleSet
from mxbackup.targets import block, controllines
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.target import Target

BAD_ROUTE = FindingKind(
    "bad-route", Severity.WARNING,
    "qmail does not take the line as a route.",
    'Write "name:relay", "name:relay:port" or "name:".',
    source="qmail-remote(8)",
)  # fmt: skip
OVERRIDDEN = FindingKind(
    "route-overridden", Severity.ERROR,
    'This line gives "{key}" the route "{route}" instead of the one of the rule, because the last of two counts.',
    "Take it out, or give the rule this route.",
    source="qmail constmap.c",
)  # fmt: skip
NOT_EXPANDED = FindingKind(
    "no-routes", Severity.WARNING,
    "This server has no template for the file, and we leave it alone: the routes of rules and the way around the "
    "smart host have no effect here (rules concerned: {count}).",
    "Write them by hand.",
)  # fmt: skip

_ENTRY = rf"(?:\.?{controllines.HOST})?:(?:(?:{controllines.HOST}\.?|\[[0-9.]+\])(?::[0-9]{{1,5}})?)?\Z"


class Smtproutes(Target):
    """A line is a key and a relay, empty for delivery by MX."""

    name = "smtproutes"
    path = CONTROL / "smtproutes"
    readers = ("qmailr",)

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """The rules that need entries; those that are draining have their way out alone.

        None where Postfix sends: what is left of the file makes check_smtp_forward of qpsmtpd ask the primary, and
        refuse mail while that is down.
        """
        routed = RuleSet([*in_force, *inventory.draining]) if inventory.draining else in_force
        if inventory.settings.postfix:
            routed = RuleSet()
        return {"entries": entries(routed, inventory.settings), "keys": keys}

    def lint(self, text: str | None, rules: RuleSet, settings: Settings) -> Iterator[Finding]:
        """Yield lines that are not taken, and those that count instead of ours."""
        yield from controllines.dead(self.path, text or "", _ENTRY, BAD_ROUTE)
        yield from self._overridden(text or "")

    def without_effect(self, rules: Iterable[Rule], settings: Settings) -> Iterator[Finding]:
        """Yield why the routes of these rules, and their way around the smart host, do not count, if that is so."""
        concerned = sum(meant_way(rule, settings) in (Way.ROUTE, Way.BYPASS) for rule in rules)
        if concerned and not settings.routes:
            yield NOT_EXPANDED.found(self.path, count=concerned)

    def _overridden(self, text: str) -> Iterator[Finding]:
        """Of two equal keys the last counts."""
        ours: dict[str, str] = {}
        inside = seen = False
        for number, line in enumerate(text.split("\n"), 1):
            content = line.rstrip()
            if content in (BEGIN, END):
                inside, seen = content == BEGIN, True
                continue
            key, colon, route = content.partition(":")
            if colon and inside:
                ours[key.lower()] = route
            elif colon and seen and ours.get(key.lower(), route) != route:
                yield OVERRIDDEN.found(self.path, (number,), key=key, route=route)


TARGET = Smtproutes()


def written(host: Host) -> dict[str, str]:
    """Return the entries of our block; none when the file cannot be read, which is told elsewhere."""
    try:
        text = host.path(TARGET.path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return {}
    lines = block.inside(text).splitlines()
    return {key: relay for key, colon, relay in (line.partition(":") for line in lines) if colon}


def smarthost(host: Host) -> str:
    """Return the route of all other mail, `host[:port]`, or nothing. Raises HostError."""
    from mxbackup.routing import qmail_remote
    from mxbackup.targets import controlfile

    text = controlfile.read(host, TARGET.path) or ""
    return qmail_remote.parse_routes(text.encode("utf-8", "surrogateescape")).get("", "")
