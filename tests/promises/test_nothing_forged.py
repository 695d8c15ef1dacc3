"""Promise 7: nothing forged gets in, and nothing secret gets out."""

import logging
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    order,
    paid_in_silence,
    pass_time,
    refresh,
    start,
    statements,
)
from tests.reports import report
from tests.shop import SECRET, Shop

#: What is posted in place of a signed report, and what it is answered.
REFUSED = [
    (report(), "", 401),
    (report(), "0" * 64, 401),
    (report(), "ü" * 64, 401),
    (report(), "x" * 10_000, 401),
    (b"no JSON", "", 401),
    (b"\xff\xfe", "0" * 64, 401),
    (b"no JSON", None, 400),
    (b"\xff\xfe", None, 400),
    (b"[]", None, 400),
    (b"{}", None, 400),
    (b"[" * 20_000, None, 400),
    (report(session_id=""), None, 400),
    (b" " * (64 * 1024 + 1), None, 413),
    (b" " * (64 * 1024 + 1), "", 413),
]


@pytest.mark.always
def test_a_refused_callback_costs_no_statement(any_shop: Shop) -> None:
    any_shop.add_payment()

    with statements(any_shop) as executed:
        for body, signature, expected in REFUSED:
            assert any_shop.deliver(body, signature) == expected, (body[:20], signature)

    assert executed == []
    assert any_shop.payment().status == "pending"


def test_a_signature_is_for_the_exact_bytes(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    paid_in_silence(gateway, payment.session_id)

    (damaged,) = gateway.deliver(payment.session_id, damaged=True)
    (unsigned,) = gateway.deliver(payment.session_id, signed=False)
    (foreign,) = gateway.deliver(payment.session_id, secret="another")

    assert [each.status_code for each in (damaged, unsigned, foreign)] == [401] * 3
    assert any_shop.callbacks() == []


def test_the_query_string_of_the_return_page_proves_nothing(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    client = any_shop.app.test_client()

    client.get(f"/pay/return?session_id={payment.session_id}&status=paid&paid=1")

    assert any_shop.payment(payment.session_id).status == "pending"
    assert any_shop.paid_times() == 0


def test_no_secret_reaches_a_log_or_a_page(
    any_shop: Shop, gateway: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    any_shop.add_order()
    client = any_shop.app.test_client()
    typed = {"email": "ann@example.com", "full_name": "Ann Petrosyan"}

    with caplog.at_level(logging.DEBUG):
        location = client.post("/pay/checkout/A1", data=typed).location
        session_id = location.rpartition("/")[2]
        gateway.fault("error", on="status")
        pages = [client.get(f"/pay/return?session_id={session_id}").text]
        delivery = gateway.pay(session_id)
        gateway.deliver(session_id, signed=False)
        pages += [client.get(f"/pay/return?session_id={session_id}").text]
        any_shop.deliver(b"no JSON")

    assert delivery is not None
    token = any_shop.app.extensions["spayon"]["spayon"].client.tokens.get()
    shown = caplog.text + "".join(str(vars(each)) for each in caplog.records)
    private = [SECRET, "simulator-secret", token, delivery.signature, *typed.values()]

    for each in private:
        assert each not in shown
        assert each not in "".join(pages)


def test_a_callback_secret_is_rotated_without_losing_a_callback(
    any_shop: Shop, gateway: Simulator, fleet: Fleet
) -> None:
    before = any_shop
    rotating = fleet.join(any_shop, SPAYON_CALLBACK_SECRET=["brand-new", SECRET])
    after = fleet.join(any_shop, SPAYON_CALLBACK_SECRET="brand-new")
    answers = []

    for number, (shop, secret) in enumerate(
        [
            (before, SECRET),
            (rotating, SECRET),
            (rotating, "brand-new"),
            (after, "brand-new"),
            (before, "brand-new"),
            (after, SECRET),
        ]
    ):
        order_id = f"A{number}"
        any_shop.add_order(order_id)
        payment = start(any_shop, order(order_id))
        gateway.hold_callbacks()
        gateway.callback_secret = secret
        delivery = gateway.pay(payment.session_id, wait=False)
        assert delivery is not None
        answers.append(shop.deliver(delivery.body, delivery.signature))

    assert answers == [200, 200, 200, 200, 401, 401]
    assert [row.secret_index for row in any_shop.callbacks()] == [0, 1, 0, 0]
    paid = [any_shop.paid_times(f"A{number}") for number in range(6)]
    assert paid == [1, 1, 1, 1, 0, 0]

    # What was signed with the wrong secret is not lost either: somebody asks.
    pass_time(any_shop, gateway, 60)
    refresh(any_shop, payment.session_id)
    assert any_shop.paid_times("A5") == 1
