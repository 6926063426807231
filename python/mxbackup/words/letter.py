# SPDX-License-Identifier: GPL-2.0-or-later
"""The letter to the owner of a backed-up name as text and as HTML: one template, two forms of its parts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import jinja2

from mxbackup.check.findings.acceptance import accepted_here
from mxbackup.check.letter import GUESS, Letter, Origin
from mxbackup.errors import Sentence
from mxbackup.esmith import printable
from mxbackup.lookup.query import Status
from mxbackup.rules import names
from mxbackup.words import exemptions, spans
from mxbackup.words.lexicon import Lexicon

_ORIGINS: Mapping[Origin, Sentence] = {
    Origin.DNS: "The addresses that this server sends from are those that the DNS has for {server}. If it stands "
    "behind NAT and others are seen outside, state them: mxbackup address ADDRESS",
    Origin.SMARTHOST: "The mail of this rule goes through the smart host {smarthost}, and the primary sees its "
    "addresses, which are not known here: put them into the letter in the place of ADDRESS.",
    Origin.UNKNOWN: "The address that this server sends from is not known here: put it into the letter in the "
    "place of ADDRESS, or state it: mxbackup address ADDRESS",
}


# The how-to's, shortened. example.org and .net are nobody's (RFC 2606); every domain has a postmaster (RFC 5321).
_DIALOGUE = """\
telnet {server} 25
220 {server}
HELO test.example.org
250
MAIL FROM:<test@example.org>
250
RCPT TO:<postmaster@{name}>
250
RCPT TO:<test@example.net>
550
QUIT
221"""


def title(letter: Letter, words: Lexicon) -> str:
    """Return the title, which can be the subject of a mail."""
    return words.text("Backup MX for {name}: what there is to do", name=names.to_unicode(letter.rule.name))


def text(letter: Letter, words: Lexicon) -> str:
    """Return the letter as plain text."""
    parts = _render("text.j2", letter, words, html=False).strip()
    return printable.lines(re.sub("\n{3,}", "\n\n", parts) + "\n")


def html(letter: Letter, words: Lexicon, level: int = 1) -> str:
    """Return the letter as the content of an element of HTML, whose title is a heading of this level."""
    return printable.lines(_render("html.j2", letter, words, html=True, level=level).strip() + "\n")


def document(letter: Letter, words: Lexicon, charset: str) -> str:
    """Return the letter as a whole document of HTML, to be written in this charset."""
    template = _environment(html=True).get_template("document.j2")
    language = words.language.partition("-")[0]
    content = html(letter, words)
    return template.render(title=title(letter, words), language=language, charset=charset, letter=content) + "\n"


def remarks(letter: Letter, words: Lexicon) -> Iterator[str]:
    """Yield what the sender of the letter should see to before he sends it."""
    settings = letter.facts.us.settings
    if not settings.enabled:
        yield words.text("MX backup is disabled: nothing is accepted until you enable it.")
    else:
        yield from (words.finding(found) for found in accepted_here(letter.facts))
    yield from _about_preference(letter, words)
    if letter.origin in _ORIGINS:
        yield words.text(_ORIGINS[letter.origin], server=letter.server, smarthost=settings.smarthost)
    yield from _about_server(letter, words)


def to_add(letter: Letter) -> str:
    """Return the MX records to add, as a zone file has them (RFC 1035 section 5)."""
    return _records(letter.rule.name, letter.records)


def about_records(letter: Letter, words: Lexicon) -> Iterator[str]:
    """Yield what to mind of the MX records to add."""
    if letter.listed:
        yield words.text("The DNS of {name} names this server already.", name=names.to_unicode(letter.rule.name))
    yield from _about_preference(letter, words)
    yield from _about_server(letter, words)


def _about_preference(letter: Letter, words: Lexicon) -> Iterator[str]:
    if not letter.answered:
        yield words.text("The DNS did not answer, so the preference {preference} is a guess.", preference=GUESS)
    elif letter.preference is None:
        yield words.text("The primary has the greatest preference number that there is: its owner must lower it first.")


def _about_server(letter: Letter, words: Lexicon) -> Iterator[str]:
    if letter.host is None or not letter.host.addresses:
        yield words.text("The DNS has no address for {server}: make its A record first.", server=letter.server)


def _render(form: str, letter: Letter, words: Lexicon, *, html: bool, level: int = 1) -> str:
    name, addresses = letter.rule.name, letter.addresses or (exemptions.PLACEHOLDER,)
    snippets = [(system, system.snippet(addresses, letter.server)) for system in exemptions.SYSTEMS]
    return (
        _environment(html=html)
        .get_template("letter.j2")
        .render(
            form=form,
            level=level,
            _=words.text,
            title_of_letter=title(letter, words),
            letter=letter,
            rule=letter.rule,
            name=name,
            shown=names.to_unicode(name),
            server=letter.server,
            dialogue=_DIALOGUE.format(server=letter.server, name=name),
            to_add=to_add(letter),
            before=_records(name, [(primary.preference, primary.name) for primary in letter.primaries]),
            no_mx=letter.facts.mx in (Status.EMPTY, Status.MISSING),
            snippets=[(system, snippet) for system, snippet in snippets if snippet],
            hold=spans.span(letter.hold, words) if letter.hold is not None else "",
        )
    )


def _records(name: str, exchangers: Iterable[tuple[int, str]]) -> str:
    return "\n".join(f"{name}. IN MX {preference} {host}." for preference, host in exchangers)


@cache
def _environment(*, html: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("mxbackup", "templates/letter"),
        undefined=jinja2.StrictUndefined,
        autoescape=html,  # noqa: S701 - plain text needs none
        trim_blocks=True,
        lstrip_blocks=True,
    )
