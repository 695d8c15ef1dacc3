"""The callback route: what Spayon posts, and what it is answered."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from spayon_flask import signing
from spayon_flask.signals import callback_refused
from spayon_flask.signals import payment_paid
from tests.reports import report
from tests.shop import SECRET
from tests.shop import Shop


EXAMPLES = sorted((Path(__file__).parent / "examples").glob("callback-*.json"))


class Statements(list[str]):
    """The SQL statements of a shop, while it is listened to."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()

        with shop.app.app_context():
            event.listen(shop.db.engine, "before_cursor_execute", self._note)

    def _note(self, _c: object, _cursor: object, statement: str, *_: object) -> None:
        self.append(statement)

    def ours(self) -> list[str]:
        """Return those that are about our tables."""
        return [statement for statement in self if "spayon_" in statement]


def test_a_paid_callback_marks_the_order_paid_once(any_shop: Shop) -> None:
    any_shop.add_order()
    any_shop.add_payment()

    assert [any_shop.deliver(report()) for _ in range(3)] == [200, 200, 200]

    assert any_shop.paid_times() == 1
    assert any_shop.payment().status == "paid"
    assert [row.verdict for row in any_shop.callbacks()] == ["applied"]


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
    shop.add_order()
    shop.add_payment()

    assert shop.deliver(report(), path=path) == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(shop: Shop, content_type: str | None) -> None:
    shop.add_order()
    shop.add_payment()
    body = report()
    answer = shop.app.test_client().post(
        "/pay/callback",
        data=body,
        content_type=content_type,
        headers={"X-Signature": signing.sign(body, SECRET)},
    )

    assert answer.status_code == 200
    assert shop.paid_times() == 1


@pytest.mark.parametrize("signature", ["", "0" * 64, "Ё", "\x7f", signing.sign(b"other", SECRET)])
def test_a_wrong_signature_is_refused_and_nothing_recorded(shop: Shop, signature: str) -> None:
    shop.add_payment()

    assert shop.deliver(report(), signature=signature.encode().decode("latin-1")) == 401
    assert shop.callbacks() == []


def test_a_missing_signature_is_refused(shop: Shop) -> None:
    assert shop.app.test_client().post("/pay/callback", data=report()).status_code == 401


def test_who_cannot_sign_is_told_what_is_missing_and_nothing_else(shop: Shop) -> None:
    answer = shop.app.test_client().post("/pay/callback", data=report())

    assert answer.headers["WWW-Authenticate"] == "X-Signature"
    assert answer.data == b""


def test_who_can_sign_is_told_what_is_malformed(shop: Shop) -> None:
    answer = shop.app.test_client().post(
        "/pay/callback", data=b"{}", headers={"X-Signature": signing.sign(b"{}", SECRET)}
    )

    assert answer.text == "sessionId must be text of 1 to 255 characters\n"


def test_the_signature_is_checked_before_the_body_is_parsed(shop: Shop) -> None:
    assert shop.deliver(b"{not json", signature="0" * 64) == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", report(sessionId=None)])
def test_a_signed_body_that_is_no_report_is_malformed(shop: Shop, body: bytes) -> None:
    assert shop.deliver(body) == 400
    assert shop.callbacks() == []


def test_a_body_of_64_kib_is_taken(shop: Shop) -> None:
    body = report(filler="x" * 64 * 1024)[: 64 * 1024 - 2] + b'"}'
    assert len(body) == 64 * 1024

    assert shop.deliver(body) == 200


def test_a_larger_body_is_refused_by_its_length(shop: Shop) -> None:
    assert shop.deliver(report(filler="x" * 64 * 1024)) == 413


def test_a_larger_body_is_refused_without_a_length(shop: Shop) -> None:
    body = report(filler="x" * 64 * 1024)
    headers = {"X-Signature": signing.sign(body, SECRET), "Transfer-Encoding": "chunked"}

    assert _post_stream(shop, io.BytesIO(body), headers, ends=True).status_code == 413


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


def test_a_handler_that_fails_is_answered_500_and_the_next_delivery_starts_clean(
    any_shop: Shop,
) -> None:
    def fail(_status: str, _payment: Any) -> None:
        raise RuntimeError("no stock")

    any_shop.add_order()
    any_shop.add_payment()
    any_shop.handle = fail

    assert any_shop.deliver(report()) == 500
    assert (any_shop.paid_times(), any_shop.callbacks()) == (0, [])
    assert any_shop.payment().status == "pending"

    any_shop.handle = None

    assert any_shop.deliver(report()) == 200
    assert any_shop.paid_times() == 1


