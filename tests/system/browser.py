# SPDX-License-Identifier: GPL-2.0-or-later
"""The server-manager of a sandbox in a real Chromium, driven from a test."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.system.machine import CHECKOUT, PATIENCE, Sandbox

PANEL = "server-manager/cgi-bin/mxbackup"
USER, PASSWORD = "admin", "sandbox"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
NO_JAVASCRIPT = {"profile.managed_default_content_settings.javascript": 2}


@contextmanager
def published(machine: Sandbox) -> Iterator[str]:
    """Make the server-manager reachable; yields its address without scheme, `127.0.0.1:PORT`."""
    machine.run(["true"])
    command: list[str | Path] = [CHECKOUT / "sandbox/publish", machine.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout
        try:
            yield relay.stdout.readline().split("/")[2]
        finally:
            relay.terminate()


class Browser:
    """One window of one administrator; words are what stands on the page."""

    def __init__(
        self,
        address: str,
        profile: Path,
        language: str,
        *,
        width: int = 1000,
        height: int = 400,
        scripts: bool = True,
        page: str = PANEL,
    ) -> None:
        options = ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for option in (*OPTIONS, f"--user-data-dir={profile}", f"--window-size={width},900"):
            options.add_argument(option)
        preferences = {"intl.accept_languages": language} | ({} if scripts else NO_JAVASCRIPT)
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver"))
        self.resize(width, height)
        self.home = f"http://{USER}:{PASSWORD}@{address}/{page}"

    def resize(self, width: int, height: int = 900) -> None:
        """Show the page in a window of that size, in pixels; a narrow one is that of a telephone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def colours(self, scheme: str) -> None:
        """Prefer `light` or `dark` colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, query: str = "") -> None:
        """Go to a page of the panel."""
        self.driver.get(self.home + query)

    def press(self, label: str) -> None:
        """Press the button, or follow the link, of that text, and wait for the next page."""
        quoted = f'"{label}"'
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.find_element(
            By.XPATH,
            f"//button[normalize-space()={quoted}] | //a[normalize-space()={quoted}]",
        ).click()
        WebDriverWait(self.driver, PATIENCE).until(lambda _: _gone(before))

    def open_link(self, text: str) -> None:
        """Follow the first link whose text contains that one, and wait for the next page."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.find_element(By.PARTIAL_LINK_TEXT, text).click()
        WebDriverWait(self.driver, PATIENCE).until(lambda _: _gone(before))

    def fill(self, label: str, text: str) -> None:
        """Type into the field of that label, in place of what is there."""
        field = self._labelled(label)
        field.clear()
        field.send_keys(text)

    def choose(self, label: str) -> None:
        """Choose the radio button of that label."""
        self._labelled(label).click()

    def value(self, label: str) -> str:
        """Return what the field of that label holds."""
        found = self._labelled(label).get_property("value")
        assert isinstance(found, str)
        return found

    def complaints(self) -> list[str]:
        """Return what the browser has written to its console, such as what a content security policy has blocked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def unfold(self) -> None:
        """Open the part of the form that is folded."""
        self.driver.find_element(By.TAG_NAME, "summary").click()

    @property
    def message(self) -> str:
        """What is said at the top of the page, its no-break spaces as spaces; empty when nothing is."""
        found = self.driver.find_elements(By.CSS_SELECTOR, "div.success p, div.error p")
        return found[0].text.replace("\u00a0", " ") if found else ""

    @property
    def reason(self) -> str:
        """What is said beside a field."""
        return self.driver.find_element(By.CLASS_NAME, "mx-reason").text.replace("\u00a0", " ")

    @property
    def table(self) -> list[list[str]]:
        """The rows of the first table below its heading."""
        rows = self.driver.find_elements(By.CSS_SELECTOR, "table tbody tr")
        return [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows]

    def _labelled(self, label: str) -> WebElement:
        found = self.driver.find_element(By.XPATH, f'//label[normalize-space()="{label}"]')
        return self.driver.find_element(By.ID, found.get_attribute("for"))


def _gone(element: WebElement) -> bool:
    """Whether the page that the element was on has been left."""
    from selenium.common.exceptions import StaleElementReferenceException, WebDriverException

    try:
        element.is_enabled()
    except (StaleElementReferenceException, WebDriverException):
        return True
    return False
