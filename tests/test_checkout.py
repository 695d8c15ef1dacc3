"""Checkout: from an order to one payment session, whatever clicks twice or breaks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from spayon_flask import ConfigError
from spayon_flask import GatewayUnavailableError
from spayon_flask import Order
from spayon_flask import OrderNotPayableError
from spayon_flask import UncommittedChangesError
from spayon_flask.simulator import Simulator
from tests.conftest import dispose
from tests.gateway import Gateway
from tests.gateway import Says
from tests.reports import report
from tests.shop import Shop
from tests.shop import make_shop


ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")
CHECKOUT = "/pay/checkout/A1"
TYPED = {"email": "ani@example.com", "full_name": "Ani"}


@pytest.fixture
def shop(live_shop: Shop) -> Shop:
    live_shop.add_order()
    return live_shop


def pay(shop: Shop, **form: str) -> Any:
    return shop.app.test_client().post(CHECKOUT, data=TYPED | form)


@contextmanager
def selling_at(gateway: Gateway) -> Iterator[Shop]:
    """A shop with one order, whose payments go to *gateway*."""
    shop = make_shop(SPAYON_API_URL=gateway.url)
    shop.add_order()

    try:
        yield shop

    finally:
        dispose(shop)


def payments(shop: Shop) -> list[Any]:
    with shop.app.app_context():
        model = shop.spayon.Payment
        return list(shop.db.session.scalars(select(model).order_by(model.id)))


class TestThePage:
    def test_it_shows_what_is_bought_and_for_how_much(self, shop: Shop) -> None:
        page = shop.app.test_client().get(CHECKOUT)

        assert page.status_code == 200
        assert "Tea" in page.text
        assert "1,000" in page.text

    def test_looking_at_it_creates_nothing(self, shop: Shop, sim: Simulator) -> None:
        shop.app.test_client().get(CHECKOUT)

        assert payments(shop) == []
        assert sim.requests.count() == 0

    @pytest.mark.parametrize("order_id", ["B2", "%00", "A1%FF", "x" * 300, "..%2F..", "'--"])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_an_unknown_order_is_not_found(self, shop: Shop, order_id: str, method: str) -> None:
        client = shop.app.test_client()

        assert getattr(client, method)(f"/pay/checkout/{order_id}").status_code == 404

    def test_no_cache_keeps_it_and_no_other_site_hears_of_it(self, shop: Shop) -> None:
        headers = shop.app.test_client().get(CHECKOUT).headers

        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"

    def test_a_wrong_email_is_said_beside_its_field_and_the_rest_is_kept(
        self, shop: Shop, sim: Simulator
    ) -> None:
        page = pay(shop, email="ani at example")

        assert page.status_code == 422
        assert "ani at example" in page.text
        assert 'value="Ani"' in page.text
        assert sim.sessions.created == 0


class TestGoingToSpayon:
    def test_an_address_beyond_ascii_reaches_spayon_in_ascii(self, sim: Simulator) -> None:
        address = "http://\u056d\u0561\u0576\u0578\u0582\u0569.example/\u057e\u0573\u0561\u0580"
        shop = make_shop(SPAYON_API_URL=sim.url, SPAYON_PUBLIC_URL=address)
        shop.add_order()

        assert pay(shop).status_code == 303
        (session,) = sim.sessions
        assert session.creation.callback_url == (
            "http://xn--y9aqk1bk4d.example/%D5%BE%D5%B3%D5%A1%D6%80/pay/callback"
        )
        dispose(shop)

    def test_the_payer_is_sent_to_the_session_url_with_303(
        self, shop: Shop, sim: Simulator
    ) -> None:
        answer = pay(shop)

        assert answer.status_code == 303
        assert answer.location == payments(shop)[0].session_url
        assert next(iter(sim.sessions)).creation.email == "ani@example.com"

    def test_what_the_payer_typed_is_in_no_table(self, shop: Shop) -> None:
        pay(shop)

        [payment] = payments(shop)
        kept = [str(value) for value in vars(payment).values()]
        assert not [text for text in kept if "Ani" in text or "ani@" in text]

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

    def test_a_second_click_goes_to_the_same_session(self, shop: Shop, sim: Simulator) -> None:
        assert pay(shop).location == pay(shop).location
        assert sim.sessions.created == 1

    def test_a_session_past_its_time_is_replaced(self, shop: Shop, sim: Simulator) -> None:
        first = pay(shop).location
        shop.clock.step(15 * 60)

        assert pay(shop).location != first
        assert sim.sessions.created == 2

    def test_before_that_spayon_is_asked_about_the_lapsed_one(
        self, shop: Shop, sim: Simulator
    ) -> None:
        pay(shop)
        sim.fault("callback_lost", times=9)
        sim.pay(next(iter(sim.sessions)).id)
        shop.clock.step(15 * 60)

        answer = pay(shop)

        assert "/pay/return?session_id=" in answer.location
        assert sim.sessions.created == 1
        assert shop.paid_times() == 1

    def test_no_new_session_is_asked_for_if_the_question_about_the_lapsed_one_took_too_long(
        self, shop: Shop, sim: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pay(shop)
        shop.clock.step(15 * 60)
        monkeypatch.setattr("spayon_flask.checkout._PATIENCE", 0.2)
        sim.fault("latency", seconds=0.4)

        assert pay(shop).status_code == 503
        assert sim.sessions.created == 1

        # The order is payable as before.
        assert pay(shop).status_code == 303
        assert sim.sessions.created == 2

    @pytest.mark.parametrize("change", [{"price": "900"}, {"currency": "USD"}])
    def test_a_changed_order_gets_a_new_session(
        self, shop: Shop, sim: Simulator, change: dict[str, str]
    ) -> None:
        first = pay(shop).location

        with shop.app.app_context():
            row = shop.db.session.get_one(shop.orders, "A1")
            for name, value in change.items():
                setattr(row, name, value)
            shop.db.session.commit()

        assert pay(shop).location != first
        assert [payment.superseded for payment in payments(shop)] == [True, False]

    def test_a_paid_order_goes_to_its_return_page(self, shop: Shop, sim: Simulator) -> None:
        pay(shop)
        sim.pay(next(iter(sim.sessions)).id)

        answer = pay(shop)

        assert answer.status_code == 303
        assert answer.location.startswith("/pay/return?session_id=")
        assert sim.sessions.created == 1

    def test_a_failed_payment_can_be_tried_again(self, shop: Shop, sim: Simulator) -> None:
        pay(shop)
        sim.decline(next(iter(sim.sessions)).id)

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
    def test_details_that_spayon_refuses_can_be_corrected_or_left_out(self, code: int) -> None:
        with Gateway() as gateway, selling_at(gateway) as shop:
            gateway.creations = lambda _: Says(b"{}", code)
            page = pay(shop, email="ani@example.com")

            assert page.status_code == 422
            assert 'value="ani@example.com"' in page.text
            assert "did not accept these details" in page.text

            # They were the reason, so that without them all is well.
            gateway.creations = lambda _: Says(
                json.dumps({"session_id": "S1", "session_url": f"{gateway.url}/S1"}).encode()
            )
            assert pay(shop, email="", full_name="").status_code == 303

    def test_what_spayon_insists_on_is_asked_for_if_it_was_left_empty(self) -> None:
        with Gateway() as gateway, selling_at(gateway) as shop:
            gateway.creations = lambda _: Says(b"{}", 400)
            page = pay(shop, email="", full_name="")

            assert page.status_code == 422
            assert page.text.count("did not accept the order without this") >= 2

    def test_a_refusal_of_an_order_that_lacks_nothing_is_no_matter_of_the_form(self) -> None:
        with Gateway() as gateway, selling_at(gateway) as shop:
            gateway.creations = lambda _: Says(b"{}", 400)
            shop.spayon.order_loader(
                lambda _: dataclasses.replace(ORDER, email="ani@example.com", full_name="Ani")
            )

            assert pay(shop).status_code == 502

    def test_a_refusal_that_is_not_about_details_is_no_matter_of_the_form(self) -> None:
        with Gateway() as gateway, selling_at(gateway) as shop:
            gateway.creations = lambda _: Says(b"{}", 403)

            assert pay(shop).status_code == 502

    def test_wrong_credentials_are_not_the_payers_fault(
        self, shop: Shop, sim: Simulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        sim.tokens.revoke_all()
        client = shop.app.extensions["spayon"]["spayon"].client
        wrong = dataclasses.replace(client._settings, client_secret="wrong")
        client._settings = wrong

        assert pay(shop).status_code == 503
        assert "CLIENT_ID and CLIENT_SECRET" in caplog.text

    def test_a_lost_answer_does_not_lose_the_payment(self, shop: Shop, sim: Simulator) -> None:
        sim.fault("drop_after", on="sessions", times=None)
        pay(shop)

        sim.pay(next(iter(sim.sessions)).id)

        assert shop.paid_times() == 1
        assert [payment.status for payment in payments(shop)] == ["paid"]

    def test_a_callback_before_the_create_answer_counts(self, shop: Shop, sim: Simulator) -> None:
        sim.fault("callback_before_answer", status="paid")

        answer = pay(shop)

        assert "/pay/return?session_id=" in answer.location
        assert shop.paid_times() == 1

    def test_a_creation_that_never_finished_blocks_for_30_seconds_at_most(
        self, shop: Shop, sim: Simulator
    ) -> None:
        shop.add_payment(session_id=None)
        shop.clock.step(30)

        assert pay(shop).status_code == 303
        assert sim.sessions.created == 1

    def test_until_then_the_payer_waits_and_is_told_so(self, shop: Shop, sim: Simulator) -> None:
        shop.add_payment(session_id=None)
        waited: list[float] = []
        shop.app.extensions["spayon"]["spayon"].checkout._sleep = waited.append

        assert pay(shop).status_code == 503
        assert 14 < sum(waited) < 16
        assert sim.sessions.created == 0


class TestStartCheckout:
    def test_it_returns_the_payment_to_send_the_payer_with(self, shop: Shop) -> None:
        with shop.app.app_context():
            payment = shop.spayon.start_checkout(ORDER)

            assert payment.status == "pending"
            assert (payment.session_url or "").startswith("http://127.0.0.1")

    def test_a_paid_order_is_refused_with_the_payment_in_its_way(self, shop: Shop) -> None:
        shop.add_payment(status="paid")

        with shop.app.app_context(), pytest.raises(OrderNotPayableError) as caught:
            shop.spayon.start_checkout(ORDER)

        assert caught.value.payment.session_id == "S1"

    def test_an_order_under_review_is_refused(self, shop: Shop) -> None:
        shop.add_payment(status="review", held_order_id=None)

        with shop.app.app_context(), pytest.raises(OrderNotPayableError, match="under review"):
            shop.spayon.start_checkout(ORDER)

    @pytest.mark.parametrize("how", ["new", "changed", "deleted", "flushed", "core"])
    def test_it_refuses_to_commit_what_is_not_its_own(self, shop: Shop, how: str) -> None:
        with shop.app.app_context():
            session = shop.db.session
            row = session.get_one(shop.orders, "A1")

            if how == "new":
                session.add(shop.orders(id="B2", price="1", currency="AMD"))

            elif how == "deleted":
                session.delete(row)

            elif how == "core":
                session.execute(shop.db.update(shop.orders).values(price="2"))

            else:
                row.price = "2"

            if how == "flushed":
                session.flush()

            with pytest.raises(UncommittedChangesError, match="commit them or roll them back"):
                shop.spayon.start_checkout(ORDER)

            session.rollback()
            assert session.get_one(shop.orders, "A1").price == "1000"

    def test_after_a_commit_or_a_rollback_it_goes_on(self, shop: Shop) -> None:
        with shop.app.app_context():
            shop.db.session.get_one(shop.orders, "A1").price = "1000"
            shop.db.session.commit()
            shop.db.session.get_one(shop.orders, "A1").price = "2"
            shop.db.session.flush()
            shop.db.session.rollback()

            assert shop.spayon.start_checkout(ORDER).session_id

    def test_nobody_at_the_gateway_is_an_error_and_the_order_is_let_go(self) -> None:
        shop = make_shop()

        with shop.app.app_context():
            for _ in range(2):
                with pytest.raises(GatewayUnavailableError):
                    shop.spayon.start_checkout(ORDER)

    def test_outside_a_request_it_needs_the_public_url(self) -> None:
        shop = make_shop(SPAYON_PUBLIC_URL=None)

        with shop.app.app_context(), pytest.raises(ConfigError, match="SPAYON_PUBLIC_URL"):
            shop.spayon.start_checkout(ORDER)


def test_in_production_plain_http_is_noticed_before_anyone_pays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = make_shop(
        SPAYON_ENVIRONMENT="production",
        SPAYON_PUBLIC_URL=None,
        TRUSTED_HOSTS=["localhost"],
        SPAYON_API_URL="http://127.0.0.1:9",
    )
    shop.add_order()

    assert pay(shop).status_code == 503
    assert "SPAYON_PUBLIC_URL" in caplog.text
    assert payments(shop) == []


def test_a_report_under_an_unknown_order_does_not_disturb_a_checkout(shop: Shop) -> None:
    shop.deliver(report(session_id="elsewhere", orderId="C3"))

    assert pay(shop).status_code == 303
