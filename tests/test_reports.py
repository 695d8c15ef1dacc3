"""Report: what is read from Spayon's words."""

from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from spayon_flask import InvalidPayloadError
from spayon_flask.domain.reports import Report
from tests.reports import report

EXAMPLES = Path(__file__).parent / "examples"


def test_the_documented_failed_callback_is_read_with_its_decline_reasons() -> None:
    read = Report.from_json((EXAMPLES / "callback-failed.json").read_bytes())

    assert (read.status, read.price) == ("failed", Decimal(5000))
    assert read.decline_reasons == (
        {
            "transactionId": "161",
            "responseCode": "1A",
            "responseReasonEn": "3D-Secure authentication failed",
        },
    )


def test_the_exact_bytes_are_kept() -> None:
    body = b' {"status" : "paid", "sessionId":"S1"}\n'

    assert bytes(Report.from_json(body).body) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"sessionId": "S1"}',
        b'{"status": "paid"}',
        report(sessionId=""),
        report(sessionId=17),
        report(sessionId=["S1"]),
        report(sessionId="S" * 256),
        report(sessionId="S\x00"),
        report(sessionId="S\ud800"),
        report(sessionId=" S1"),
        report(status=""),
        report(status=True),
        b'{"sessionId": "S1", "status": "paid", "status": "failed"}',
        b'{"sessionId": "S1", "status": "paid", "x": ' + b"[" * 30000 + b"]" * 30000 + b"}",
        '{"sessionId": "S1", "status": "paid"}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidPayloadError):
        Report.from_json(body)


def test_a_price_is_exact_even_as_a_json_number() -> None:
    body = b'{"sessionId": "S1", "status": "paid", "price": 12345678901.2345}'

    assert Report.from_json(body).price == Decimal("12345678901.2345")


def test_a_missing_price_is_told_from_an_unreadable_one() -> None:
    assert not Report.from_json(report(price=None)).has_price
    assert Report.from_json(report(price="ten")).has_price


def test_a_number_with_thousands_of_digits_is_merely_unreadable() -> None:
    body = b'{"sessionId": "S1", "status": "paid", "price": ' + b"9" * 50_000 + b"}"

    assert Report.from_json(body).price is None


@pytest.mark.parametrize("declines", ["x", [1, None], {"a": 1}, [{"responseCode": ["05"]}], 5])
def test_decline_reasons_of_another_shape_do_no_harm(declines: object) -> None:
    read = Report.from_json(report(status="failed", declineReasons=declines))

    assert all(not reason for reason in read.decline_reasons)


def test_decline_reasons_are_bounded_and_printable() -> None:
    declines = [{"responseCode": "05\x00", "responseReasonEn": "x" * 9000}] * 100
    read = Report.from_json(report(status="failed", declineReasons=declines))

    assert len(read.decline_reasons) == 20
    assert read.decline_reasons[0] == {"responseCode": "05", "responseReasonEn": "x" * 500}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-22T12:01:00.118Z", datetime(2026, 11, 22, 12, 1, 0, 118000, timezone.utc)),
        ("2026-11-22T16:01:00.118+04:00", datetime(2026, 11, 22, 12, 1, 0, 118000, timezone.utc)),
        ("2000-01-01T00:00:00.000Z", datetime(2000, 1, 1, tzinfo=timezone.utc)),
        ("2099-12-31T23:59:59.000Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
    ],
)
def test_a_moment_of_this_century_is_read_in_utc(text: str, read: datetime) -> None:
    moment = Report.from_json(report(updatedAt=text)).updated_at

    assert moment == read
    assert moment.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "value",
    [
        "1999-12-31T23:59:59.000Z",
        "2100-01-01T00:00:00.000Z",
        "2026-11-22T12:01:00",
        "0001-01-01T00:00:00+14:00",
        "yesterday",
        "",
        1763812860,
    ],
)
def test_what_is_no_moment_of_this_century_is_unreadable(value: object) -> None:
    assert Report.from_json(report(updatedAt=value)).updated_at is None


@pytest.mark.parametrize("digits", [1, 19, 20, 255])
def test_an_order_number_is_read_to_its_last_digit(digits: int) -> None:
    assert Report.from_json(report(orderId=int("9" * digits))).order_id == "9" * digits


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_named(constant: str) -> None:
    with pytest.raises(InvalidPayloadError, match=f"^{constant} is not JSON$"):
        Report.from_json(f'{{"price": {constant}}}'.encode())


def test_an_error_report_shows_no_more_of_a_report_than_its_repr() -> None:
    said = Report.from_json(report(orderId="A1"))

    assert said.__sentry_repr__() == repr(said)
