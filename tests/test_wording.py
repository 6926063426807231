# SPDX-License-Identifier: GPL-2.0-or-later
"""How rules and records are said, in both languages."""

import pytest

from mxbackup import lexicon, wording
from mxbackup.errors import InvalidInput

ENGLISH, FRENCH = lexicon.load("en-us"), lexicon.load("fr")


@pytest.mark.parametrize(
    ("key", "words", "said"),
    [
        (
            "bad_name.fr",
            ENGLISH,
            "Left out, the record bad_name.fr is no rule: x To remove it: mxbackup remove bad_name.fr",
        ),
        ("a b", ENGLISH, "Left out, the record a b is no rule: x To remove it: mxbackup remove 'a b'"),
        (
            "bad_name.fr",
            FRENCH,
            "Laissé de côté, l’enregistrement bad_name.fr n’est pas une règle\u00a0: x "
            "Pour le supprimer\u00a0: mxbackup remove bad_name.fr",
        ),
    ],
)
def test_a_record_left_out_is_told_with_the_remedy(key: str, words: lexicon.Lexicon, said: str) -> None:
    assert wording.left_out(key, InvalidInput("x"), words) == said
