# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole life of a rule, clicked in real Chromium through the server-manager's Apache, to the real qpsmtpd."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mxbackup.words import lexicon
from tests.system.browser import Browser, published
from tests.system.machine import Sandbox

REFUSED = "550 relaying denied"


@pytest.fixture(scope="module")
def address(server: Sandbox) -> Iterator[str]:
    with published(server) as address:
        yield address


@pytest.fixture
def browse(address: str, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Open the browser of one more administrator: `browse("fr")`."""
    with ExitStack() as stack:
        made: list[Browser] = []

        def make(language: str, *, width: int = 1000, scripts: bool = True) -> Browser:
            profile = tmp_path / f"profile{len(made)}"
            browser = Browser(address, profile, language, width=width, scripts=scripts)
            made.append(browser)
            stack.callback(browser.driver.quit)
            browser.open()
            return browser

        yield make


def accepts(server: Sandbox, address: str) -> bool:
    return server.rcpt(address).startswith("250 ")


@pytest.mark.parametrize(
    ("language", "scripts", "width", "name"),
    [
        ("fr", True, 1000, "dupontnet.com"),
        ("en-us", True, 1000, "smithnet.com"),
        ("fr", False, 360, "martinnet.com"),
    ],
    ids=["fr", "en-us", "fr-no-javascript-narrow"],
)
def test_the_life_of_a_rule(
    server: Sandbox, browse: Callable[..., Browser], language: str, scripts: bool, width: int, name: str
) -> None:
    words = lexicon.load(language)

    def say(sentence: str, **values: object) -> str:
        return words.text(sentence, **values).replace("\u00a0", " ")  # as a browser says it

    browser = browse(language, scripts=scripts, width=width)
    assert not accepts(server, f"jean@{name}")

    browser.press(say("Create a new MX backup rule"))
    browser.fill(say("Name"), name)
    browser.fill(say("Description"), "Jean & <Dupont>")
    browser.press(say("Next"))
    assert [row[:2] for row in browser.table] == [
        [f"{say('someone')}@{name}", say("yes")],
        [f"{say('someone')}@www.{name}", say("yes")],
        [f"{say('someone')}@{say('other.net')}", say("no")],
    ]
    assert not accepts(server, f"jean@{name}")
    browser.press(say("Add"))
    assert browser.message == say("Added {name}.", name=name)
    assert f"{name}. IN MX " in browser.driver.page_source
    browser.press(say("Back to the list of rules"))
    assert name in browser.table[0][1]
    assert accepts(server, f"jean@{name}")
    assert accepts(server, f"jean@www.{name}")

    browser.driver.refresh()
    assert browser.message == ""
    assert len(browser.table) == 1

    browser.open(f"?page=rule&rule={name}")
    assert "Jean &amp; &lt;Dupont&gt;" in browser.driver.page_source
    browser.press(say("Modify"))
    browser.choose(say("Host"))
    browser.press(say("Next"))
    browser.press(say("Save"))
    assert browser.message == say("Changed {name}.", name=name)
    assert accepts(server, f"jean@{name}")
    assert not accepts(server, f"jean@www.{name}")

    browser.press(say("Disable MX backup"))
    assert browser.message == say("MX backup is disabled.")
    assert not accepts(server, f"jean@{name}")
    browser.press(say("Enable MX backup"))
    assert accepts(server, f"jean@{name}")

    browser.open(f"?page=remove&rule={name}")
    browser.press(say("Remove"))
    assert browser.message == say("Removed {name}.", name=name)
    assert browser.table == []
    assert not accepts(server, f"jean@{name}")


def test_the_words_of_the_how_to(browse: Callable[..., Browser]) -> None:
    browser = browse("fr")
    browser.press("Créer une nouvelle règle de MX-Backup")
    browser.choose("Ordinateur")
    browser.choose("Domaine")
    browser.press("Annuler")
    assert "Il n’y a pas encore de règle." in browser.driver.page_source


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Le nom est vide. Donnez un nom de domaine comme exemple.com."),
        ("192.0.2.1", "« 192.0.2.1 » est une adresse IP. Donnez le nom de domaine placé après l’arobase."),
        (
            "jean@dupontnet.com",
            "« jean@dupontnet.com » est une adresse de courriel. "
            "Donnez seulement la partie placée après l’arobase : dupontnet.com",
        ),
        (
            "com",
            "« com » n’a pas de point : il désignerait tout un domaine de premier niveau. "
            "Donnez un nom comme example.com.",
        ),
        (
            "co.uk",
            "« co.uk » est un suffixe public, sous lequel n’importe qui dépose des noms. "
            "Donnez le nom d’un seul domaine, par exemple exemple.co.uk.",
        ),
        (
            "*.dupontnet.com",
            "« *.dupontnet.com » est un motif. Pour le nom et tout ce qui est au-dessous, "
            "donnez « dupontnet.com » avec le type « Domaine » (domain).",
        ),
        (
            "durantcom.net",
            "« durantcom.net » est un domaine local de ce serveur, qui livre lui-même son courrier. "
            "Supprimez d’abord ce domaine si un autre serveur doit en être le serveur primaire.",
        ),
        (
            "dupont_net.com",
            "« dupont_net.com » contient le caractère « _ ». "
            "Un nom est fait de lettres, de chiffres, de traits d’union et de points.",
        ),
    ],
)
def test_wrong_entries(french: Browser, name: str, reason: str) -> None:
    french.open("?page=new")
    french.fill("Nom", name)
    french.fill("Description", "gardée")
    french.press("Suivant")
    assert french.reason == reason
    assert (french.value("Nom"), french.value("Description")) == (name, "gardée")


@pytest.fixture(scope="module")
def french(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for many entries."""
    browser = Browser(address, tmp_path_factory.mktemp("french"), "fr")
    yield browser
    browser.driver.quit()


def test_of_two_administrators_the_second_is_told(server: Sandbox, browse: Callable[..., Browser]) -> None:
    server.sh("mxbackup add dupontnet.com")
    first, second = browse("en-us"), browse("fr")
    for browser in (first, second):
        browser.open("?page=edit&rule=dupontnet.com")
    first.fill("Description", "from the first")
    first.press("Next")
    first.press("Save")
    second.fill("Description", "du second")
    second.press("Suivant")
    second.press("Enregistrer")
    assert "a été modifié entre-temps par quelqu’un d’autre" in second.message
    assert second.value("Description") == "from the first"
    assert "from the first" in server.sh("mxbackup show dupontnet.com")
    server.sh("mxbackup remove dupontnet.com")
