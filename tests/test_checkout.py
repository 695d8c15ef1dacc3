"""Checkout: from an order to one payment session, whatever clicks twice or breaks."""

import dataclasses
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from spayon_flask import ConfigError, GatewayUnavailableError, Order
from spayon_flask.simulator import Simulator
from tests.gateway import Gateway, Says
from tests.shop import Shop, make_shop

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")
CHECKOUT = "/pay/checkout/A1"
TYPED = {"email": "ani@example.com", "full_name": "Ani"}


@pytest.fixture
def shop(live_shop: Shop) -> Shop:
    live_shop.add_order()
    return live_shop


@pytest.fixture
def refused(own_shop: Callable[..., Shop], scripted: Gateway) -> Shop:
    """A shop with one order, which Spayon refuses."""
    shop = own_shop(SPAYON_API_URL=scripted.url)
    shop.add_order()
    scripted.creations = lambda _: Says(b"{}", 400)
    return shop


def pay(shop: Shop, **form: str) -> Any:
    return shop.app.test_client().post(CHECKOUT, data=TYPED | form)


def payments(shop: Shop) -> list[Any]:
    with shop.app.app_context():
        model = shop.spayon.Payment
        return list(shop.db.session.scalars(select(model).order_by(model.id)))


class TestThePage:
    def test_it_shows_what_is_bought_and_for_how_much_and_creates_nothing(
        self, shop: Shop, sim: Simulator
    ) -> None:
        page = shop.app.test_client().get(CHECKOUT)

        assert page.status_code == 200
        assert "Tea" in page.text
        assert "1,000" in page.text
        assert payments(shop) == []
        assert sim.requests.count() == 0

    @pytest.mark.parametrize("order_id", ["B2", "%00", "A1%FF", "x" * 300, "..%2F..", "'--"])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_an_unknown_order_is_not_found(self, shop: Shop, order_id: str, method: str) -> None:
        client = shop.app.test_client()

        assert getattr(client, method)(f"/pay/checkout/{order_id}").status_code == 404

    def test_a_wrong_email_is_said_beside_its_field_and_the_rest_is_kept(
        self, shop: Shop, sim: Simulator
    ) -> None:
        page = pay(shop, email="ani at example")

        assert page.status_code == 422
        assert "ani at example" in page.text
        assert 'value="Ani"' in page.text
        assert sim.sessions.created == 0


