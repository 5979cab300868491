"""A real browser before the page, and the simulator behind it."""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BASE = os.environ["SETTINGS_URL"]
SCREENSHOTS = Path(os.environ["SETTINGS_SCREENSHOTS"])


def control(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST /`path` on the simulator."""
    request = urllib.request.Request(f"{os.environ['TIDINGS_CONTROL']}/{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=150) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


def clear_faults() -> None:
    """What is held goes on."""
    request = urllib.request.Request(f"{os.environ['TIDINGS_CONTROL']}/faults", method="DELETE")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()


# Whatever the page asks the server for is told here as well.
LISTENING = """const asked = window.fetch
window.fetch = async (...all) => {
  const answer = await asked(...all)
  answer.clone().text().then((text) => window.heard(text), () => {})
  return answer
}"""


class Person:
    """A person at a browser of their own; whatever the server says to it is kept, to be searched for secrets."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.complaints: list[str] = []
        page.expose_function("heard", lambda text: self.said.append(text))
        page.add_init_script(LISTENING)
        page.on("pageerror", lambda error: self.complaints.append(f"page: {error}"))
        page.on("console", lambda line: self.complaints.append(f"console: {line.text}") if "Content Security Policy" in line.text else None)

    def open(self, where: str = "/settings/integrations") -> None:
        self.page.goto(f"{BASE}/#{where}")

    def sign_in(self, name: str) -> None:
        """On Microsoft's page: pick, accept, and come back."""
        self.page.get_by_role("button", name=name).click()
        self.page.get_by_role("button", name="Accept").click()
        self.page.wait_for_url(f"{BASE}/**")

    def connect(self, name: str, *features: str) -> None:
        self.open()
        for feature in features:
            self.page.get_by_label(feature).check()
        self.page.get_by_role("button", name="Continue to Microsoft").click()
        self.sign_in(name)

    def shot(self, name: str) -> None:
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium has no sandbox for root; the pages are our own and the simulator's.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=os.environ["SETTINGS_BROWSER"], args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def person(browser: Browser) -> Iterator[Person]:
    context = browser.new_context(viewport={"width": 1200, "height": 800}, color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(30_000)
    person = Person(context.new_page())
    yield person
    context.close()
    assert person.complaints == []
    # No token, code or password that passed the simulator.
    assert control("secrets/find", {"text": person.said or ["nothing"]})["found"] == []
