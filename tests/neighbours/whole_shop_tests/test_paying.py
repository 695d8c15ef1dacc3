from flask import url_for
from whole_shop import Parcel, ShopOrder, db

from spayon_flask.testing import happens_once, post_callback


def state(app, order):
    with app.app_context():
        return db.session.get(ShopOrder, order).state


def test_a_paid_order_is_shipped_once(app, payer, order):
    def parcels():
        with app.app_context():
            return db.session.query(Parcel).count()

    with happens_once(parcels):
        payer.pay(order)
        payer.deliver(order, times=10)
        payer.deliver(order, "pending", "failed", "paid", times=3, shuffled=7)
        payer.deliver(order, times=8, at_once=True)

    assert state(app, order) == "paid"


def test_a_declined_card_ships_nothing(app, payer, order):
    payer.decline(order, "14")

    assert state(app, order) == "failed"


def test_after_an_expired_session_the_order_can_still_be_paid(app, payer, order):
    payer.expire(order)
    payer.pay(order)

    assert state(app, order) == "paid"


def test_the_pages_speak_the_order_s_language(payer, order):
    session_id = payer.checkout(order)
    payer.pay(order)
    page = payer.client.get(f"/hy/pay/return?session_id={session_id}")

    assert '<html lang="hy"' in page.text
    assert "վճարված" in payer.client.get("/hy/orders/1").text


def test_checkout_needs_a_login(client, order):
    # `client` is pytest-flask's.
    answer = client.get(url_for("spayon.checkout", order_id="tea-7Qz", lang_code="ru"))

    assert answer.status_code == 302
    assert answer.location.startswith("/ru/login")


def test_a_wrong_price_does_not_ship(app, payer, client, order):
    session_id = payer.checkout(order)

    assert post_callback(client, session_id, price="1").status_code == 200
    assert state(app, order) == "open"


def test_what_is_written_within_the_request_of_pytest_flask_is_seen(app, payer, order):
    payer.pay(order)

    assert db.session.get(ShopOrder, 1).state == "paid"