class TestGoingToSpayon:
    def test_the_payer_is_sent_to_the_session_url_with_303(
        self, shop: Shop, sim: Simulator
    ) -> None:
        answer = pay(shop)

        assert answer.status_code == 303
        assert answer.location == payments(shop)[0].session_url
        assert next(iter(sim.sessions)).creation.email == "ani@example.com"

    def test_the_links_are_the_public_url_then_the_prefix_then_the_rule(
        self, shop: Shop, sim: Simulator
    ) -> None:
        pay(shop)

        [payment] = payments(shop)
        creation = next(iter(sim.sessions)).creation
        base = shop.app.config["SPAYON_PUBLIC_URL"]
        assert creation.callback_url == f"{base}/pay/callback"
        assert creation.return_url == f"{base}/pay/return"
        assert creation.cancel_url == f"{base}/pay/cancel/{payment.reference}"

    def test_the_price_comes_from_the_loader_and_never_from_the_form(
        self, shop: Shop, sim: Simulator
    ) -> None:
        pay(shop, price="1", order_id="B2", product_name="Free tea", currency="USD")

        creation = next(iter(sim.sessions)).creation
        assert (creation.price, creation.order_id) == (Decimal(1000), "A1")

    def test_no_new_session_is_asked_for_if_the_question_about_the_lapsed_one_took_too_long(
        self, shop: Shop, sim: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pay(shop)
        shop.clock.step(15 * 60)
        monkeypatch.setattr("spayon_flask.checkout.PATIENCE", 0.2)
        sim.fault("latency", seconds=0.4)

        assert pay(shop).status_code == 503
        assert sim.sessions.created == 1

        # The order is payable as before.
        assert pay(shop).status_code == 303
        assert sim.sessions.created == 2


class TestTrouble:
    @pytest.mark.parametrize(
        ("fault", "status"),
        [
            ({"kind": "error", "code": 503}, 503),
            ({"kind": "error", "code": 429}, 503),
            ({"kind": "drop_before", "times": 2}, 503),
            ({"kind": "drop_after", "times": 2}, 503),
            ({"kind": "truncated"}, 503),
            ({"kind": "html"}, 502),
        ],
    )
    def test_the_payer_sees_a_friendly_page_and_the_order_stays_payable(
        self, shop: Shop, sim: Simulator, fault: dict[str, Any], status: int
    ) -> None:
        sim.fault(on="sessions", **fault)

        page = pay(shop)

        assert page.status_code == status
        assert CHECKOUT in page.text
        assert pay(shop).status_code == 303

    @pytest.mark.parametrize("code", [400, 422])
    def test_details_that_spayon_refuses_can_be_corrected_or_left_out(
        self, refused: Shop, scripted: Gateway, code: int
    ) -> None:
        scripted.creations = lambda _: Says(b"{}", code)
        page = pay(refused, email="ani@example.com")

        assert page.status_code == 422
        assert 'value="ani@example.com"' in page.text
        assert "did not accept these details" in page.text

        # They were the reason, so that without them all is well.
        answer = {"session_id": "S1", "session_url": f"{scripted.url}/S1"}
        scripted.creations = lambda _: Says(json.dumps(answer).encode())
        assert pay(refused, email="", full_name="").status_code == 303

    def test_what_spayon_insists_on_is_asked_for_if_it_was_left_empty(self, refused: Shop) -> None:
        page = pay(refused, email="", full_name="")

        assert page.status_code == 422
        assert page.text.count("did not accept the order without this") >= 2

    @pytest.mark.parametrize(("code", "lacks"), [(400, False), (403, True)])
    def test_a_refusal_that_is_not_about_details_is_no_matter_of_the_form(
        self, refused: Shop, scripted: Gateway, code: int, *, lacks: bool
    ) -> None:
        scripted.creations = lambda _: Says(b"{}", code)
        order = (
            ORDER if lacks else dataclasses.replace(ORDER, email="ani@example.com", full_name="Ani")
        )
        refused.spayon.order_loader(lambda _: order)

        assert pay(refused).status_code == 502

    def test_wrong_credentials_are_not_the_payers_fault(
        self, shop: Shop, sim: Simulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        sim.tokens.revoke_all()
        client = shop.app.extensions["spayon"]["spayon"].client
        wrong = dataclasses.replace(client._settings, client_secret="wrong")
        client._settings = wrong

        assert pay(shop).status_code == 503
        assert "CLIENT_ID and CLIENT_SECRET" in caplog.text

    def test_until_then_the_payer_waits_and_is_told_so(self, shop: Shop, sim: Simulator) -> None:
        shop.add_payment(session_id=None)
        waited: list[float] = []
        shop.app.extensions["spayon"]["spayon"].checkout.sleep = waited.append

        assert pay(shop).status_code == 503
        assert 1.9 < sum(waited) < 2.1
        assert sim.sessions.created == 0


class TestStartCheckout:
    def test_a_bundle_of_certificates_that_is_missing_blocks_no_order(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
        shop = make_shop(SPAYON_API_URL="https://spayon.invalid", SPAYON_ENVIRONMENT="staging")
        shop.add_order()

        for _ in range(2):
            with shop.app.app_context(), pytest.raises(GatewayUnavailableError, match="CA_BUNDLE"):
                shop.spayon.start_checkout(ORDER)

        # Nothing was sent, so that no report can come.
        assert payments(shop) == []

    def test_outside_a_request_it_needs_the_public_url(self) -> None:
        shop = make_shop(SPAYON_PUBLIC_URL=None)

        with shop.app.app_context(), pytest.raises(ConfigError, match="SPAYON_PUBLIC_URL"):
            shop.spayon.start_checkout(ORDER)


def test_lines_that_do_not_add_up_are_said_once_for_each_attempt(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    fitting = [("Tea", 1, Decimal("1000.50")), ("Discount", 1, Decimal("-0.50"))]

    with shop.app.app_context():
        shop.spayon.start_checkout(dataclasses.replace(ORDER, order_id="A2", lines=fitting))

        for _ in range(2):
            wrong = [("Tea", 2, Decimal(700))]
            shop.spayon.start_checkout(dataclasses.replace(ORDER, lines=wrong))

    said = [each for each in caplog.messages if "lines" in each]
    assert said == ["the lines of the order make 1400, but its price is 1000"]
