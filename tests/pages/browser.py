"""A real Chromium, and a server for it to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask_talisman import Talisman  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    expect,
    sync_playwright,
)
from werkzeug.serving import make_server

from tests.listening import listening
from tests.needs import missing

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

#: Milliseconds: a machine with other work beside it is slow, and nothing else is wrong.
PATIENCE = 60_000

#: The strictest policy that shops usually have; `form-action` also names the gateway's pages.
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


WEIGHT = (
    "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    ".reduce((sum, entry) => sum + entry.encodedBodySize, 0)"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium, or skip the test if the machine has none and need not have it."""
    if not CHROMIUM.exists():
        missing("Chromium")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        new_context = browser.new_context

        def patient(**options: Any) -> BrowserContext:
            context = new_context(**options)
            context.set_default_timeout(PATIENCE)
            return context

        browser.new_context = patient  # type: ignore[method-assign]  # with more patience
        expect.set_options(timeout=PATIENCE)

        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(app: Flask, *gateway: str) -> Iterator[str]:
    """Serve *app* under the strict policy, with forms that may lead to *gateway*; give its URL."""
    policy = POLICY | {"form-action": ["'self'", *gateway]}
    Talisman(app, force_https=False, content_security_policy=policy, session_cookie_secure=False)
    server = make_server("127.0.0.1", 0, app, threaded=True)

    with listening(server) as url:
        yield url


class Visit:
    """Look at pages and keep what a payer would not see: requests, complaints, dialogs."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        self.requests: list[str] = []
        self.complaints: list[str] = []

        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self.listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self.close)

    def listen(self, message: ConsoleMessage) -> None:
        # Browsers ask every site for a favicon; whether there is one is the shop's business.
        if not message.location["url"].endswith("/favicon.ico"):
            self.complaints.append(message.text)

    def close(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def open(self, path: str) -> Page:
        """Open *path* of the shop, and forget what was noted before."""
        self.requests.clear()
        self.complaints.clear()
        self.page.goto(self.home + path)

        return self.page

    def weight(self) -> int:
        """Give the bytes that the page and all that it loads have on the wire."""
        return int(self.page.evaluate(WEIGHT))
