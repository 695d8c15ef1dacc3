"""Fixtures: a simulator whose clock stands still, a shop that only listens, a bare client."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from spayon_flask.simulator import PaymentSession, Simulator
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene
from tests.simulator.shop import Shop


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a simulator on a free port; its clock moves only when it is stepped."""
    with Simulator(time_scale=0, seed=7) as simulator:
        yield simulator


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Run a shop that answers every callback with 200."""
    with Shop() as listening:
        yield listening


@pytest.fixture
def stranger(sim: Simulator) -> Iterator[Bare]:
    """Return a client without a token."""
    client = Bare(sim.url)
    yield client
    client.close()


@pytest.fixture
def api(stranger: Bare) -> Bare:
    """Return a client with a token."""
    stranger.log_in()
    return stranger


@pytest.fixture
def session(sim: Simulator, api: Bare, shop: Shop) -> PaymentSession:
    """Return a payment session whose callbacks go to the shop."""
    answer = api.create(
        order_id="A-1",
        callback_url=f"{shop.url}/pay/callback",
        return_url=f"{shop.url}/pay/return?lang=hy",
        cancel_url=f"{shop.url}/pay/cancel/abc",
        language="en",
    )
    return sim.sessions[answer.json["session_id"]]


@pytest.fixture
def scene(sim: Simulator, shop: Shop, api: Bare, session: PaymentSession) -> Scene:
    """Return a session, and all who have to do with it."""
    return Scene(sim, shop, api, session)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page of a desk's width."""
    page = browser.new_page()
    yield page
    page.close()
