"""`flask spayon payments` and `show`: what an operator sees."""

import json
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from flask.cli import ScriptInfo

from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop


def test_payments_are_listed_newest_first(shop: Shop, run: Run) -> None:
    shop.add_payment("S1", status="failed", held_order_id=None)
    shop.clock.step(60)
    shop.add_payment("S2", price=Decimal("9.5"))

    lines = run("payments").output.splitlines()

    assert lines[0] == "CREATED (UTC)        ORDER  STATUS   PRICE     PAYMENT SESSION"
    assert lines[1] == "2026-11-22 12:01:00  A1     pending  9.5 AMD   S2"
    assert lines[2] == "2026-11-22 12:00:00  A1     failed   1000 AMD  S1"


def test_a_terminal_that_is_too_narrow_for_a_table_shows_a_value_a_line(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add_payment("S1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")

    shop.app.cli.main(
        ["spayon", "payments"],
        standalone_mode=False,
        obj=ScriptInfo(create_app=lambda: shop.app),
    )

    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["order", "A1"],
        ["status", "pending"],
        ["price", "1000 AMD"],
        ["payment", "session  S1"],
        [],
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--status", "failed"), ["S1"]),
        (("--order", "A2"), ["S3"]),
        (("--since", "90s"), None),
        (("--since", "1h"), ["S3", "S2"]),
        (("--since", "2026-11-22T12:00:00Z"), ["S3", "S2"]),
        (("--since", "2026-11-22"), ["S3", "S2"]),
        (("--since", "2026-11-21"), ["S3", "S2", "S1"]),
        (("--limit", "1"), ["S3"]),
        (("--until", "1h"), ["S1"]),
        (("--since", "20h", "--until", "1h"), ["S1"]),
        (("--search", "s2"), ["S2"]),
        (("--search", "of-S"), ["S3", "S2", "S1"]),
        (("--search", "of_S"), []),
    ],
)
def test_payments_can_be_narrowed_down(
    shop: Shop, run: Run, arguments: tuple[str, ...], expected: list[str] | None
) -> None:
    shop.add_order("A2")
    shop.clock.step(-3 * 3600 * 5)
    shop.add_payment("S1", status="failed", held_order_id=None)
    shop.clock.step(3 * 3600 * 5)
    shop.add_payment("S2")
    shop.add_payment("S3", order_id="A2")

    result = run("payments", "--json", *arguments)

    if expected is None:
        assert result.exit_code == 64
        assert "neither a date" in result.output

    else:
        assert [each["session_id"] for each in json.loads(result.stdout)] == expected


def test_payments_as_json_keep_prices_exact_and_times_in_utc(shop: Shop, run: Run) -> None:
    shop.add_payment(price=Decimal("12345678901.23"))

    (payment,) = json.loads(run("payments", "--json").output)

    assert payment["price"] == "12345678901.23"
    assert payment["created_at"] == "2026-11-22T12:00:00+00:00"


def test_what_a_payment_lacks_is_said(shop: Shop, run: Run) -> None:
    shop.add_payment(account="museum")
    assert run("payments").output == "no payments\n"
    assert json.loads(run("payments", "--json").output) == []

    shop.add_payment(None, "A2")
    shop.add_payment("S3")
    shop.deliver(report("S3", price="1"))

    output = run("payments").output
    assert "(never answered)" in output
    assert "review: price_differs" in output


def test_show_tells_a_payment_and_what_came_in_order(shop: Shop, run: Run) -> None:
    shop.add_payment()
    shop.deliver(report(status="pending"))
    shop.clock.step(60)
    shop.deliver(
        report(
            status="failed",
            declineReasons=[{"transactionId": 1, "responseCode": "05", "responseReasonEn": "No"}],
        )
    )
    shop.clock.step(60)
    shop.deliver(report(status="expired"))

    output = run("show", "reference-of-S1-A1").output

    assert run("show", "S1").output == output
    assert "order            A1" in output
    assert "declined         05 No" in output
    told = [line.split()[2:] for line in output.splitlines()[-3:]]
    assert told == [
        ["callback", "pending", "unchanged"],
        ["callback", "failed", "applied"],
        ["callback", "expired", "stale"],
    ]


def test_show_as_json_holds_the_exact_body(shop: Shop, run: Run) -> None:
    shop.add_payment()
    shop.deliver(report())

    shown = json.loads(run("show", "S1", "--json").output)

    assert shown["payment"]["status"] == "paid"
    assert shown["callbacks"][0]["body"] == report().decode()
    assert shown["callbacks"][0]["verdict"] == "applied"


def test_show_finds_reports_about_a_payment_session_that_nobody_knows(shop: Shop, run: Run) -> None:
    shop.deliver(report("S9", orderId="A9"))

    output = run("show", "S9").output
    nothing = run("show", "S8")

    assert "No payment of ours" in output
    assert "unknown" in output
    assert (nothing.exit_code, "flask spayon payments" in nothing.output) == (1, True)


