"""A stranger's address never gets onto the customer's payment."""

from typing import Any

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from spayon_flask.simulator import Simulator
from spayon_flask.testing import connect
from tests.kept import dispose
from tests.promises.helpers import paid_in_silence, payments
from tests.reports import report
from tests.shop import Shop, make_shop

STRANGER, OURS = "http://evil.example", "http://shop.test"


@pytest.fixture
def open_shop(database_url: str) -> Any:
    """A shop that is reached by any host, as in development."""
    shop = make_shop(database_url, SPAYON_PUBLIC_URL=None)
    shop.add_order()
    yield shop
    dispose(shop)


def pay(shop: Shop, base_url: str) -> str:
    answer = shop.app.test_client().post("/pay/checkout/A1", base_url=base_url)
    assert answer.status_code == 303
    return str(answer.location)


def test_a_stranger_s_payment_session_that_was_paid_is_not_paid_again(open_shop: Shop) -> None:
    simulator = connect(open_shop.app)
    pay(open_shop, STRANGER)
    (session,) = simulator.sessions.of_order("A1")
    # The callback goes to the stranger's host, who keeps it.
    paid_in_silence(simulator, session.id)

    answer = open_shop.app.test_client().post("/pay/checkout/A1", base_url=OURS)

    assert (answer.status_code, answer.location) == (303, "/pay/checkout/A1")
    assert open_shop.payment(session.id).status == "paid"
    assert open_shop.paid_times() == 1


def test_a_payment_session_belongs_to_the_whole_base_url(open_shop: Shop) -> None:
    simulator = connect(open_shop.app)
    bases = [STRANGER, OURS, f"{OURS}:8080", OURS.replace("http:", "https:"), f"{OURS}/evil"]
    locations = [pay(open_shop, base) for base in bases]

    assert len(set(locations)) == len(bases)
    told = [each.creation.callback_url for each in simulator.sessions.of_order("A1")]
    assert told == [f"{base}/pay/callback" for base in bases]
    assert [each.base_url for each in payments(open_shop)] == bases
    assert pay(open_shop, bases[-1].replace("shop", "SHOP")) == locations[-1]

    # None is superseded: whoever pays one of them, the stranger's too, has paid the order.
    strangers = simulator.sessions.of_order("A1")[0]
    simulator.pay(strangers.id)
    assert open_shop.payment(strangers.id).status == "paid"
    assert open_shop.paid_times() == 1


@pytest.mark.parametrize("prefix", ["//evil.example", "/\\evil.example", "evil.example"])
def test_a_path_prefix_of_a_stranger_leads_to_no_other_host(open_shop: Shop, prefix: str) -> None:
    connect(open_shop.app)
    open_shop.app.wsgi_app = ProxyFix(open_shop.app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]  # as Werkzeug's docs do
    client = open_shop.app.test_client()
    pay(open_shop, OURS)
    session_id = payments(open_shop)[0].session_id
    open_shop.deliver(report(session_id))

    for method, path in [
        ("POST", "/pay/checkout/A1"),
        ("POST", f"/pay/return?session_id={session_id}"),
        ("GET", "/pay/checkout/A1"),
    ]:
        answer = client.open(path, method=method, headers={"X-Forwarded-Prefix": prefix})
        assert answer.status_code == 404
        assert "evil" not in answer.text + str(answer.headers)


def test_with_a_public_url_the_host_shows_nowhere(any_shop: Shop, gateway: Simulator) -> None:
    any_shop.add_order()
    client = any_shop.app.test_client()
    answers = [
        client.get("/pay/checkout/A1", base_url=STRANGER),
        client.post("/pay/checkout/A1", base_url=STRANGER),
    ]
    (session,) = gateway.sessions.of_order("A1")
    answers += [
        client.get(f"/pay/return?session_id={session.id}", base_url=STRANGER),
        client.get(str(session.creation.cancel_url), base_url=STRANGER),
        client.get("/pay/checkout/B1", base_url=STRANGER),
        client.get("/pay/return", base_url=STRANGER),
    ]

    for answer in answers:
        assert "evil.example" not in answer.text
        assert "evil.example" not in str(answer.headers)

    assert "evil.example" not in str(session.creation)
    assert pay(any_shop, OURS) == answers[1].location
