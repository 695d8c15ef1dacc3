"""The books: the sums of desk, command and file against a ledger that the test keeps by itself."""

import csv
import io
import json
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from spayon_flask.domain.exports import grand_totals
from spayon_flask.storage.ledger import Filter
from tests.reports import report
from tests.staff.conftest import Desk

#: Its clocks were set back at the end of October 2026.
BERLIN = ZoneInfo("Europe/Berlin")

#: Both sides of two ends of months, in the hour that comes twice, and at both ends of its day.
MOMENTS = (
    datetime(2026, 9, 30, 23, 59, 59, tzinfo=BERLIN),
    datetime(2026, 10, 1, tzinfo=BERLIN),
    datetime(2026, 10, 25, tzinfo=BERLIN),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
    datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
    datetime(2026, 10, 25, 23, 59, 59, tzinfo=BERLIN),
    datetime(2026, 10, 31, 23, 59, 59, tzinfo=BERLIN),
    datetime(2026, 11, 1, tzinfo=BERLIN),
)

#: What is reported: currency, price, and how much of it is given back (None: nothing is).
PAID = (
    ("AMD", "1000", None),
    ("USD", "0.1", None),
    ("USD", "0.2", Decimal("0.2")),
    ("AMD", "12345678901.23", Decimal("0.03")),
    ("AMD", "unreadable", None),
)

Sums = dict[str, tuple[Decimal, Decimal]]


def _pay(desk: Desk, moment: datetime, number: int, *, day: str, sums: dict[str, Sums]) -> None:
    """Let each of PAID be paid at *moment*, and write it down in *sums* by hand."""
    shop = desk.shop
    shop.clock.now = moment.astimezone(ZoneInfo("UTC"))

    for currency, price, given_back in PAID:
        number += 1
        session_id, order_id = f"S{number}", f"A{number}"
        asked = price if price != "unreadable" else "1"
        shop.add_order(order_id, asked, currency)
        shop.add_payment(session_id, order_id, price=Decimal(asked), currency=currency)
        told = {"price": price, "currency": currency, "orderId": order_id}
        stamp = f"{shop.clock.now:%Y-%m-%dT%H:%M:%S}.000Z"
        assert shop.deliver(report(session_id, updatedAt=stamp, **told)) == 200

        if price == "unreadable":
            continue

        before, back = sums[day].get(currency, (Decimal(0), Decimal(0)))
        sums[day][currency] = (before + Decimal(price), back + (given_back or 0))

        if given_back is not None:
            with shop.app.app_context():
                state = shop.spayon.state
                payment = state.storage.queries.find(session_id=session_id)
                assert payment is not None
                state.storage.decisions.refund(
                    payment.id, amount=given_back, by="Ani", because="x", now=shop.clock()
                )


def test_the_sums_are_those_of_a_ledger_that_the_test_keeps(any_desk: Desk) -> None:
    shop = any_desk.shop
    shop.configure(SPAYON_TIMEZONE="Europe/Berlin")
    sums: dict[str, Sums] = defaultdict(dict)

    for number, moment in enumerate(MOMENTS):
        _pay(any_desk, moment, number * len(PAID), day=f"{moment:%Y-%m-%d}", sums=sums)

    # A payment of another gateway is in no sum.
    now = shop.clock()
    told = {"reported_price": Decimal(7), "reported_currency": "AMD", "paid_at": now}
    shop.add_payment("S-other", "B1", gateway="staging.example", status="paid", **told)
    shop.clock.now += timedelta(days=1)

    for first, last in (
        ("2026-09-01", "2026-09-30"),
        ("2026-10-01", "2026-10-31"),
        ("2026-10-25", "2026-10-25"),
        ("2026-11-01", "2026-11-30"),
    ):
        expected: dict[str, tuple[Decimal, Decimal]] = {}

        for day, of_day in sums.items():
            if first <= day <= last:
                for currency, (paid, back) in of_day.items():
                    before = expected.get(currency, (Decimal(0), Decimal(0)))
                    expected[currency] = (before[0] + paid, before[1] + back)

        text = any_desk.get(f"/export.csv?from={first}&to={last}").data.decode("utf-8-sig")
        found: dict[str, tuple[Decimal, Decimal]] = {}
        moments = []

        for row in csv.DictReader(io.StringIO(text)):
            moments.append(row["Paid at (Europe/Berlin)"])

            if row["Amount"]:
                paid, back = found.get(row["Currency"], (Decimal(0), Decimal(0)))
                given_back = Decimal(row["Given back"] or 0)
                assert Decimal(row["Left"]) == Decimal(row["Amount"]) - given_back
                found[row["Currency"]] = (paid + Decimal(row["Amount"]), back + given_back)

        assert found == expected, (first, last)
        assert all(first <= each[:10] <= last for each in moments)

        since = datetime.fromisoformat(first).replace(tzinfo=BERLIN)
        until = datetime.fromisoformat(last).replace(tzinfo=BERLIN) + timedelta(days=1)

        with shop.app.app_context():
            wanted = Filter(paid_since=since, paid_until=until)
            totals = shop.spayon.state.storage.ledger.add_up(wanted)

        assert {each.currency: (each.amount, each.refunded) for each in grand_totals(totals)} == (
            expected
        )
        arguments = ["spayon", "payments", "--totals", "--json"]
        period = ["--paid-since", since.isoformat(), "--paid-until", until.isoformat()]
        said = json.loads(shop.app.test_cli_runner().invoke(args=[*arguments, *period]).stdout)
        assert sum(each["unreadable"] for each in said) == len(moments) // len(PAID)
        assert sum(each["number"] for each in said) == len(moments)
