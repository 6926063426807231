# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages look like on telephones and on wide screens, light and dark, with no, one, nine and 500 rules.

Everything is walked through in one window, which is resized.
"""

import json
from collections.abc import Iterator

import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from mxbackup.words import lexicon
from tests.system import pictures
from tests.system.browser import Browser, published
from tests.system.internet import Internet
from tests.system.machine import Sandbox, wait_until
from tests.system.test_panel_pages import ZONES, axe, delegations, violations  # noqa: F401 - a fixture

LONG = f"{'a' * 60}.{'very-' * 11}long.{'b' * 50}.example.org"
MESSAGE = (
    "HELO out.example",
    "MAIL FROM:<a@out.example>",
    "RCPT TO:<jean@martin.example.org>",
    "DATA",
    "",
    ".",
    "QUIT",
)
PAGES = (
    f"?page=edit&rule={LONG}",
    "?page=rule&rule=martin.example.org",
    "?page=check&rule=dupontnet.com",
    "?page=letter&rule=dupontnet.com",
    "?page=recipients&rule=dupontnet.com",
    "?page=remove&rule=dupontnet.com",
    "?page=address",
)
AUDITED = ((1280, "light"), (360, "dark"))
# What the domains database holds, and what is known of each rule.
Rules = dict[str, tuple[str, dict[str, object] | None]]
FINE: dict[str, object] = {"check": ["fine", []]}
ERROR: dict[str, object] = {"check": ["error", ["nat"]]}
WARNING: dict[str, object] = {"check": ["warning", []]}
AWAY: dict[str, object] = {**FINE, "contact": "unreachable", "reason": "mail.martin.example.org: timed out"}
ONE: Rules = {"dupontnet.com": ("Kind|domain", FINE)}
NINE: Rules = {
    **ONE,
    "www.dupontnet.com": ("Kind|host", FINE),
    "mail.dupontnet.com": ("Kind|host|Route|192.0.2.25:26", WARNING),
    "martin.example.org": ("Kind|domain|Route|mail.martin.example.org:26", AWAY),
    "xn--caf-dma.example.net": ("Description|Le café du coin|Kind|host", ERROR),
    "durand.co.uk": ("Kind|domain", ERROR),
    "mail.durand.co.uk": ("Kind|domain", None),
    LONG: (f"Kind|domain|Route|{LONG[40:]}", FINE),
    "alpha.net": ("Kind|domain", FINE),
}
MANY: Rules = NINE | {
    f"{word}{number:03}.example": ("Kind|domain", FINE) for word in ("a", "b") for number in range(250)
}
FURNISH = """
import json, sys, time
rules, states = json.load(sys.stdin)
path = "/home/e-smith/db/domains"
kept = [line for line in open(path, encoding="utf-8") if "=mxbackup" not in line]
with open(path, "w", encoding="utf-8") as file:
    file.writelines(kept + rules)
now = int(time.time())
since = {"checked": now - 30000, "since": now - 32400}
with open("/var/lib/mxbackup/outages.json", "w") as file:
    known = {name: state | since for name, state in states.items()}
    json.dump({"version": 1, "open": True, "seen": 0, "trouble": "", "rules": known}, file)
