"""The export: exact, complete, in the way of the language, and never a formula."""

import csv
import io
from datetime import datetime, timezone
from decimal import Decimal
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from spayon_flask.domain.exports import guarded, write_csv
from spayon_flask.domain.languages import Language
from spayon_flask.storage.ledger import Filter
from tests.reports import report
from tests.staff.conftest import Desk
from tests.staff.test_pages import pay, words

NOVEMBER = "from=2026-11-01&to=2026-11-30"


def read(text: str, delimiter: str = ",") -> list[list[str]]:
    """Return the rows of a CSV file, without its head."""
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:]), delimiter=delimiter))[1:]


def row(**values: Any) -> SimpleNamespace:
    """Return a payment as the ledger gives it."""
    names = (
        *("session_id", "product_name", "reviewed_by", "reviewed_because", "reviewed_at"),
        *("refunded_by", "refunded_because", "refunded_at", "refunded_price", "paid_at"),
        *("reported_price", "reported_currency", "gateway"),
    )
    defaults = dict.fromkeys(names) | {
        "order_id": "A1",
        "reference": "r1",
        "status": "paid",
        "price": Decimal(1000),
        "currency": "AMD",
    }
    return SimpleNamespace(**(defaults | values))


def test_a_period_holds_what_spayon_says_was_paid_in_it_by_the_shop_s_clock(desk: Desk) -> None:
    shop = desk.shop
    shop.configure(SPAYON_TIMEZONE="Asia/Yerevan")
    shop.clock.now = datetime(2026, 12, 24, 12, 0, tzinfo=timezone.utc)
    moments = {
        "first": "2026-10-31T20:00:00.000Z",
        "before": "2026-10-31T19:59:59.999Z",
        "last": "2026-11-30T19:59:59.999Z",
        "after": "2026-11-30T20:00:00.000Z",
    }

    for name, moment in moments.items():
        pay(shop, name, f"S-{name}", updatedAt=moment)

    rows = read(desk.get(f"/export.csv?{NOVEMBER}").text)

    assert [(each[1], each[0]) for each in rows] == [
        ("first", "2026-11-01 00:00:00"),
        ("last", "2026-11-30 23:59:59"),
    ]
    # The last month, if the address names none.
    assert [each[1] for each in read(desk.get("/export.csv").text)] == ["first", "last"]
    assert "From 1 November 2026 to 30 November 2026" in words(desk.get("/export").text)


def test_days_in_the_wrong_order_are_a_mistake_everywhere(desk: Desk) -> None:
    pay(desk.shop, "A1", "S1")
    slip = "from=2026-11-30&to=2026-11-01"

    for path in ("/list", "/export", "/export.csv"):
        assert "The first day comes after the last one." in desk.get(f"{path}?{slip}").text

    assert desk.get(f"/export.csv?{slip}").status_code == 400


@pytest.mark.parametrize(
    ("language", "delimiter", "amount"),
    [("en", ",", "9.5"), ("ru", ";", "9,5"), ("hy", ";", "9,5")],
)
def test_separator_and_decimal_sign_are_those_of_the_language(
    desk: Desk, language: str, delimiter: str, amount: str
) -> None:
    pay(desk.shop, "A1", "S1", price="9.5")

    answer = desk.get(f"/export.csv?{NOVEMBER}", headers={"Accept-Language": language})

    (found,) = read(answer.text, delimiter)
    assert (found[4], found[5], found[6], found[7]) == (amount, "AMD", "", amount)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (
        answer.headers["Content-Disposition"]
        == 'attachment; filename="payments-127.0.0.1-9-2026-11-01-2026-11-30.csv"'
    )


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_text_is_a_formula(begin: str) -> None:
    text = f"{begin}HYPERLINK(1)"
    names = (
        *("order_id", "reference", "session_id", "product_name", "reviewed_by"),
        *("reviewed_because", "refunded_by", "refunded_because"),
    )
    written = "".join(write_csv([row(**dict.fromkeys(names, text))], Language("en")))

    cells = next(csv.reader(io.StringIO(written.partition("\r\n")[2], newline="")))

    assert sum(cell == f"'{text}" for cell in cells) == len(names)
    assert not [cell for cell in cells if cell.startswith(begin)]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("tea;=1+cmd|x", "tea;'=1+cmd|x"),
        ("tea, -2", "tea,' -2"),
        ("a\n@b", "a\n'@b"),
        ("\uff1d1", "'\uff1d1"),
        ("0012", "'0012"),
        ("2026-11", "'2026-11"),
        ("12E5", "'12E5"),
        ("12e+5", "'12e+5"),
        ("1.10", "'1.10"),
        ("11/22", "'11/22"),
        ("12 Nov", "'12 Nov"),
        ("Tea, green", "Tea, green"),
        ("A-17", "A-17"),
        ("4ae3108a-3a1c-42df", "4ae3108a-3a1c-42df"),
        ("", ""),
    ],
)
def test_a_spreadsheet_takes_no_text_for_a_formula_a_number_or_a_day(text: str, safe: str) -> None:
    assert guarded(text) == safe


