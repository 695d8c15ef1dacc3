"""The whole purchase over real HTTP: gunicorn, the simulator, and a payer with no browser."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from demo_app import Stock, create_app, db
from spayon_flask.simulator import Simulator
from tests.demo.served import under_gunicorn
from tests.shop import CONFIG

pytestmark = pytest.mark.thorough

#: Seconds; a busy machine needs them.
PATIENCE = 60

APPROVED, DECLINED, SECURE = "4111 1111 1111 1111", "4000 0000 0000 0002", "4000 0000 0000 3220"


class Payer:
    """Walk through the store with HTTP alone, on to the hosted page and back."""

    def __init__(self, store: str) -> None:
        self.http = requests.Session()
        self.url, self.text = store, ""

    def open(self, url: str) -> str:
        """Open *url*, and give the text of the page."""
        return self.show(self.http.get(urljoin(self.url, url), timeout=PATIENCE))

    def send(self, url: str, **fields: str) -> str:
        """Send a form of the page that is open to *url*, and give the text of the next page."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.text)
        fields |= {"csrf_token": token.group(1)} if token else {}

        return self.show(self.http.post(urljoin(self.url, url), data=fields, timeout=PATIENCE))

    def follow(self, words: str) -> str:
        """Follow the link that says *words*."""
        found = re.search(rf'<a[^>]* href="([^"]+)"[^>]*>[^<]*{words}', self.text)
        assert found, self.text

        return self.open(html.unescape(found.group(1)))

    def show(self, answer: requests.Response) -> str:
        answer.raise_for_status()
        self.url, self.text = answer.url, answer.text

        return self.text

    def order(self, **quantities: str) -> str:
        """Put *quantities* into the basket and order them; give the URL of the order's page."""
        self.open("/")
        self.send("/basket", **quantities)
        self.send("/orders")

        return self.url

    def go_to_pay(self) -> None:
        """Go from the order's page through the checkout page to the hosted one."""
        self.follow("Pay ")
        self.send(self.url, email="ani@example.com")


@dataclass
class Opened:
    """The store under gunicorn, with the simulator that it pays at."""

    url: str
    folder: Path
    simulator: Simulator

    def left(self, slug: str) -> int:
        """Read from the database how much is left of a product."""
        app = create_app(str(self.folder), **CONFIG)

        with app.app_context():
            found = db.session.get_one(Stock, slug).left
            db.session.remove()
            db.engine.dispose()

        return found


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("store")

    with Simulator() as simulator, under_gunicorn(simulator, folder) as url:
        yield Opened(url, folder, simulator)


@pytest.fixture
def payer(opened: Opened) -> Iterator[Payer]:
    payer = Payer(opened.url)
    yield payer
    payer.http.close()


def test_a_callback_that_comes_ten_times_takes_the_goods_off_the_shelf_once(
    payer: Payer, opened: Opened
) -> None:
    payer.order(nardi="2")
    payer.go_to_pay()
    payer.send(payer.url, number=APPROVED)
    opened.simulator.settle(PATIENCE)
    session_id = payer.url.rsplit("=", 1)[1]
    deliveries = opened.simulator.deliver(session_id, times=10, concurrently=True)

    assert [attempt.accepted for one in deliveries for attempt in one.attempts] == [True] * 10
    assert opened.left("nardi") == 4


def test_behind_the_scenes_are_only_the_visitors_own_payments(payer: Payer, opened: Opened) -> None:
    payer.order(apricot="1")
    payer.go_to_pay()
    payer.send(payer.url, number=APPROVED)
    session_id = payer.url.rsplit("=", 1)[1]
    stranger = Payer(opened.url)

    assert session_id in payer.open(f"{opened.url}/behind-the-scenes")
    assert "No payment yet" in stranger.open("/behind-the-scenes")
    assert session_id not in stranger.text
    stranger.http.close()


def test_the_return_page_leads_to_the_order(payer: Payer, opened: Opened) -> None:
    order = payer.order(apricot="1")
    payer.go_to_pay()
    payer.send(payer.url, number=APPROVED)
    payer.follow("See your order")

    assert payer.url == order


def test_only_the_callback_needs_no_token(payer: Payer) -> None:
    payer.order(rug="1")
    payer.follow("Pay ")
    callback = urljoin(payer.url, "/pay/callback")
    refused = [payer.http.post(url, timeout=PATIENCE).status_code for url in (payer.url, callback)]

    assert refused == [400, 401]
