"""What a payer's browser loads for each page: requests, bytes and shifts."""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from tests.benchmarks.documents import Table
from tests.benchmarks.reports import Figures
from tests.benchmarks.reports import Goal
from tests.pages.browser import Visit
from tests.pages.browser import chromium
from tests.pages.browser import served
from tests.pages.shown import make_app


KILOBYTE = 1024

#: The heaviest state of each page, in the language with the longest letters.
HEAVIEST = (
    *(("checkout", "wrong"), ("return", "slow"), ("return", "failed")),
    *(("cancel", "payable"), ("error", "unknown_order")),
)
WATCH = (
    "window.shift = 0; new PerformanceObserver(list => { for (const entry of list.getEntries())"
    " shift += entry.value }).observe({type: 'layout-shift', buffered: true})"
)


def run(*, quick: bool) -> Figures:
    """Open each page in browsers that have never seen it."""
    with (
        TemporaryDirectory() as folder,
        served(make_app(Path(folder))) as url,
        chromium() as browser,
    ):
        rows = [
            (page, state, *_look(browser, url, f"/pay/show/{page}/{state}"))
            for page, state in HEAVIEST
        ]

    return Figures(
        name="pages",
        page="theming.md",
        table=Table(
            ("page", "requests", "bytes", "layout shift"),
            [
                (f"{page}, {state}", str(requests), f"{size}", f"{shift:.2f}")
                for page, state, requests, size, shift in rows
            ],
        ),
        goals=[
            Goal(what="requests of a page", most=3, value=max(row[2] for row in rows)),
            Goal(
                what="weight of a page, uncompressed",
                most=30,
                value=max(row[3] for row in rows) / KILOBYTE,
                unit=" KB",
            ),
            Goal(what="layout shift", most=0, value=max(row[4] for row in rows)),
        ],
    )


def _look(browser: Browser, url: str, path: str) -> tuple[int, int, float]:
    context = browser.new_context()
    visit = Visit(context.new_page(), url)
    visit.page.add_init_script(WATCH)
    page = visit.open(f"{path}?language=hy")
    figures = len(visit.requests), visit.weight(), float(page.evaluate("window.shift"))
    context.close()

    return figures
