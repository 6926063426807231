# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of rules: rows in the user's language, filtered, sorted, and cut into pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from mxbackup import rules
from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import State
from mxbackup.rules import Rule, names
from mxbackup.service.held import HeldMail
from mxbackup.service.inspecting import Status
from mxbackup.words import about_rules, outlook, spans
from mxbackup.words.lexicon import Lexicon
from mxbackup.words.outlook import Concern, Light

PAGE_ROWS = 100


@dataclass(frozen=True)
class Row:
    """One rule as the table shows it.

    `standing` is how it stands where that is no good news, `covered_by` the domain rule that it adds nothing to, `held`
    what waits for it,
    `when` the time of the last check, `origin` the catalog that it came from; each is empty when there
    is nothing to say.
    """

    key: str
    name: str
    kind: str
    destination: str
    light: Light
    standing: str
    covered_by: str
    held: str
    when: str
    origin: str = ""


@dataclass(frozen=True)
class View:
    """Which rows are shown: those that hold `text` and are of that concern, sorted by a column, one page of them.

    `chosen` is whether all of them are chosen to begin with.
    """

    text: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 1
    show: Concern | None = None
    chosen: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "View":
        """Return the view that the parameters ask for; what cannot be is the default."""
        sort, page = parameters.get("sort", ""), parameters.get("p", "")
        return cls(
            text=parameters.get("q", "").strip(),
            sort=sort if sort in _COLUMNS else "name",
            descending=parameters.get("desc") == "1",
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
            show=next((concern for concern in Concern if concern == parameters.get("show")), None),
            chosen=parameters.get("all") == "1",
        )

    def link(self, charset: str, **changes: object) -> str:
        """Return the query of this view with some of its parameters changed."""
        query: dict[str, object] = {"q": self.text, "show": self.show or "", "sort": self.sort}
        query |= {"desc": int(self.descending), "p": self.page} | changes
        return "?" + urlencode(
            {name: value for name, value in query.items() if value}, encoding=charset, errors="xmlcharrefreplace"
        )


@dataclass(frozen=True)
class Listing:
    """One page of rows, `found` rows on `pages` pages in all."""

    view: View
    rows: list[Row]
    found: int
    pages: int


def listing(status: Status, states: Mapping[str, State], held: HeldMail, view: View, words: Lexicon) -> Listing:
    """Return the rows that the view shows; a page beyond the last is the last."""
    table = _Table(status.inventory, states, held, words)
    found = list(filter(table.chooser(view), status.inventory.rules))
    found.sort(key=lambda rule: names.reading_key(rule.name))
    found.sort(key=lambda rule: _COLUMNS[view.sort](table, rule), reverse=view.descending)
    pages = max(1, -(-len(found) // PAGE_ROWS))
    page = min(max(view.page, 1), pages)
    shown = found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    return Listing(replace(view, page=page), [table.row(rule) for rule in shown], len(found), pages)


@dataclass(frozen=True)
class _Table:
    """What is known of the rules, in the user's language."""

    inventory: Inventory
    states: Mapping[str, State]
    held: HeldMail
    words: Lexicon

    def chooser(self, view: View) -> Callable[[Rule], bool]:
        """Return what tells whether a rule is among those that the view shows."""
        text = view.text.lower()
        waiting = {mail.name for mail in self.held.summary.rules}
        concerned = (
            outlook.concerns((rule.name for rule in self.inventory.rules), self.states, waiting)[view.show]
            if view.show
            else self.inventory.rules.names()
        )
        return lambda rule: rule.name in concerned and (not text or text in self.searched(rule))

    def row(self, rule: Rule) -> Row:
        inventory, words = self.inventory, self.words
        state, waiting = self.states.get(rule.name), self.held.of(rule.name)
        cover = inventory.rules.covering(rule.name)
        return Row(
            key=rule.name,
            name=rules.shown(rule),
            kind=self.kind(rule),
            destination=self.destination(rule),
            light=self.light(rule),
            standing=outlook.standing(state, words),
            covered_by=rules.shown(cover) if cover and rules.adds_nothing(rule, cover) else "",
            held=outlook.mail(waiting, words) if waiting else "",
            when=spans.moment(state.checked) if state and state.check else "",
            origin=inventory.origins.get(rule.name, ""),
        )

    def light(self, rule: Rule) -> Light:
        return outlook.light(self.states.get(rule.name), waits=self.held.of(rule.name) is not None)

    def kind(self, rule: Rule) -> str:
        return about_rules.kind(rule, self.words)

    def destination(self, rule: Rule) -> str:
        return about_rules.destination(rule, self.inventory.settings, self.words)

    def messages(self, rule: Rule) -> int:
        waiting = self.held.of(rule.name)
        return waiting.messages if waiting else 0

    def searched(self, rule: Rule) -> str:
        origin = self.inventory.origins.get(rule.name, "")
        shown = (rule.name, rules.shown(rule), self.kind(rule), self.destination(rule), rule.description, origin)
        return "\n".join(shown).lower()


# What a column is sorted by; the worst and the most come first.
_COLUMNS: Mapping[str, Callable[[_Table, Rule], Any]] = {
    "state": lambda table, rule: -outlook.rank(table.light(rule)),
    "name": lambda table, rule: names.reading_key(rule.name),
    "kind": lambda table, rule: table.kind(rule).lower(),
    "destination": lambda table, rule: table.destination(rule).lower(),
    "held": lambda table, rule: -table.messages(rule),
}
