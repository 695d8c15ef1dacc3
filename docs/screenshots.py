"""Take the screenshots of the demo store and the simulator: `make screenshots`.

Both run in this process, so that a payment can be kept pending for its picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, ViewportSize
from werkzeug.serving import make_server

from demo_app import SIMULATOR, create_app, listen
from spayon_flask.simulator import Simulator
from tests.listening import listening
from tests.pages.browser import chromium

IMAGES = Path(__file__).parent / "images"
SIZE = ViewportSize(width=1200, height=800)

#: A README shows no picture wider than this makes them.
SCALE = 0.8

#: Readers load these with the README.
MOST_BYTES = 150_000


@contextmanager
def open_store(simulator: Simulator, folder: str) -> Iterator[str]:
    """Serve the store, which pays at *simulator* and keeps its data in *folder*; give its URL."""
    app = create_app(folder, **SIMULATOR, SPAYON_API_URL=simulator.url)

    with listen(5000) as listener:
        host, port = listener.getsockname()
        server = make_server(host, port, app, threaded=True, fd=listener.fileno())
        # `http.server` notes it only when it binds the socket itself.
        server.server_port = port

        with listening(server) as url:
            yield url


def take(page: Page, name: str, *, whole: bool = True) -> None:
    """Save what *page* shows, the *whole* of it or what fits into the window."""
    path = IMAGES / f"{name}.png"
    size = len(page.screenshot(path=path, full_page=whole))
    print(f"{path.name}: {size // 1000} kB")

    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} is too large for a README")


def order(page: Page, *slugs: str) -> None:
    """Order products, and stop at the checkout page."""
    for slug in slugs:
        page.goto("/")
        page.click(f"button[value={slug}]")

    page.click(".panel .button")
    page.click(".panel .button")


def walk(page: Page, simulator: Simulator) -> None:
    """Take every picture on one visit to the store."""
    page.goto("/")
    take(page, "demo-catalogue", whole=False)

    order(page, "pomegranate", "jazzve")
    take(page, "checkout")
    page.click(".spayon-button-primary")
    page.click("button[name=pay]")
    simulator.settle()
    page.goto(page.url)
    take(page, "return-paid")


def main() -> None:
    """Open the store, and walk through it with a camera."""
    IMAGES.mkdir(exist_ok=True)

    with (
        TemporaryDirectory() as folder,
        Simulator(port=5001) as simulator,
        open_store(simulator, folder) as store,
        chromium() as browser,
    ):
        context = browser.new_context(base_url=store, viewport=SIZE, device_scale_factor=SCALE)
        walk(context.new_page(), simulator)


if __name__ == "__main__":
    main()