def pay(shop: Shop, session_id: str, **fields: object) -> None:
    """Let a payment of its own order be paid."""
    order_id = f"order-{session_id}"
    shop.add_order(order_id)
    # Nobody has paid before the payment was begun.
    moment = str(fields.get("updatedAt", "2026-11-22T12:00:00.000Z"))
    begun = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    shop.add_payment(session_id, order_id=order_id, created_at=begun)
    assert shop.deliver(report(session_id, orderId=order_id, **fields)) == 200


def test_a_table_that_leaves_payments_out_says_so(shop: Shop, run: Run) -> None:
    for number in range(51):
        shop.add_payment(f"S{number}", held_order_id=None)

    lines = run("payments").output.splitlines()

    assert len(lines) == 1 + 50 + 1
    assert lines[-1] == (
        "these are the newest 50, and there are more: narrow them down, or --limit"
    )
    assert len(run("payments", "--limit", "51").output.splitlines()) == 1 + 51

    # JSON has all of them; what a limit left out is said beside what scripts read.
    limited = run("payments", "--json", "--limit", "3")
    assert len(json.loads(run("payments", "--json").stdout)) == 51
    assert len(json.loads(limited.stdout)) == 3
    assert "there are more" in limited.stderr


def test_payments_are_listed_by_when_spayon_says_they_were_paid(shop: Shop, run: Run) -> None:
    pay(shop, "S1", updatedAt="2026-11-20T12:00:00.000Z")
    pay(shop, "S2", updatedAt="2026-11-22T12:00:00.000Z")
    pay(shop, "S3", updatedAt="2026-11-21T12:00:00.000Z")
    shop.add_payment("S4", order_id="never-paid")

    paid = json.loads(run("payments", "--json", "--paid-since", "2026-11-21").output)

    assert [each["session_id"] for each in paid] == ["S2", "S3"]
    assert paid[1]["paid_at"] == "2026-11-21T12:00:00+00:00"
    assert (paid[1]["reported_price"], paid[1]["reported_currency"]) == ("1000", "AMD")


def test_what_was_paid_is_shown_beside_what_was_asked_for_if_they_differ(
    shop: Shop, run: Run
) -> None:
    pay(shop, "S1", price="9.5")

    assert "1000 AMD, paid 9.5 AMD" in run("payments").output
    assert "reported         9.5 AMD" in run("show", "S1").output


def test_totals_are_exact_and_by_status_and_currency(shop: Shop, run: Run) -> None:
    for number, price in enumerate(("0.1", "0.2", "0.7")):
        order_id = shop.add_order(f"B{number}", price, "USD")
        shop.add_payment(f"U{number}", order_id=order_id, price=Decimal(price), currency="USD")
        shop.deliver(report(f"U{number}", orderId=order_id, price=price, currency="USD"))

    pay(shop, "S1")
    pay(shop, "S2", price="7")

    totals = json.loads(run("payments", "--totals", "--json", "--paid-since", "7d").output)

    found = [(each["status"], each["currency"], each["number"], each["amount"]) for each in totals]
    assert found == [
        ("paid", "AMD", 1, "1000"),
        ("paid", "USD", 3, "1"),
        ("review", "AMD", 1, "7"),
    ]
    assert run("payments", "--totals").output.splitlines()[1].split() == [
        *("paid", "AMD", "1", "1000")
    ]


def test_the_totals_say_how_many_payments_have_no_amount_that_could_be_added(
    shop: Shop, run: Run
) -> None:
    pay(shop, "S1", price="a lot")
    shop.add_payment("S9", order_id="A9", status="failed", held_order_id=None)

    lines = run("payments", "--totals").output.splitlines()[1:-1]

    assert [line.split(maxsplit=3) for line in lines] == [
        ["failed", "1"],
        ["review", "1", "(1", "without a readable amount)"],
    ]


def test_a_payment_that_has_the_text_itself_is_listed_once_and_first(shop: Shop, run: Run) -> None:
    for number, order_id in enumerate(("A1", "A10", "A11")):
        shop.add_payment(f"T{number}", order_id=order_id)
        shop.clock.step(60)

    def listed(*options: str) -> list[str]:
        found = json.loads(run("payments", "--search", "A1", "--json", *options).stdout)
        return [each["order_id"] for each in found]

    assert listed() == ["A1", "A11", "A10"]
    assert listed("--limit", "2") == ["A1", "A11"]
    assert len(run("payments", "--search", "A1", "--csv").output.splitlines()) == 1 + 3


