# SPDX-License-Identifier: GPL-2.0-or-later
"""The page with the letter to the owner of a name: to look at, to copy, in his language."""

from mxbackup.errors import InvalidInput, UnknownRule
from mxbackup.panel.visit import Page, Redirect, Visit, failed
from mxbackup.rules import names
from mxbackup.service import writing
from mxbackup.words import lexicon

LIMIT = 4.0  # seconds that a person waits for the page
LEVEL = 3  # of its title: below that of the page
NATIVE = {"de": "Deutsch", "en-us": "English", "fr": "Français"}


def letter(visit: Visit) -> Page | Redirect:
    """What to send to the owner."""
    from mxbackup.words import letter as about  # brings the DNS library, which only this page needs

    try:
        found = writing.letter(visit.context, visit.parameter("rule"), limit=LIMIT)
    except (UnknownRule, InvalidInput) as error:
        return failed(visit, error)
    known, wanted = lexicon.languages(), visit.parameter("lang")
    words = lexicon.load(wanted) if wanted in known else visit.words
    return Page(
        "letter.html",
        {
            "rule": found.rule,
            "name": names.to_unicode(found.rule.name),
            "remarks": list(about.remarks(found, visit.words)),
            "languages": [(language, NATIVE.get(language, language)) for language in known],
            "chosen": words.language,
            "title_of_letter": about.title(found, words),
            "letter": about.html(found, words, LEVEL),
            "text": about.text(found, words),
        },
    )