def test_separators_quotes_and_lines_in_a_name_stay_in_their_cell(desk: Desk) -> None:
    name = 'Tea, "green"; two\nlines'
    desk.shop.add_payment(status="paid", paid_at=desk.shop.clock(), product_name=name)

    (found,) = read(desk.get(f"/export.csv?{NOVEMBER}").text)

    assert found[3] == name


def test_the_totals_on_screen_are_those_of_the_file(any_desk: Desk) -> None:
    shop = any_desk.shop

    for number, price in enumerate(("0.1", "0.2", "12345678901.23", "0.0007")):
        order_id = shop.add_order(f"A{number}", price, "USD")
        shop.add_payment(f"S{number}", order_id, price=Decimal(price), currency="USD")
        shop.deliver(report(f"S{number}", orderId=order_id, price=price, currency="USD"))

    pay(shop, "B1", "S-b1")
    pay(shop, "B2", "S-b2", price="7")
    pay(shop, "B3", "S-b3", price="x")
    pay(shop, "B4", "S-b4", price="8")
    ids = {each.order_id: each.id for each in (shop.payment("S0"), shop.payment("S-b4"))}
    any_desk.post(f"/{ids['A0']}/refund", reason="broken")
    any_desk.post(f"/{ids['B4']}/decide", decision="refuse", reason="given back")

    text = words(any_desk.get(f"/export?{NOVEMBER}").text)
    rows = read(any_desk.get(f"/export.csv?{NOVEMBER}").text)

    for line in (
        "Paid 1 1,000 AMD – 1,000 AMD",
        "Paid 4 $12,345,678,901.5307 1: $0.10 $12,345,678,901.4307",
        "Refused 1 8 AMD – 8 AMD",
        "Under review 1 7 AMD – 7 AMD",
        "Under review 1 cannot be read – –",
        "Together, AMD 3 1,015 AMD – 1,015 AMD",
        "Together, USD 4 $12,345,678,901.5307 $0.10 $12,345,678,901.4307",
        "Zone UTC, gateway 127.0.0.1:9, as of 22 November 2026, 12:00 UTC.",
    ):
        assert line in text

    dollars = [Decimal(each[4]) for each in rows if each[5] == "USD"]
    assert sum(dollars) == Decimal("12345678901.5307")
    assert len(rows) == 8
    assert "Save 8 payments as CSV" in text


def test_the_file_comes_in_pieces_and_each_payment_once(
    any_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spayon_flask.storage.ledger.BATCH", 10)

    for number in range(25):
        any_desk.shop.add_payment(
            f"S{number}", f"A{number}", status="paid", paid_at=any_desk.shop.clock()
        )

    with any_desk.shop.app.app_context():
        ledger = any_desk.shop.spayon.state.storage.ledger
        found = [each.order_id for each in ledger.every(Filter(), oldest_first=True)]
        newest = [each.order_id for each in islice(ledger.every(Filter()), 7)]

    assert found == [f"A{number}" for number in range(25)]
    assert newest == [f"A{number}" for number in range(24, 17, -1)]


def test_lines_are_handed_on_before_the_last_payment_is_read() -> None:
    payments = iter([row(order_id=f"A{number}") for number in range(1000)])
    lines = write_csv(payments, Language("hy"))

    assert next(lines).count("\r\n") == 1 + 200
    assert len(list(payments)) == 800
