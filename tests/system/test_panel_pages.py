# SPDX-License-Identifier: GPL-2.0-or-later
"""Every page of the panel in both languages: accessible, valid, and usable on a narrow screen.

With MXBACKUP_SCREENSHOTS naming a directory, a picture of each is saved there.
"""

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mxbackup.words import lexicon
from tests.system.browser import Browser, published
from tests.system.internet import Internet
from tests.system.machine import Sandbox

AXE = Path(__file__).parent / "axe"
LANGUAGES = ("fr", "en-us")
WIDTHS = (1000, 360)
RULES = """\
mxbackup add dupontnet.com --description 'Jean Dupont' --no-event
mxbackup add www.dupontnet.com --kind host --no-event
mxbackup add martin.example.org --route mail.martin.example.org:26 --no-event
mxbackup add café.example.net --kind host --description 'Le café du coin' --no-event
db domains set bad_name.example mxbackup Kind domain
db configuration set SMTPSmartHost smtp.provider.net
signal-event mxbackup-update
"""
# The primary of martin.example.org has been away for nine hours, and was for a day two weeks ago.
OUTAGE = """
import json, time
now = int(time.time())
records = [[0, "mail.martin.example.org", False], [5, "mail.durantcom.net", True]]
servers = [
    ["dns1.example.org (192.0.2.63)", "answers", records],
    ["dns2.example.org (192.0.2.64)", "answers", records[:1]],
    ["dns3.example.org (192.0.2.65)", "silent", []],
]
checked = {"check": ["fine", []], "checked": now - 30000}
martin = {"check": ["warning", [], servers], "checked": now - 30000}
names = ("dupontnet.com", "www.dupontnet.com", "xn--caf-dma.example.net")
away = {"contact": "unreachable", "reason": "mail.martin.example.org: timed out", "since": now - 32400}
states = {"martin.example.org": {**martin, **away}} | {name: checked for name in names}
events = [(-1300000, "begun"), (-1213600, "back"), (-1213500, "drained"), (-32400, "begun"), (-30000, "held")]
told = {"begun": {"reason": "timed out"}, "drained": {"messages": 17, "waited": 86400}, "held": {"messages": 1}}
lines = [{"time": now + at, "name": "martin.example.org", "event": e} | told.get(e, {}) for at, e in events]
with open("/var/lib/mxbackup/history", "w") as file:
    file.writelines(json.dumps(line) + "\\n" for line in lines)
with open("/var/lib/mxbackup/outages.json", "w") as file:
    json.dump({"version": 1, "open": True, "seen": 0, "trouble": "", "rules": states}, file)
"""
NS = "@ NS dns1.example.net.\n@ NS dns2.example.net.\n"
# All is well with the first, and of the second, which has no rule yet, we are the best MX.
ZONES = {
    "dupontnet.com": f"1 {NS}mail A 192.0.2.25\n@ MX 0 mail\n@ MX 5 mail.durantcom.net.",
    "dupont.com": f"1 {NS}mail A 192.0.2.25\n@ MX 5 mail\n@ MX 0 mail.durantcom.net.",
    "durantcom.net": f"1 {NS}mail A 192.0.2.10",
    "example.net": "1 @ NS dns1\ndns1 A 192.0.2.53\ndns2 A 192.0.2.54",
}


def delegations(top: str) -> str:
    """The zone of a top-level domain."""
    below = [NS.replace("@", f"{zone}.") for zone in ZONES if zone.endswith(f".{top}")]
    return "1 @ NS parent.example.net.\n" + "".join(below)