def test_csv_holds_what_was_paid_in_the_way_of_a_language(shop: Shop, run: Run) -> None:
    pay(shop, "S1", price="9.5")

    english = run("payments", "--csv").output.splitlines()
    russian = run("payments", "--csv", "--language", "ru").output.splitlines()

    assert english[0].startswith("\ufeffPaid at (UTC),Order,Status")
    assert english[1].startswith(
        "2026-11-22 12:00:00,order-S1,Under review,Tea,9.5,AMD,,9.5,1000,AMD,S1,"
    )
    assert russian[0].startswith("\ufeffОплачено (UTC);Заказ;Статус")
    assert ";9,5;AMD;;9,5;1000;AMD;S1;" in russian[1]


def test_show_takes_an_order_too_and_tells_of_every_attempt(shop: Shop, run: Run) -> None:
    shop.add_payment("S1", held_order_id=None)
    shop.add_payment("S2")
    shop.deliver(report("S2"))

    output = run("show", "A1").output
    shown = json.loads(run("show", "A1", "--json").output)

    assert "Attempt 1 of 2" in output
    assert "Attempt 2 of 2" in output
    assert [each["payment"]["session_id"] for each in shown["attempts"]] == ["S1", "S2"]
    assert [len(each["callbacks"]) for each in shown["attempts"]] == [0, 1]


def test_the_totals_tell_what_was_paid_given_back_and_left_and_of_what(
    shop: Shop, run: Run
) -> None:
    for number, price in enumerate(("1000", "9.5", "7")):
        pay(shop, f"S{number}", price=price)

    shop.add_payment("S9", "A9", gateway="api.spayon.io", status="paid", paid_at=shop.clock())
    noted = run("refund", "S0", "--amount", "250.5", "--because", "broken", "--by", "Ani")

    result = run("payments", "--totals", "--paid-since", "2026-11-01", "--paid-until", "2026-12-01")

    assert noted.output == (
        "order order-S0: 250.5 AMD noted as given back, 749.5 AMD left; the money itself moves in "
        "Spayon's panel\n"
    )
    assert [line.split() for line in result.stdout.splitlines()[:3]] == [
        ["STATUS", "CURRENCY", "PAYMENTS", "PAID", "REFUNDED"],
        ["paid", "AMD", "1", "1000", "1:", "250.5"],
        ["review", "AMD", "2", "16.5"],
    ]
    assert result.stdout.splitlines()[3:] == [
        "AMD: 3 payments, 1016.5 paid, 250.5 given back, 766 left",
        (
            "paid from 2026-11-01 00:00:00 until 2026-12-01 00:00:00; times in UTC; "
            "gateway 127.0.0.1:9; as of 2026-11-22 12:00:00"
        ),
    ]
    assert result.stderr == (
        "payments of another gateway are left out, see --gateway: api.spayon.io\n"
    )


def test_a_refund_is_noted_in_parts_and_taken_back(shop: Shop, run: Run) -> None:
    pay(shop, "S1", price="1000")
    why = ("--because", "broken", "--by", "Ani")

    for amount, code in (("400", 0), ("600.01", 1), ("0", 64), ("much", 64)):
        assert run("refund", "S1", "--amount", amount, *why).exit_code == code, amount

    assert run("refund", "reference-of-S1-order-S1", *why).exit_code == 0
    assert shop.payment().refunded_price == 1000
    assert "given back already" in run("refund", "S1", *why).output
    back = json.loads(run("refund", "S1", "--take-back", "--by", "Aram", "--json").output)
    assert (back["refunded_price"], back["refunded_by"]) == ("400", "Ani")
    assert run("refund", "S1").exit_code == 64
    assert run("refund", "S7", *why).exit_code == 1


def test_csv_is_one_file_whatever_the_code_page_and_the_oldest_come_first(
    shop: Shop, run: Run, tmp_path: Path
) -> None:
    for session_id in ("S1", "S2"):
        pay(shop, session_id)
        shop.clock.step(60)

    file = tmp_path / "books.csv"
    assert run("payments", "--csv", "--output", str(file)).output == ""
    written = run("payments", "--csv").stdout_bytes

    assert written == file.read_bytes()
    assert written.startswith(b"\xef\xbb\xbfPaid at (UTC),")
    lines = written.split(b"\r\n")
    assert [line.split(b",")[1] for line in lines[1:-1]] == [b"order-S1", b"order-S2"]


def test_a_file_that_cannot_be_written_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    result = run("payments", "--csv", "--output", str(tmp_path / "nowhere" / "books.csv"))

    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("Error: Could not open file")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--since", "1h", "--until", "2h"), "must be earlier than"),
        (("--paid-since", "1h", "--paid-until", "1h"), "must be earlier than"),
        (("--totals", "--limit", "3"), "takes no --limit"),
        (("--output", "books.csv"), "is for --csv"),
        (("--csv", "--json"), "not both"),
    ],
)
def test_what_makes_no_sense_together_is_a_mistake(
    run: Run, options: tuple[str, ...], says: str
) -> None:
    result = run("payments", *options)

    assert (result.exit_code, says in result.output) == (64, True)
