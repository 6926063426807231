# SPDX-License-Identifier: GPL-2.0-or-later
"""The new manager of SME 10 and 11: our entry in its menu, and our panel in its page, in a real Chromium."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from mxbackup.words import lexicon
from tests.system.browser import Browser, published
from tests.system.machine import CHECKOUT, Sandbox, wait_until
from tests.system.test_panel_pages import axe, save, tidy  # noqa: F401 - a fixture

PAGE = "smanager/mxbackup"
PART = CHECKOUT / "sandbox/base/parts/smanager"
# What the browser asks for, and the language that it gets.
LANGUAGES = {"en-US,en": "en-us", "fr-FR,fr": "fr", "de": "de", "it": "en-us", "it-IT,it": "en-us"}
SECTIONS = {"en-us": "System", "fr": "Système", "de": "System"}
E_MAIL = {"en-us": "E-Mail", "fr": "Messagerie", "de": "E-Mail"}


@pytest.fixture(scope="module")
def manager(server: Sandbox) -> Iterator[str]:
    server.sh(f"cp -a {PART}/. / && ln -s /var/service/smanager /service")
    for command in ("sv restart httpd-admin", "curl -fsS http://127.0.0.1:982/mxbackup"):
        wait_until(lambda command=command: server.run(command.split(), check=False).returncode == 0)  # type: ignore[misc]
    with published(server) as address:
        yield address


@pytest.fixture
def new_browser(manager: str, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    made: list[Browser] = []

    def make(language: str, **options: bool) -> Browser:
        browser = Browser(manager, tmp_path / f"profile{len(made)}", language, width=1280, page=PAGE, **options)
        made.append(browser)
        browser.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
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


def size(browser: Browser) -> tuple[int, int]:
    """The width and height of the frame."""
    box = browser.driver.find_element(By.ID, "mxbackup-panel").rect
    return box["width"], box["height"]


def told_to_log_in(browser: Browser) -> bool:
    return browser.driver.find_element(By.ID, "mxbackup-ended").is_displayed()


@pytest.mark.parametrize("wanted", LANGUAGES)
def test_the_panel_at_home(new_browser: Callable[..., Browser], axe: str, wanted: str) -> None:  # noqa: F811
    language = LANGUAGES[wanted]
    say = lexicon.load(language).text
    browser = new_browser(wanted)

    entries = browser.driver.find_elements(By.CSS_SELECTOR, "#navigation .section-title, #navigation a")
    menu = [entry.text for entry in entries]
    assert menu[menu.index(E_MAIL[language]) + 1] == say("MX-Backup")
    assert menu.index(SECTIONS[language]) < menu.index("MX-Backup")
    assert browser.driver.title == say("MX backup configuration")
    assert not told_to_log_in(browser)

    assert browser.complaints() == []
    width, height = size(browser)
    assert width > 1000
    assert height > 600
    with framed(browser):
        assert browser.driver.find_element(By.TAG_NAME, "h1").text == say("MX backup configuration")
        assert say("There is no rule yet.") in browser.driver.page_source
        browser.driver.execute_script(axe)
    # The rest is the manager's.
    browser.driver.execute_script(axe)
    found = browser.driver.execute_async_script("axe.run('#module').then(arguments[arguments.length - 1])")
    assert [f"{v['id']}: {[node['html'] for node in v['nodes']]}" for v in found["violations"]] == []
    assert tidy(browser.driver.page_source) == ""
    save(browser, f"smanager-{language}")