"""


def furnish(server: Sandbox, rules: Rules, *invalid: str) -> None:
    """Let these be all rules, in force, and this known of them."""
    records = [f"{name}=mxbackup|{properties}\n" for name, (properties, _) in rules.items()]
    records += [f"{name}=mxbackup|Kind|domain\n" for name in invalid]
    states = {name: state for name, (_, state) in rules.items() if state}
    server.run(["python3", "-c", FURNISH], input=json.dumps([records, states]))
    server.run(["signal-event", "mxbackup-update"])


@pytest.fixture(scope="module")
def browser(server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    glue = "parent.example.net. A 192.0.2.1\ndns1.example.net. A 192.0.2.53\ndns2.example.net. A 192.0.2.54"
    Internet(server).serve({"com": delegations("com"), "net": delegations("net") + glue}, ZONES, ZONES)
    with published(server) as address:
        browser = Browser(address, tmp_path_factory.mktemp("profile"), "en-us")
        yield browser
        browser.driver.quit()


def test_every_page_looks_as_it_did(server: Sandbox, browser: Browser, axe: str) -> None:  # noqa: F811
    wrong = []
    for name in pages(server, browser):
        wrong += look(browser, name, axe)
    assert wrong == []


def pages(server: Sandbox, browser: Browser) -> Iterator[str]:
    """Go from page to page, naming each."""
    say = lexicon.load("en-us").text
    for name, rules in (("none", {}), ("one", ONE), ("nine", NINE)):
        furnish(server, rules, *(["bad_name.example"] if name == "nine" else []))
        if name == "nine":
            server.smtp(*MESSAGE)
        browser.open()
        yield name
    browser.open("?show=error&sort=state")
    yield "errors"
    browser.open("?page=new")
    yield "create"
    browser.fill(say("Name"), "jean@dupont.example")
    browser.press(say("Next"))
    yield "wrong"
    browser.fill(say("Name"), "dupont.com")
    browser.press(say("Next"))
    yield "confirm"
    for query in PAGES:
        browser.open(query)
        yield query.removeprefix("?page=").partition("&")[0]
    browser.open("?q=example&all=1")
    browser.press(say("Remove the chosen ones"))
    yield "remove-several"
    browser.press(say("Remove"))
    yield "removed"
    browser.open("?q=%FF")
    yield "refused"
    furnish(server, MANY)
    browser.open()
    yield "many"


def look(browser: Browser, name: str, axe: str) -> list[str]:  # noqa: F811
    """Return what is wrong with the page in any width and scheme."""
    wait_until(lambda: not browser.driver.find_elements(By.CSS_SELECTOR, "[data-running]"))
    browser.driver.execute_script(pictures.STILL)
    browser.driver.execute_script("document.activeElement.blur()")
    found: list[str] = []
    shots: dict[str, list[Image.Image]] = {scheme: [] for scheme in pictures.SCHEMES}
    for width, scheme in pictures.looks(browser):
        if browser.driver.execute_script("return document.documentElement.scrollWidth") > width:
            found.append(f"{name} is wider than {width}")
        if (width, scheme) in AUDITED:
            found += [f"{name}, {width}, {scheme}: {wrong}" for wrong in violations(browser, axe)]
        shots[scheme].append(pictures.taken(browser, width, pictures.SCALE))
    found += [pictures.complaint(f"{name}-{scheme}", pictures.sheet(those)) for scheme, those in shots.items()]
    return list(filter(None, found))


def test_a_difference_is_seen(browser: Browser) -> None:
    """A button that is gone, or has moved by its height; letters that are drawn a little otherwise are none."""
    browser.open("?page=new")
    browser.resize(1280)
    before = pictures.sheet([pictures.taken(browser, 1280, pictures.SCALE)])
    for change, seen in (
        ("document.body.style.letterSpacing = '.02px'", False),
        ("document.querySelector('button[value=review]').style.visibility = 'hidden'", True),
        ("document.querySelector('button[value=review]').style.cssText = 'position: relative; top: 24px'", True),
    ):
        browser.driver.execute_script(change)
        now = pictures.sheet([pictures.taken(browser, 1280, pictures.SCALE)])
        assert pictures.differs(before, now) is seen, change


def test_with_the_keyboard_alone(server: Sandbox, browser: Browser) -> None:
    """Rules are created, chosen, removed and taken back without a mouse, and what has the focus is outlined."""
    say = lexicon.load("en-us").text
    browser.resize(1280)
    browser.open("?page=new")
    assert focused(browser, "name") == "name"
    ActionChains(browser.driver).send_keys("smithnet.com", Keys.ENTER).perform()
    wait_until(lambda: "review" not in browser.driver.page_source and say("Add") in browser.driver.page_source)
    go_to(browser, "save")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    wait_until(lambda: browser.message.startswith(say("Added {name}.", name="smithnet.com")))
    browser.open("?q=smithnet")
    go_to(browser, "smithnet.com")
    ActionChains(browser.driver).send_keys(Keys.SPACE).perform()
    go_to(browser, "ask")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    wait_until(lambda: say("Remove the rule for {name}", name="smithnet.com") in browser.driver.page_source)
    go_to(browser, "remove")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    wait_until(lambda: browser.message.startswith(say("Removed {name}.", name="smithnet.com")))
    go_to(browser, "restore")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    wait_until(lambda: browser.message == say("Recorded again: {names}.", names="smithnet.com"))


def go_to(browser: Browser, value: str) -> None:
    """Press the tabulator until what has that value has the focus, which must be seen."""
    for _ in range(60):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        assert focused(browser, "tagName") == "BODY" or browser.driver.execute_script(
            "return getComputedStyle(document.activeElement).outlineStyle != 'none'"
        )
        if focused(browser, "value") == value:
            return
    raise AssertionError(f"the tabulator never comes to {value}")


def focused(browser: Browser, what: str) -> object:
    """Return a property of what has the focus."""
    return browser.driver.execute_script("return document.activeElement[arguments[0]]", what)
