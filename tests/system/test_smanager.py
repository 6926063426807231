# SPDX-License-Identifier: GPL-2.0-or-later
"""The new manager of SME 10 and 11: our entry in its menu, and our panel in its page, in a real Chromium."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from mxbackup.words import lexicon
from tests.system.browser import PANEL, Browser, published
from tests.system.machine import Sandbox, wait_until
from tests.system.test_panel_pages import LANGUAGES as PICTURED
from tests.system.test_panel_pages import axe, furnish, save, tidy  # noqa: F401 - a fixture

PAGE = "smanager/mxbackup"
# What the browser asks for, and the language that it gets.
LANGUAGES = {"en-US,en": "en-us", "fr-FR,fr": "fr", "de": "de", "it": "en-us", "it-IT,it": "en-us"}
SYSTEM = {"en-us": "System", "fr": "Système", "de": "System"}
E_MAIL = {"en-us": "E-Mail", "fr": "Messagerie", "de": "E-Mail"}


@pytest.fixture(scope="module")
def sme10() -> Iterator[Sandbox]:
    machine = Sandbox("smanager", "sme10")
    machine.install("smeserver-mxbackup-utf8")
    furnish(machine)
    yield machine
    machine.stop()


@pytest.fixture(scope="module")
def manager(sme10: Sandbox) -> Iterator[str]:
    page = ["curl", "-fsS", "http://127.0.0.1:982/mxbackup"]
    wait_until(lambda: sme10.run(page, check=False).returncode == 0)  # it restarts when the package comes
    with published(sme10) as address:
        yield address


@pytest.fixture
def browse(manager: str, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Open the page in one more browser: `browse("fr-FR,fr")`."""
    made: list[Browser] = []

    def make(language: str = "en-US,en", *, scripts: bool = True) -> Browser:
        profile = tmp_path / f"profile{len(made)}"
        browser = Browser(manager, profile, language, width=1280, height=900, scripts=scripts, page=PAGE)
        made.append(browser)
        browser.open()
        return browser

    yield make
    for browser in made:
        browser.driver.quit()


@contextmanager
def framed(browser: Browser) -> Iterator[None]:
    """Within the frame."""
    browser.driver.switch_to.frame("mxbackup-panel")
    try:
        yield
    finally:
        browser.driver.switch_to.default_content()


def box(browser: Browser) -> dict[str, int]:
    """Where the frame is, and its width and height."""
    return browser.driver.find_element(By.ID, "mxbackup-panel").rect


def told_to_log_in(browser: Browser) -> bool:
    return browser.driver.find_element(By.ID, "mxbackup-ended").is_displayed()


@pytest.mark.parametrize("wanted", LANGUAGES)
def test_the_panel_at_home(browse: Callable[..., Browser], axe: str, wanted: str) -> None:  # noqa: F811
    language = LANGUAGES[wanted]
    say = lexicon.load(language).text
    browser = browse(wanted)

    entries = browser.driver.find_elements(By.CSS_SELECTOR, "#navigation .section-title, #navigation a")
    menu = [entry.text for entry in entries]
    assert menu[menu.index(E_MAIL[language]) + 1] == say("MX-Backup")
    assert menu.index(SYSTEM[language]) < menu.index("MX-Backup")
    assert browser.driver.title == say("MX backup configuration")
    assert not told_to_log_in(browser)
    assert browser.complaints() == []
    assert box(browser)["width"] > 1000
    assert box(browser)["height"] > 600
    if language in PICTURED:
        save(browser, f"smanager-{language}")

    with framed(browser):
        assert browser.driver.find_element(By.TAG_NAME, "h1").text == say("MX backup configuration")
        assert browser.driver.find_element(By.LINK_TEXT, "dupontnet.com")
        browser.driver.execute_script(axe)
    # The rest is the manager's.
    browser.driver.execute_script(axe)
    found = browser.driver.execute_async_script("axe.run('#module').then(arguments[arguments.length - 1])")
    assert [f"{v['id']}: {[node['html'] for node in v['nodes']]}" for v in found["violations"]] == []
    assert tidy(browser.driver.page_source) == ""


