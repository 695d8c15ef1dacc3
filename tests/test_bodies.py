"""What stays of the body of a report, once its exact bytes were removed."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from datetime import timezone
from typing import Any

import pytest

from spayon_flask.reports import TRIMMED
from spayon_flask.reports import Report
from spayon_flask.reports import removal_of
from spayon_flask.reports import trim
from tests.reports import report


NOW = datetime(2027, 2, 24, 12, tzinfo=timezone.utc)

DECLINES = [{"transactionId": 161, "responseCode": "05", "responseReasonEn": "Do not honor"}, {}]


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


def test_a_removal_is_told_from_a_whole_body() -> None:
    body = report()

    removal = removal_of(trim(Report.from_json(body), now=NOW))

    assert removal == (hashlib.sha256(body).hexdigest(), len(body), NOW)
    assert removal_of(body) is None
    assert removal_of(b"") is None
    assert removal_of(TRIMMED + b"{}}") is None
    assert removal_of(TRIMMED) is None
