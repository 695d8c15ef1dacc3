"""Bodies of reports: those that we write as Spayon does, and those that stand in a row."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from types import SimpleNamespace

import pytest

from spayon_flask.domain.reports import read_stored, timestamp, write_callback

NOW = datetime(2027, 2, 24, 12, tzinfo=timezone.utc)

DECLINES = [{"transactionId": 161, "responseCode": "05", "responseReasonEn": "Do not honor"}, {}]

PAYMENT = SimpleNamespace(
    session_id="S1",
    order_id="A1",
    product_name="Թեյ",
    price=Decimal("1800.50"),
    currency="AMD",
    created_at=datetime(2027, 2, 24, 11, 58, 3, 7000, tzinfo=timezone.utc),
)


@pytest.fixture
def _in_yerevan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The zone of the machine is another one than UTC."""
    monkeypatch.setenv("TZ", "Asia/Yerevan")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_callback_is_written_with_the_documented_fields_in_their_order() -> None:
    assert write_callback(PAYMENT, "paid", now=NOW).decode() == (
        '{"sessionId":"S1","status":"paid","productName":"Թեյ","price":"1800.5","currency":"AMD",'
        '"createdAt":"2027-02-24T11:58:03.007Z","updatedAt":"2027-02-24T12:00:00.000Z",'
        '"orderId":"A1"}'
    )


def test_a_callback_of_a_failed_payment_has_a_decline() -> None:
    written = json.loads(write_callback(PAYMENT, "failed", now=NOW))

    assert written["declineReasons"] == [DECLINES[0]]


def test_fields_of_a_callback_can_be_replaced_and_left_out() -> None:
    of_panel = SimpleNamespace(**vars(PAYMENT) | {"price": None, "currency": None})

    written = json.loads(write_callback(of_panel, "paid", now=NOW, orderId=None, currency="RUB"))

    assert written["currency"] == "RUB"
    assert written.keys().isdisjoint({"price", "orderId"})


@pytest.mark.usefixtures("_in_yerevan")
def test_moments_are_written_in_utc_with_milliseconds() -> None:
    noon = datetime.fromisoformat("2027-02-24T16:00:00.999999+04:00")

    assert timestamp(noon) == "2027-02-24T12:00:00.999Z"


@pytest.mark.parametrize("body", [None, b"", b"the shop's own words", b"[]"])
def test_a_row_whose_body_is_no_report_has_none(body: bytes | None) -> None:
    assert read_stored(body) is None
