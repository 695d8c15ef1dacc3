"""Hostile input: no 5xx, no handler, no row that breaks a later page, no secret in a log.

`make thorough` tries ten times as much, and each time something else.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote_from_bytes, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from spayon_flask.cli.terminal import callback_fields, payment_fields
from spayon_flask.domain import signing
from spayon_flask.storage.ledger import Filter
from spayon_flask.testing import connect
from tests.hostile import bodies, documents, signatures, tokens, wild_text
from tests.kept import dispose
from tests.reports import report
from tests.shop import SECRET, Shop, make_shop

SECRETS = (SECRET, "simulator-secret")


@pytest.fixture
def hostile_shop() -> Iterator[Shop]:
    """A shop in memory; the simulator stands in for the gateway, within the process."""
    shop = make_shop()
    shop.add_order()
    connect(shop.app)
    yield shop
    dispose(shop)


@pytest.fixture
def any_hostile_shop(any_shop: Shop) -> Shop:
    """The same on each of the three engines."""
    any_shop.add_order()
    connect(any_shop.app)
    return any_shop


def empty(shop: Shop) -> None:
    """Leave one pending payment and nothing else."""
    with shop.app.app_context():
        for model in (shop.spayon.Callback, shop.spayon.Payment):
            shop.db.session.execute(shop.db.delete(model))

        shop.db.session.execute(shop.db.update(shop.orders).values(paid_times=0))
        shop.db.session.commit()

    shop.handled.clear()
    shop.add_payment()


@contextmanager
def watched(shop: Shop) -> Iterator[None]:
    """Run an example on an emptied shop; then every page must work, and no log tell a secret."""
    empty(shop)
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(  # type: ignore[method-assign]  # Flask's way
        logging.Formatter().format(record) + str(record.__dict__)
    )
    logging.getLogger().addHandler(handler)

    try:
        yield

    finally:
        logging.getLogger().removeHandler(handler)

    text = "\n".join(lines)
    assert not any(secret in text for secret in SECRETS)
    assert "Bearer" not in text
    assert_pages_work(shop)


def assert_pages_work(shop: Shop) -> None:
    """Open every page and list that may show what was recorded."""
    client = shop.app.test_client()
    pages = ("/pay/return?session_id=S1", "/pay/cancel/reference-of-S1-A1", "/pay/checkout/A1")
    assert [client.get(page).status_code for page in pages] == [200] * 3

    # What `flask spayon show --json` prints, without a start of the command line each time.
    with shop.app.app_context():
        storage = shop.spayon.state.storage
        assert json.dumps([payment_fields(each) for each in storage.ledger.every(Filter())])
        assert json.dumps([callback_fields(each) for each in storage.queries.callbacks("S1")])


def honest(body: bytes) -> bool:
    """Return True if *body* reports the price, currency and order that were asked for."""
    said = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    price, currency, order_id = said["price"], said["currency"], said["orderId"]
    asked = (Decimal(1000), "AMD", "A1")
    return said["sessionId"] == "S1" and (Decimal(price), currency.upper(), order_id) == asked


@given(body=bodies, signature=signatures)
@example(body=report(), signature="")
@example(body=report(), signature="ü" * 64)
def test_without_the_right_signature_nothing_is_read(
    hostile_shop: Shop, body: bytes, signature: str
) -> None:
    assume(signature != signing.sign(body, SECRET))

    with watched(hostile_shop):
        assert hostile_shop.deliver(body, signature) == 401
        assert hostile_shop.callbacks() == []
        assert hostile_shop.handled == []


@given(body=bodies)
def test_signed_noise_is_refused_or_recorded_and_never_an_error(
    hostile_shop: Shop, body: bytes
) -> None:
    with watched(hostile_shop):
        assert hostile_shop.deliver(body) in (200, 400)

        if ("A1", "paid") in hostile_shop.handled:
            assert honest(body)


@given(body=documents)
def test_signed_reports_with_hostile_fields_break_no_database(
    any_hostile_shop: Shop, body: bytes
) -> None:
    with watched(any_hostile_shop):
        assert any_hostile_shop.deliver(body) in (200, 400)

        if ("A1", "paid") in any_hostile_shop.handled:
            assert honest(body)


@given(size=st.integers(64 * 1024 - 2, 64 * 1024 + 2), chunked=st.booleans())
def test_a_body_over_64_kib_is_refused_whatever_it_holds(
    hostile_shop: Shop, size: int, chunked: bool
) -> None:
    body = b" " * size

    with watched(hostile_shop):
        response = hostile_shop.app.test_client().post(
            "/pay/callback",
            data=body,
            headers={"X-Signature": signing.sign(body, SECRET)},
            environ_overrides={"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
            if chunked
            else {},
        )
        assert response.status_code == (413 if size > 64 * 1024 else 400)


@given(
    path=st.sampled_from(["return?session_id=", "return?", "cancel/", "checkout/"]),
    rest=st.binary(max_size=300).map(quote_from_bytes)
    | wild_text.map(lambda text: quote_from_bytes(text.encode("utf-8", "surrogatepass")))
    | st.text("%&=?#/.\\+;abc0123456789ABCDEF", max_size=60),
)
def test_hostile_addresses_are_answered_with_a_page(
    hostile_shop: Shop, path: str, rest: str
) -> None:
    with watched(hostile_shop):
        response = hostile_shop.app.test_client().get(f"/pay/{path}{rest}")

        assert response.status_code in (200, 301, 308, 400, 404)
        location = response.headers.get("Location", "http://localhost/")
        assert urlsplit(location).netloc in ("", "localhost")


@given(form=st.dictionaries(st.sampled_from(["email", "full_name"]) | wild_text, st.binary()))
def test_hostile_forms_lead_to_spayon_or_back_to_the_page(
    hostile_shop: Shop, form: dict[str, bytes]
) -> None:
    data = "&".join(
        f"{quote_from_bytes(name.encode('utf-8', 'surrogatepass'))}={quote_from_bytes(value)}"
        for name, value in form.items()
    )

    with watched(hostile_shop):
        hostile_shop.clock.step(3600)
        response = hostile_shop.app.test_client().post(
            "/pay/checkout/A1", data=data, content_type="application/x-www-form-urlencoded"
        )

        assert response.status_code in (303, 422)
        assert hostile_shop.handled in ([], [("A1", "expired")])


answers = st.tuples(
    st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503]),
    bodies
    | st.tuples(tokens, tokens).map(
        lambda both: f'{{"session_id":{both[0]},"session_url":{both[1]}}}'.encode(
            "utf-8", "surrogatepass"
        )
    )
    | wild_text.map(
        lambda text: json.dumps(
            {"session_id": text, "session_url": f"http://127.0.0.1:9/{text}"}
        ).encode()
    ),
)

token_answers = st.just((200, b'{"access_token": "t", "expires_in": 3600}')) | st.tuples(
    st.sampled_from([200, 401, 500]),
    st.tuples(tokens, tokens).map(
        lambda both: f'{{"access_token":{both[0]},"expires_in":{both[1]}}}'.encode(
            "utf-8", "surrogatepass"
        )
    )
    | bodies,
)


@given(said=answers, token=token_answers)
def test_whatever_the_gateway_answers_the_payer_gets_a_page_and_nothing_is_paid(
    hostile_shop: Shop, said: tuple[int, bytes], token: tuple[int, bytes]
) -> None:
    def gateway(
        _: str, url: str, __: Mapping[str, str], ___: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        code, body = token if urlsplit(url).path == "/api/tokens" else said
        return code, {"Retry-After": "9" * 30, "Location": "http://127.0.0.1:9/"}, body

    with hostile_shop.app.app_context():
        client = hostile_shop.spayon.client

    client.answer_with(gateway)
    client.tokens._held = None

    with watched(hostile_shop):
        # Asked about on the return page, and anew at the checkout.
        browser = hostile_shop.app.test_client()
        assert browser.get("/pay/return?session_id=S1").status_code == 200

        if hostile_shop.handled:
            assert said[0] == 200
            assert ("A1", "paid") not in hostile_shop.handled or honest(said[1])

        hostile_shop.clock.step(3600)
        response = browser.post("/pay/checkout/A1")
        # A 400 or a 422 of the gateway may be about what the payer typed: the form is shown again.
        assert response.status_code in (303, 422, 502, 503)

        if response.status_code == 303 and response.headers["Location"].startswith("http"):
            assert urlsplit(response.headers["Location"]).netloc

        with hostile_shop.app.app_context():
            hostile_shop.spayon.reconcile(stop=_never_wait())


def _never_wait() -> Any:
    class Stop:
        def is_set(self) -> bool:
            return False

        def wait(self, _: float) -> bool:
            return True

    return Stop()
