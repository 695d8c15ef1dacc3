"""Take the pictures of docs/theming.md anew: python -m tests.pages.screenshots."""

from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask
from playwright.sync_api import Browser

from tests.pages.browser import chromium, served
from tests.pages.shown import make_app
from tests.pages.test_frameworks import with_bootstrap, with_tailwind
from tests.pages.test_theming import DOCS, LOOKS, receipt, themed


def take(browser: Browser, app: Flask, path: str, name: str, scheme: str = "light") -> None:
    """Save what Chromium shows at *path* of *app* as the picture *name*."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        viewport={"width": 1000, "height": 560},
    )
    page = context.new_page()

    with served(app) as url:
        page.goto(f"{url}/pay/show/{path}")
        picture = DOCS / "images" / f"{name}.png"
        page.screenshot(path=picture, animations="disabled", full_page=True)

    context.close()


class Kept:
    """What comes from the npm registry, beside what the tests keep of it."""

    def mkdir(self, name: str) -> Path:
        """Return the folder *name*, made if there is none."""
        folder = DOCS.parent / ".pytest_cache" / "d" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def take_all() -> None:
    """Take a picture of each look, and of the pages as they come."""
    with chromium() as browser, TemporaryDirectory() as folder:
        place = Path(folder)

        for name, make in (("bootstrap", with_bootstrap), ("tailwind", with_tailwind)):
            take(browser, make(place / name, Kept()), "return/failed", f"theme-{name}")

        for name in ("receipt", *LOOKS):
            (place / name).mkdir()

        take(browser, make_app(place), "checkout/wrong?language=hy", "page-checkout")
        take(browser, make_app(place), "return/paid?language=ru", "page-return", "dark")
        take(browser, receipt(place / "receipt"), "return/paid", "theme-receipt")

        for look in LOOKS:
            take(browser, themed(place / look, look), "checkout/resume", f"theme-{look}")


if __name__ == "__main__":
    take_all()