class TestCounts:
    """What a callback costs, in statements; BEGIN and COMMIT apart."""

    def test_a_rejected_callback_takes_no_statement(self, any_shop: Shop) -> None:
        statements = Statements(any_shop)
        any_shop.deliver(report(), signature="0" * 64)

        assert statements == []

    def test_a_duplicate_takes_one(self, any_shop: Shop) -> None:
        any_shop.add_order()
        any_shop.add_payment()
        any_shop.deliver(report())
        statements = Statements(any_shop)
        any_shop.deliver(report())

        assert len(statements) == 1

    def test_a_first_delivery_takes_three(self, any_shop: Shop) -> None:
        any_shop.add_order()
        any_shop.add_payment()
        statements = Statements(any_shop)
        any_shop.deliver(report())

        assert len(statements.ours()) == 3

    def test_a_delivery_that_needs_a_review_takes_three(self, any_shop: Shop) -> None:
        any_shop.add_order()
        any_shop.add_payment()
        statements = Statements(any_shop)
        any_shop.deliver(report(price="1"))

        assert len(statements.ours()) == 3

    def test_a_handler_that_reads_what_it_needs_of_the_payment_takes_none(
        self, any_shop: Shop
    ) -> None:
        seen: list[Any] = []
        any_shop.handle = lambda status, payment: seen.append(
            (status, payment.status, payment.order_id, payment.session_id, payment.price)
        )
        any_shop.add_order()
        any_shop.add_payment()
        statements = Statements(any_shop)
        any_shop.deliver(report())

        assert seen == [("paid", "paid", "A1", "S1", 1000)]
        assert len(statements.ours()) == 3

    def test_no_call_goes_out_during_a_callback(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a call to the gateway")

        monkeypatch.setattr("requests.Session.request", refuse)
        shop.add_order()
        shop.add_payment()

        assert shop.deliver(report()) == 200


class TestObservers:
    def test_a_signal_follows_the_commit(self, shop: Shop) -> None:
        shop.add_order()
        shop.add_payment()
        seen: list[tuple[str, str, int]] = []

        def note(sender: str, payment: Any) -> None:
            seen.append((sender, payment.status, shop.paid_times()))

        with payment_paid.connected_to(note):
            shop.deliver(report())
            shop.deliver(report())

        assert seen == [("spayon", "paid", 1)]

    def test_a_receiver_that_raises_changes_nothing(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_sender: str, **_: object) -> None:
            raise RuntimeError("observer")

        shop.add_order()
        shop.add_payment()

        with payment_paid.connected_to(fail):
            assert shop.deliver(report()) == 200

        assert shop.paid_times() == 1
        assert "a receiver of payment-paid failed" in caplog.text

    def test_a_refusal_is_told_with_its_reason(self, shop: Shop) -> None:
        seen: list[int] = []

        def note(_sender: str, status_code: int, reason: str) -> None:
            assert reason
            seen.append(status_code)

        with callback_refused.connected_to(note):
            shop.deliver(b"[]")
            shop.deliver(b"{}", signature="x")

        assert seen == [400, 401]


class TestDispatcher:
    @pytest.fixture
    def given(self, shop: Shop) -> list[int]:
        given: list[int] = []
        shop.spayon.dispatcher(given.append)
        shop.add_order()
        shop.add_payment()
        return given

    def test_it_is_given_each_row_that_changed_a_status(self, shop: Shop, given: list[int]) -> None:
        shop.deliver(report())
        shop.deliver(report())
        shop.deliver(report(status="failed"))

        [paid, stale] = shop.callbacks()
        assert given == [paid.id]
        assert (paid.dispatch_at, stale.dispatch_at) == (None, None)

    def test_one_that_raises_is_logged_and_spayon_still_gets_its_200(
        self, shop: Shop, given: list[int], caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_callback_id: int) -> None:
            raise ConnectionError("no queue")

        shop.spayon.dispatcher(fail)

        assert shop.deliver(report()) == 200
        assert "dispatcher failed" in caplog.text

        shop.spayon.dispatcher(given.append)
        shop.clock.step(60)

        with shop.app.app_context():
            assert shop.spayon.reconcile().handed_over == 1
            assert shop.spayon.reconcile().handed_over == 0

        assert given == [shop.callbacks()[0].id]

    def test_what_happened_before_there_was_a_dispatcher_is_not_handed_over(
        self, shop: Shop
    ) -> None:
        given: list[int] = []
        shop.add_order()
        shop.add_payment()
        shop.deliver(report())
        shop.spayon.dispatcher(given.append)
        shop.clock.step(3600)

        with shop.app.app_context():
            shop.spayon.reconcile()

        assert given == []


def test_refused_callbacks_are_logged_once_a_minute(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        shop.deliver(report(), signature="0" * 64)

    shop.clock.step(61)
    shop.deliver(report(), signature="0" * 64)

    assert [record.getMessage() for record in caplog.records] == [
        "callback refused: X-Signature does not match the body",
        "callback refused: X-Signature does not match the body (2 more since this was last logged)",
    ]
