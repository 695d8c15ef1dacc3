"""Bodies of reports: one that we write as Spayon does, and what stays of one that was removed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import datetime
from datetime import timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from spayon_flask.reports import TRIMMED
from spayon_flask.reports import Report
from spayon_flask.reports import read_stored
from spayon_flask.reports import removal_of
from spayon_flask.reports import timestamp
from spayon_flask.reports import trim
from spayon_flask.reports import write_callback
from tests.reports import report


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


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"price": None, "currency": None, "orderId": None, "updatedAt": None},
        {"price": "a thousand", "currency": "drams", "orderId": ["A1"], "updatedAt": "yesterday"},
        {"price": 1000.50, "currency": "amd", "orderId": 17},
        {"status": "failed", "declineReasons": DECLINES},
        {"status": "a new word", "orderId": "Ա-1 \ud800"},
    ],
)
def test_the_same_is_read_from_what_stays(fields: dict[str, Any]) -> None:
    whole = Report.from_json(report(**fields))

    left = trim(whole, now=NOW)

    assert Report.from_json(left)._replace(body=b"") == whole._replace(body=b"")


def test_nothing_else_stays_but_a_digest_of_the_bytes() -> None:
    body = report(email="ani@example.am", payer={"fullName": "Ani"}, productName="A gift for Ani")

    left = trim(Report.from_json(body), now=NOW)

    assert b"ni" not in left.replace(b"removedBySpayonFlask", b"")
    assert json.loads(left)["removedBySpayonFlask"] == {
        "sha256": hashlib.sha256(body).hexdigest(),
        "bytes": len(body),
        "at": "2027-02-24T12:00:00+00:00",
    }


@pytest.mark.usefixtures("_in_yerevan")
def test_what_stays_is_short_and_names_the_moment_in_utc() -> None:
    body = report(price="a thousand", currency=None, updatedAt=None)
    digest = hashlib.sha256(body).hexdigest()

    assert trim(Report.from_json(body), now=NOW).decode() == (
        f'{{"removedBySpayonFlask":{{"sha256":"{digest}","bytes":{len(body)},'
        '"at":"2027-02-24T12:00:00+00:00"},'
        '"sessionId":"S1","status":"paid","orderId":"A1","price":"unreadable"}'
    )


@pytest.mark.parametrize("body", [None, b"", b"the shop's own words", b"[]"])
def test_a_row_whose_body_is_no_report_has_none(body: bytes | None) -> None:
    assert read_stored(body) is None


def test_a_stored_report_is_read_whole_and_trimmed() -> None:
    whole = Report.from_json(report())

    for body in (whole.body, trim(whole, now=NOW)):
        assert read_stored(body) == whole._replace(body=body)


def test_a_removal_is_told_from_a_whole_body() -> None:
    body = report()

    removal = removal_of(trim(Report.from_json(body), now=NOW))

    assert removal == (hashlib.sha256(body).hexdigest(), len(body), NOW)
    assert removal_of(body) is None
    assert removal_of(b"") is None
    assert removal_of(TRIMMED + b"{}}") is None
    assert removal_of(TRIMMED) is None
