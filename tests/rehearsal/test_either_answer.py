"""Whatever Spayon does that its documentation does not say: a shop still works."""

import re
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import pytest

from spayon_flask.rehearsal.assumptions import REGISTER
from spayon_flask.rehearsal.assumptions import UNKNOWN as NOT_DOCUMENTED
from spayon_flask.simulator import PaymentSession, Shape, Simulator
from spayon_flask.simulator.shape import SWITCHES
from tests.shop import Shop

TYPED = {"email": "ani@example.com", "full_name": "Ani"}

UNKNOWN = [each for each in REGISTER if each.source == NOT_DOCUMENTED and each.switch]

#: Numbers and names have no list of values.
PLAUSIBLE: dict[str, list[Any]] = {
    "patience": [2, 60],
    "cancel_parameter": ["session_id", "sessionId"],
    "required": [["email"], ["full_name"], ["email", "full_name"], ["order_id"], ["cancel_url"]],
}


def values(switch: str) -> list[Any]:
    """Return the plausible values of a switch, the usual one apart."""
    return PLAUSIBLE.get(switch) or [*SWITCHES[switch].values[1:]]


SHAPES: list[dict[str, Any]] = [
    {each.switch: value} for each in UNKNOWN if not each.item for value in values(each.switch)
] + [{"refused": [each.item]} for each in UNKNOWN if each.item]

#: How the first attempt ends.
ENDINGS = {"decline": "failed", "abandon": "failed", "expire": "expired"}

pytestmark = pytest.mark.thorough


class Visit(NamedTuple):
    """A payer with an order at *shop*, while the gateway *sim* has one of the shapes."""

    shop: Shop
    sim: Simulator
    order: str

    def check_out(self) -> PaymentSession:
        """Go to Spayon as a payer with an Armenian browser does."""
        browser = self.shop.app.test_client()
        page = browser.post(
            f"/pay/checkout/{self.order}",
            data=TYPED,
            headers={"Accept-Language": "hy-AM,hy;q=0.9"},
        )
        assert page.status_code == 303, page.text
        return self.sim.sessions[page.location.rsplit("/", 1)[1]]

    def state_shown(self, session: PaymentSession) -> str:
        """Return the state that the return page tells."""
        page = self.shop.app.test_client().get(f"/pay/return?session_id={session.id}")
        found = re.search('data-state="([a-z_]+)"', page.text)
        assert page.status_code == 200
        return found.group(1) if found else ""

    def paid_times(self) -> int:
        """Return how often the goods were given out."""
        return self.shop.paid_times(self.order)


@pytest.fixture
def visit(live_shop: Shop, sim: Simulator) -> Callable[[dict[str, Any]], Visit]:
    """Give the gateway a shape, and the shop one more order."""

    def visit(shape: dict[str, Any]) -> Visit:
        sim.shape.change(**vars(Shape()) | shape)
        order = f"A{len(sim.sessions)}"
        return Visit(live_shop, sim, live_shop.add_order(order))

    return visit


Visits = Callable[[dict[str, Any]], Visit]


def test_a_payer_who_clicks_back_goes_on_and_pays(visit: Visits) -> None:
    for shape in SHAPES:
        payer = visit(shape)
        session = payer.check_out()
        path = str(session.creation.cancel_url).partition("/pay/cancel/")[2]
        parameter = payer.sim.shape.cancel_parameter
        query = f"?{parameter}={session.id}" if parameter else ""
        page = payer.shop.app.test_client().get(f"/pay/cancel/{path}{query}")

        assert page.status_code == 200, shape
        assert session.id in page.text, shape

        payer.sim.pay(session.id)
        assert payer.state_shown(session) == "paid", shape
        assert payer.paid_times() == 1, shape
        assert payer.shop.handled[-1] == (payer.order, "paid"), shape


def test_a_purchase_at_the_second_attempt(visit: Visits) -> None:
    for shape, (ending, status) in product(SHAPES, ENDINGS.items()):
        payer = visit(shape)
        first = payer.check_out()
        getattr(payer.sim, ending)(first.id)
        assert payer.state_shown(first) == status, (shape, ending)
        assert payer.shop.handled[-1] == (payer.order, status), (shape, ending)

        second = payer.check_out()
        payer.sim.pay(second.id)
        assert second.id != first.id, (shape, ending)
        assert payer.state_shown(second) == "paid", (shape, ending)
        assert payer.paid_times() == 1, (shape, ending)


def test_a_callback_that_never_comes_and_a_token_that_is_over(visit: Visits) -> None:
    for shape in SHAPES:
        payer = visit(shape)
        session = payer.check_out()
        payer.sim.fault("callback_lost", times=None)
        payer.sim.pay(session.id)
        payer.sim.tokens.revoke_all()
        payer.shop.clock.step(20 * 60)
        payer.sim.clock.step(20 * 60)

        with payer.shop.app.app_context():
            payer.shop.spayon.reconcile()

        assert payer.paid_times() == 1, shape
        payer.sim.faults.clear()
        payer.sim.tokens.revoke_all()
        visit(shape).check_out()
