"""Take the pictures of docs/desk.md anew: python -m tests.staff.screenshots."""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, ViewportSize

from tests.pages.browser import chromium, served
from tests.staff.shown import make_shown_shop

IMAGES = Path(__file__).parents[2] / "docs" / "images"

WIDE = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=390, height=800)

#: The picture, its page, the language, and how it is looked at.
PICTURES = (
    ("desk-today", "", "en", WIDE, "light"),
    ("desk-payments", "/list?status=paid&q=A-10", "ru", WIDE, "dark"),
    ("desk-payment", "/62", "hy", NARROW, "light"),
    ("desk-decide", "/62/decide?decision=refuse", "en", NARROW, "dark"),
    ("desk-export", "/export?from=2026-11-01&to=2026-12-31", "en", WIDE, "light"),
)


def take(
    browser: Browser, url: str, name: str, path: str, language: str, size: ViewportSize, scheme: str
) -> None:
    """Save what Chromium shows at *path* of the desk as the picture *name*."""
    context = browser.new_context(
        locale=language,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        viewport=size,
        device_scale_factor=0.8 if size is WIDE else 1,
    )
    page = context.new_page()
    page.goto(f"{url}/staff/payments{path}")
    page.screenshot(path=IMAGES / f"{name}.png", full_page="list" not in path)
    context.close()


def take_all() -> None:
    """Open a desk with payments, and take every picture."""
    with TemporaryDirectory() as folder, chromium() as browser:
        shop = make_shown_shop(f"sqlite:///{Path(folder) / 'shop.db'}")

        with served(shop.app) as url:
            for picture in PICTURES:
                take(browser, url, *picture)


if __name__ == "__main__":
    take_all()