@pytest.mark.parametrize("scripts", [True, False])
def test_the_life_of_a_rule(sme10: Sandbox, browse: Callable[..., Browser], scripts: bool) -> None:
    say = lexicon.load("fr").text
    name = "smithnet.com" if scripts else "martin.fr"
    browser = browse("fr-FR,fr", scripts=scripts)
    assert told_to_log_in(browser) is not scripts
    assert box(browser)["width"] > 1000
    assert box(browser)["height"] > 600
    with framed(browser):
        browser.press(say("Create a new MX backup rule"))
        browser.fill(say("Name"), name)
        browser.press(say("Next"))
        browser.press(say("Add"))
        assert browser.message == say("Added {name}.", name=name).replace("\u00a0", " ")
        assert sme10.rcpt(f"jean@{name}").startswith("250")
        browser.press(say("Back to the list of rules"))
        browser.open_link(name)
        browser.press(say("Remove"))
        browser.press(say("Remove"))
        assert browser.message.startswith(say("Removed {name}.", name=name).replace("\u00a0", " "))
        assert sme10.rcpt(f"jean@{name}").startswith("550")
    assert browser.driver.current_url.endswith(f"/{PAGE}")
    # Within a frame that has the focus already, a field cannot take it by itself.
    assert [said for said in browser.complaints() if "Autofocus" not in said] == []


def test_the_frame_is_as_high_as_the_panel(sme10: Sandbox, browse: Callable[..., Browser]) -> None:
    names = [f"a{number}.example.net" for number in range(40)]
    sme10.sh("".join(f"mxbackup add {name} --no-event\n" for name in names))
    try:
        browser = browse()
        wait_until(lambda: box(browser)["height"] > 1500)
        with framed(browser):
            inside = browser.driver.execute_script(
                "let page = document.documentElement;"
                "return [page.scrollWidth - page.clientWidth, page.scrollHeight - page.clientHeight]"
            )
            assert inside == [0, 0]
            browser.open_link("a39.example.net")
        wait_until(lambda: box(browser)["height"] < 1500)
        assert browser.driver.execute_script("return window.scrollY <= arguments[0]", box(browser)["y"])
    finally:
        sme10.sh("".join(f"db domains delete {name}\n" for name in names))


@pytest.mark.parametrize("scripts", [True, False])
def test_who_is_not_logged_in_any_more_is_told_what_to_do(browse: Callable[..., Browser], scripts: bool) -> None:
    browser = browse("fr-FR,fr", scripts=scripts)
    browser.driver.add_cookie({"name": "auth_tkt", "value": "expired", "path": "/"})
    browser.open()
    with framed(browser):
        assert browser.driver.find_element(By.TAG_NAME, "h1").text == "Log in"
    wait_until(lambda: told_to_log_in(browser))
    assert box(browser)["height"] > 600
    browser.driver.delete_cookie("auth_tkt")
    browser.press(lexicon.load("fr").text("Log in again"))
    assert browser.driver.current_url.endswith("/smanager/login")


def test_nobody_else_can_embed_the_panel(sme10: Sandbox, manager: str, browse: Callable[..., Browser]) -> None:
    """Not even a page on another port of this server, for which the browser has logged in already."""
    browser = browse()
    with published(sme10) as stranger:
        browser.driver.get(f"http://{stranger}/server-common/login.html")
        browser.complaints()
        embed = "let f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f)"
        browser.driver.execute_script(embed, f"http://{manager}/{PANEL}")
        wait_until(lambda: any("frame-ancestors 'self'" in complaint for complaint in browser.complaints()))


def test_the_entry_comes_and_goes_with_the_package(new_sandbox: Callable[..., Sandbox]) -> None:
    server = new_sandbox("sme10")
    ours = "find /usr/share/smanager -iname 'mxbackup*' | sort"
    words = server.install("smeserver-mxbackup-utf8")
    assert "FAILED" not in words
    assert "mxbackup=panel|" in server.read("/home/e-smith/db/navigation2/navigation.fr")
    assert "/Mxbackup/fr.pm\n" in server.sh("find /usr/share/smanager")
    assert server.run(["rpm", "-V", "smeserver-mxbackup-utf8"]).stdout == ""
    server.run(["rpm", "-e", "smeserver-mxbackup-utf8"])
    assert server.sh(ours) == ""