def furnish(server: Sandbox) -> None:
    """Give a server rules, an Internet in which some of them hold, and an outage during which mail waits."""
    glue = "parent.example.net. A 192.0.2.1\ndns1.example.net. A 192.0.2.53\ndns2.example.net. A 192.0.2.54"
    parent = {"com": delegations("com"), "net": delegations("net") + glue}
    Internet(server).serve(parent, ZONES, ZONES)
    server.sh(RULES)
    server.smtp(
        "HELO out.example", "MAIL FROM:<a@out.example>", "RCPT TO:<jean@martin.example.org>", "DATA",
        "Subject: Test", "", "yes", ".", "QUIT",
    )  # fmt: skip
    server.run(["python3", "-c", OUTAGE])


@pytest.fixture(scope="module")
def address(server: Sandbox) -> Iterator[str]:
    furnish(server)
    with published(server) as address:
        yield address


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility rules, as a script."""
    script = AXE / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=AXE, check=True)
    return script.read_text()


@pytest.fixture(
    params=[(language, width) for language in LANGUAGES for width in WIDTHS], ids=lambda p: f"{p[0]}-{p[1]}"
)
def browser(request: pytest.FixtureRequest, address: str, tmp_path: Path) -> Iterator[Browser]:
    language, width = request.param
    browser = Browser(address, tmp_path / "profile", language, width=width)
    yield browser
    browser.driver.quit()


def pages(browser: Browser, language: str) -> Iterator[str]:
    """Go from page to page, naming each."""
    say = lexicon.load(language).text
    browser.open()
    yield "front"
    browser.press(say("Create a new MX backup rule"))
    yield "create"
    browser.fill(say("Name"), "jean@dupont.example")
    browser.press(say("Next"))
    yield "wrong"
    browser.fill(say("Name"), "dupont.com")
    browser.press(say("Next"))
    yield "confirm"
    browser.open("?page=edit&rule=martin.example.org")
    yield "modify"
    browser.open("?page=rule&rule=martin.example.org")
    assert say("Deliver now") in browser.driver.page_source
    yield "rule"
    browser.open("?page=check&rule=dupontnet.com")
    yield "check"
    browser.open("?page=letter&rule=dupontnet.com")
    browser.driver.find_element("css selector", "summary").click()
    yield "letter"
    browser.open("?page=remove&rule=dupontnet.com")
    yield "remove"
    browser.open("?q=%FF")
    yield "refused"


def test_pages(browser: Browser, axe: str, request: pytest.FixtureRequest) -> None:
    language, width = request.node.callspec.params["browser"]
    for name in pages(browser, language):
        assert violations(browser, axe) == [], name
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width, name
        assert tidy(browser.driver.page_source) == "", name
        if width > 500 or name == "front":
            save(browser, f"{name}-{language}{'' if width > 500 else '-narrow'}")


def test_the_tools_find_mistakes(address: str, axe: str, tmp_path: Path) -> None:
    browser = Browser(address, tmp_path / "profile", "fr", width=360)
    try:
        browser.open()
        script = "document.querySelector('main').innerHTML += arguments[0]"
        browser.driver.execute_script(script, f'<img src="x"><pre>{"x" * 200}</pre>')
        assert [found.partition(":")[0] for found in violations(browser, axe)] == ["image-alt"]
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") > 360
        assert tidy("<html><body><form><b><p></b></form>") != ""
    finally:
        browser.driver.quit()


def violations(browser: Browser, axe: str) -> list[str]:
    """Return what the accessibility rules find wrong."""
    browser.driver.execute_script(axe)
    found = browser.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [f"{v['id']}: {v['help']}: {[node['html'] for node in v['nodes']]}" for v in found["violations"]]


def tidy(html: str) -> str:
    """Return the errors and warnings of HTML Tidy; it does not know SVG's and CSS's newer words."""
    done = subprocess.run(
        ["tidy", "-q", "-e", "--drop-empty-elements", "no", "--mute", "PROPRIETARY_ATTRIBUTE"],
        input=f"<!DOCTYPE html>{html}",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def save(browser: Browser, name: str) -> None:
    directory = os.environ.get("MXBACKUP_SCREENSHOTS")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        picture = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        Path(directory, f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
