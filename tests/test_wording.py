# SPDX-License-Identifier: GPL-2.0-or-later
"""How rules and records are said, in both languages."""

import pytest

from mxbackup import rules
from mxbackup.errors import InvalidInput
from mxbackup.esmith.inventory import Invalid
from mxbackup.esmith.settings import Settings
from mxbackup.words import about_rules, lexicon

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
            "Écarté, l’enregistrement bad_name.fr n’est pas une règle\u00a0: x "
            "Pour le supprimer\u00a0: mxbackup remove bad_name.fr",
        ),
    ],
)
def test_a_record_left_out_is_told_with_the_remedy(key: str, words: lexicon.Lexicon, said: str) -> None:
    assert words.finding(Invalid(key, InvalidInput("{reason}", reason="x")).finding) == said


@pytest.mark.parametrize(
    ("rule", "smarthost", "routes", "said"),
    [
        ({"route": "mail.dupontnet.com:26"}, "", True, "mail.dupontnet.com:26"),
        ({"route": "mail.dupontnet.com:26"}, "", False, "MX"),
        ({"route": "mail.dupontnet.com:26"}, "smtp.provider.net", False, "smart host smtp.provider.net"),
        ({}, "", True, "MX"),
        ({}, "smtp.provider.net", True, "MX, around the smart host"),
        ({}, "smtp.provider.net", False, "smart host smtp.provider.net"),
        ({"smarthost": "use"}, "smtp.provider.net", True, "smart host smtp.provider.net"),
    ],
)
def test_the_destination_is_where_the_mail_goes_in_fact(
    rule: dict[str, str], smarthost: str, routes: bool, said: str
) -> None:
    settings = Settings(smarthost=smarthost, routes=routes)
    assert about_rules.destination(rules.make("dupontnet.com", **rule), settings, ENGLISH) == said


@pytest.mark.parametrize(
    ("rule", "settings", "begins", "ends"),
    [
        ({"route": "192.0.2.1"}, Settings(), "", ""),
        ({}, Settings(routes=False), "", ""),
        ({}, Settings(smarthost="smtp.provider.net"), "", ""),
        ({"smarthost": "use"}, Settings(smarthost="smtp.provider.net", routes=False), "", ""),
        ({"route": "192.0.2.1"}, Settings(routes=False), "This server has no template", "Write them by hand."),
        ({}, Settings(smarthost="smtp.provider.net", routes=False), "This server has no", "Write them by hand."),
    ],
)
def test_a_route_that_does_not_count_is_told(rule: dict[str, str], settings: Settings, begins: str, ends: str) -> None:
    said = about_rules.no_effect(rules.make("dupontnet.com", **rule), settings, ENGLISH)
    assert said.startswith(f"warning: /var/qmail/control/smtproutes: {begins}" if begins else "")
    assert said.endswith(ends)
    assert bool(said) == bool(begins)


def test_what_a_rule_is_for_below_another() -> None:
    cover = rules.make("dupontnet.com")
    assert about_rules.covered(rules.make("www.dupontnet.com"), cover, FRENCH) == (
        "Elle est couverte par la règle de domaine dupontnet.com, et n’y ajoute rien."
    )
    assert about_rules.covered(rules.make("www.dupontnet.com", smarthost="use"), cover, FRENCH) == (
        "Elle se trouve sous la règle de domaine dupontnet.com, et c’est elle qui s’applique."
    )
    assert about_rules.still_accepted("xn--t-9fab.dupontnet.com", cover, FRENCH) == (
        "Le courrier pour été.dupontnet.com reste accepté par la règle de domaine dupontnet.com."
    )


def test_a_missing_list_is_told_with_the_remedy() -> None:
    assert about_rules.no_list(rules.make("été.fr"), FRENCH) == (
        "Il n’y a pas encore de liste\u00a0: tout son courrier est différé. "
        "Importez-la\u00a0: mxbackup recipients import xn--t-9fab.fr FICHIER"
    )
