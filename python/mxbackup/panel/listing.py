# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of rules: rows in the user's language, filtered, sorted, and cut into pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from mxbackup import rules
from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import State
from mxbackup.rules import Recipients, Rule
from mxbackup.service.inspecting import Status
from mxbackup.words import about_rules, spans
from mxbackup.words.lexicon import Lexicon

PAGE_ROWS = 100


@dataclass(frozen=True)
class Row:
    """One rule as the table shows it.

    `covered_by` is the domain rule that it adds nothing to, `recipients` what is known of them, `checked` what the
    last check found (fine, warning or error) and `when`, in local time; each is empty when there is nothing to say.
    """

    key: str
    name: str
    kind: str
    destination: str
    description: str
    covered_by: str
    recipients: str
    checked: str
    when: str


@dataclass(frozen=True)
class View:
    """Which rows are shown: those that hold `text`, sorted by a column, one page of them."""

    text: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "View":
        """Return the view that the parameters ask for; what cannot be is the default."""
        sort, page = parameters.get("sort", ""), parameters.get("p", "")
        return cls(
            text=parameters.get("q", "").strip(),
            sort=sort if sort in _COLUMNS else "name",
            descending=parameters.get("desc") == "1",
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    def link(self, charset: str, **changes: object) -> str:
        """Return the query of this view with some of its parameters changed."""
        query = {"q": self.text, "sort": self.sort, "desc": int(self.descending), "p": self.page} | changes
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


def listing(status: Status, states: Mapping[str, State], view: View, words: Lexicon) -> Listing:
    """Return the rows that the view shows; a page beyond the last is the last."""
    inventory = status.inventory
    found = list(inventory.rules)
    if view.text:
        text = view.text.lower()
        found = [rule for rule in found if text in _searched(rule, inventory, words)]
    if view.sort != "name":
        found = sorted(found, key=lambda rule: _COLUMNS[view.sort](rule, inventory, words).lower())
    if view.descending:
        found = found[::-1]
    pages = max(1, -(-len(found) // PAGE_ROWS))
    page = min(max(view.page, 1), pages)
    shown = found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    view = View(view.text, view.sort, view.descending, page)
    return Listing(view, [_row(rule, status, states.get(rule.name), words) for rule in shown], len(found), pages)


def _row(rule: Rule, status: Status, last: State | None, words: Lexicon) -> Row:
    inventory = status.inventory
    cover = inventory.rules.covering(rule.name)
    return Row(
        key=rule.name,
        name=rules.shown(rule),
        kind=about_rules.kind(rule, words),
        destination=about_rules.destination(rule, inventory.settings, words),
        description=rule.description,
        covered_by=rules.shown(cover) if cover and rules.adds_nothing(rule, cover) else "",
        recipients=about_rules.recipients(rule, status.knowledge[rule.name], words)
        if rule.recipients != Recipients.ANY
        else "",
        checked=last.check.state if last and last.check else "",
        when=spans.moment(last.checked) if last and last.check else "",
    )


def _searched(rule: Rule, inventory: Inventory, words: Lexicon) -> str:
    return "\n".join([rule.name, *(column(rule, inventory, words) for column in _COLUMNS.values())]).lower()


_COLUMNS: Mapping[str, Callable[[Rule, Inventory, Lexicon], str]] = {
    "name": lambda rule, inventory, words: rules.shown(rule),
    "kind": lambda rule, inventory, words: about_rules.kind(rule, words),
    "destination": lambda rule, inventory, words: about_rules.destination(rule, inventory.settings, words),
    "description": lambda rule, inventory, words: rule.description,
}
