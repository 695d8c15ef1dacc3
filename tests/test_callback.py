"""The callback route: what Spayon posts, and what it is answered."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask import request
from sqlalchemy import text
from werkzeug.test import TestResponse

from spayon_flask.domain import signing
from spayon_flask.signals import callback_refused, payment_paid
from tests.promises.helpers import statements
from tests.reports import report
from tests.shop import SECRET, Shop, make_shop

#: Part of an address, so that no line of this file that a traceback shows holds the whole.
PAYER = "ani"

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("callback-*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_documented_bodies_apply_byte_for_byte(any_shop: Shop, path: Path) -> None:
    body = path.read_bytes()
    price = {"callback-paid": "10", "callback-failed": "5000"}[path.stem]
    session_id = {
        "callback-paid": "4ae3108a-3a1c-42df-bce9-503bbd70ab24",
        "callback-failed": "3963253a-6230-4a80-9dd0-b7924b1c555f",
    }[path.stem]
    any_shop.add_order("ORDER_123456")
    any_shop.add_payment(session_id, "ORDER_123456", price=price)

    assert any_shop.deliver(body) == 200

    assert any_shop.payment(session_id).status == path.stem.removeprefix("callback-")
    assert [row.body for row in any_shop.callbacks()] == [body]


@pytest.mark.parametrize("path", ["/pay/callback", "/pay/callback/"])
def test_a_callback_is_taken_with_or_without_a_trailing_slash(shop: Shop, path: str) -> None:
    shop.add_pending()

    assert shop.deliver(report(), path=path) == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(shop: Shop, content_type: str | None) -> None:
    shop.add_pending()
    body = report()
    answer = shop.app.test_client().post(
        "/pay/callback",
        data=body,
        content_type=content_type,
        headers={"X-Signature": signing.sign(body, SECRET)},
    )

    assert answer.status_code == 200
    assert shop.paid_times() == 1


def test_who_can_sign_is_told_what_is_malformed_and_who_cannot_what_is_missing(shop: Shop) -> None:
    client, signature = shop.app.test_client(), signing.sign(b"{}", SECRET)
    told = client.post("/pay/callback", data=b"{}", headers={"X-Signature": signature})
    refused = client.post("/pay/callback", data=b"{}")

    assert told.text == "sessionId must be text of 1 to 255 characters\n"
    assert (refused.headers["WWW-Authenticate"], refused.data) == ("X-Signature", b"")


def test_a_body_of_64_kib_is_taken(shop: Shop) -> None:
    body = report(filler="x" * 64 * 1024)[: 64 * 1024 - 2] + b'"}'
    assert len(body) == 64 * 1024

    assert shop.deliver(body) == 200


def _post_stream(
    shop: Shop, stream: io.BytesIO, headers: dict[str, str], *, ends: bool
) -> TestResponse:
    """Post what *stream* holds; *ends* is what the server says of it."""
    return shop.app.test_client().post(
        "/pay/callback",
        input_stream=stream,
        headers=headers,
        environ_overrides={"wsgi.input_terminated": ends},
    )


@pytest.mark.parametrize("framing", [{}, {"Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize(
    ("size", "least", "most"),
    [(900_000, 900_000, 900_000), (5_000_000, 1024 * 1024, 1200 * 1024)],
)
def test_what_a_proxy_is_still_sending_is_read_to_its_end_or_for_a_mebibyte(
    shop: Shop, framing: dict[str, str], size: int, least: int, most: int
) -> None:
    rest = io.BytesIO(b"x" * size)
    answer = _post_stream(shop, rest, framing or {"Content-Length": str(size)}, ends=True)

    assert answer.status_code == 413
    assert least <= rest.tell() <= most


def test_no_more_is_read_where_the_server_does_not_say_that_the_body_ends(shop: Shop) -> None:
    rest = io.BytesIO(b"x" * 900_000)
    answer = _post_stream(shop, rest, {"Content-Length": "900000"}, ends=False)

    assert (answer.status_code, rest.tell()) == (413, 0)


def test_who_breaks_off_in_a_body_too_large_is_refused_all_the_same(shop: Shop) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError

    broken = Broken(b"x" * 900_000)
    answer = _post_stream(shop, broken, {"Content-Length": "900000"}, ends=True)

    assert answer.status_code == 413


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_a_post_is_a_callback(shop: Shop, method: str) -> None:
    assert getattr(shop.app.test_client(), method)("/pay/callback").status_code == 405


def test_a_handler_that_reads_what_it_needs_of_the_payment_takes_no_statement(
    any_shop: Shop,
) -> None:
    seen: list[Any] = []
    any_shop.handle = lambda status, payment: seen.append(
        (status, payment.status, payment.order_id, payment.session_id, payment.price)
    )
    any_shop.add_pending()

    with statements(any_shop) as executed:
        any_shop.deliver(report())

    assert seen == [("paid", "paid", "A1", "S1", 1000)]
    assert (
        len([sql for sql in executed if "spayon_payment" in sql or "spayon_callback" in sql]) == 3
    )


def test_no_call_goes_out_during_a_callback(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a call to the gateway")

    monkeypatch.setattr("requests.Session.request", refuse)
    shop.add_pending()

    assert shop.deliver(report()) == 200


class TestObservers:
    def test_a_signal_follows_the_commit_and_a_receiver_that_raises_changes_nothing(
        self, shop: Shop
    ) -> None:
        shop.add_pending()
        seen: list[tuple[str, str, int]] = []

        def note(sender: str, payment: Any) -> None:
            seen.append((sender, payment.status, shop.paid_times()))

        def fail(_sender: str, **_: object) -> None:
            raise RuntimeError("observer")

        with payment_paid.connected_to(fail), payment_paid.connected_to(note):
            assert [shop.deliver(report()) for _ in range(2)] == [200, 200]

        assert seen == [("spayon", "paid", 1)]

    def test_a_refusal_is_told_with_its_reason(self, shop: Shop) -> None:
        seen: list[int] = []

        def note(_sender: str, status_code: int, reason: str) -> None:
            assert reason
            seen.append(status_code)

        with callback_refused.connected_to(note):
            shop.deliver(b"[]")
            shop.deliver(b"{}", signature="x")

        assert seen == [400, 401]


def test_refused_callbacks_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    # Not a kept shop, whose minute another test may have begun.
    shop = make_shop()

    for _ in range(3):
        shop.deliver(report(), signature="0" * 64)

    shop.clock.step(61)
    shop.deliver(report(), signature="0" * 64)

    assert [record.getMessage() for record in caplog.records] == [
        "callback refused: X-Signature does not match the body",
        "callback refused: X-Signature does not match the body (2 more since this was last logged)",
    ]


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_a_body_that_somebody_ate_is_not_a_wrong_secret(
    caplog: pytest.LogCaptureFixture, *, chunked: bool
) -> None:
    shop = make_shop()
    shop.add_pending()
    shop.app.before_request(lambda: print(request.stream.read()))
    body = report()
    headers = {"X-Signature": signing.sign(body, SECRET)}
    # A server that passes no chunked body on says nothing of a length.
    chunks = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}

    answer = shop.app.test_client().post(
        "/pay/callback",
        data=None if chunked else body,
        headers=headers,
        environ_overrides=chunks if chunked else {},
    )

    assert answer.status_code == 400
    assert "before_request" in answer.text
    assert "nothing of it could be read" in caplog.text
    assert shop.payment().status == "pending"


def test_a_row_that_cannot_be_written_puts_nothing_of_the_body_into_the_log(
    any_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    any_shop.add_pending()

    def refuse(*_: object) -> None:
        statement = "INSERT INTO no_such_table VALUES (:email)"
        any_shop.db.session.execute(text(statement), {"email": f"{PAYER}@example.com"})

    any_shop.handle = refuse

    assert any_shop.deliver(report()) == 500
    assert "no_such_table" in caplog.text
    assert f"{PAYER}@example.com" not in caplog.text
