"""The books: the sums of desk, command and file against a ledger that the test keeps by itself."""

import csv
import io
import json
from collections.abc import Iterable
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

#: What the test writes down of each payment: day, currency, price, and how much is given back.
Book = list[tuple[str, str, Decimal, Decimal]]


def _pay(desk: Desk, moment: datetime, number: int, book: Book) -> None:
    """Let each of PAID be paid at *moment*, and write it down in *book* by hand."""
    shop = desk.shop
    shop.clock.now = moment.astimezone(ZoneInfo("UTC"))

    for currency, price, given_back in PAID:
        number += 1
        session_id, order_id = f"S{number}", f"A{number}"
        asked = price if price != "unreadable" else "1"
        shop.add_order(order_id, asked, currency)
        payment_id = shop.add_payment(session_id, order_id, price=Decimal(asked), currency=currency)
        told = {"price": price, "currency": currency, "orderId": order_id}
        stamp = f"{shop.clock.now:%Y-%m-%dT%H:%M:%S}.000Z"
        assert shop.deliver(report(session_id, updatedAt=stamp, **told)) == 200

        if price != "unreadable":
            book.append((f"{moment:%Y-%m-%d}", currency, Decimal(price), given_back or Decimal(0)))

        if given_back is not None:
            with shop.app.app_context():
                shop.spayon.state.storage.decisions.refund(
                    payment_id, amount=given_back, by="Ani", because="x", now=shop.clock()
                )


def _add_up(
    entries: Iterable[tuple[str, Decimal, Decimal]],
) -> dict[str, tuple[Decimal, Decimal]]:
    sums: dict[str, tuple[Decimal, Decimal]] = {}

    for currency, paid, back in entries:
        before = sums.get(currency, (Decimal(0), Decimal(0)))
        sums[currency] = (before[0] + paid, before[1] + back)

    return sums


def test_the_sums_are_those_of_a_ledger_that_the_test_keeps(any_desk: Desk) -> None:
    shop = any_desk.shop
    shop.configure(SPAYON_TIMEZONE="Europe/Berlin")
    book: Book = []

    for number, moment in enumerate(MOMENTS):
        _pay(any_desk, moment, number * len(PAID), book)

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
        expected = _add_up(each[1:] for each in book if first <= each[0] <= last)
        text = any_desk.get(f"/export.csv?from={first}&to={last}").data.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        readable = [
            (each["Currency"], Decimal(each["Amount"]), Decimal(each["Given back"] or 0))
            for each in rows
            if each["Amount"]
        ]

        assert _add_up(readable) == expected, (first, last)
        left = [Decimal(each["Left"]) for each in rows if each["Amount"]]
        assert left == [amount - given_back for _, amount, given_back in readable]
        assert all(first <= each["Paid at (Europe/Berlin)"][:10] <= last for each in rows)

        since = datetime.fromisoformat(first).replace(tzinfo=BERLIN)
        until = datetime.fromisoformat(last).replace(tzinfo=BERLIN) + timedelta(days=1)

        with shop.app.app_context():
            wanted = Filter(paid_since=since, paid_until=until)
            totals = shop.spayon.state.storage.ledger.add_up(wanted)

        grand = {each.currency: (each.amount, each.refunded) for each in grand_totals(totals)}
        assert grand == expected
        arguments = ["spayon", "payments", "--totals", "--json"]
        period = ["--paid-since", since.isoformat(), "--paid-until", until.isoformat()]
        said = json.loads(shop.app.test_cli_runner().invoke(args=[*arguments, *period]).stdout)
        assert sum(each["unreadable"] for each in said) == len(rows) // len(PAID)
        assert sum(each["number"] for each in said) == len(rows)
