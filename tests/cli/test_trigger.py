"""`flask spayon trigger`: a signed callback to the running shop."""

import json

import pytest

from tests.cli.conftest import Run
from tests.kept import dispose
from tests.shop import Shop, make_shop


@pytest.mark.parametrize("status", ["paid", "failed", "expired"])
def test_a_triggered_status_runs_the_handler_of_that_status(
    shop: Shop, url: str, run: Run, status: str
) -> None:
    shop.add_payment()

    result = run("trigger", status, "--url", url)

    assert result.exit_code == 0, result.output
    assert shop.handled == [("A1", status)]
    assert f"order A1, payment session S1: {status}" in result.output


def test_a_triggered_pending_changes_nothing(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment()

    assert run("trigger", "pending", "--url", url).exit_code == 0

    assert shop.handled == []
    assert shop.payment().status == "pending"


def test_the_body_has_the_documented_fields_in_their_order(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment()

    run("trigger", "failed", "--url", url)

    body = json.loads(shop.callbacks()[0].body)
    assert list(body) == [
        "sessionId",
        "status",
        "productName",
        "price",
        "currency",
        "createdAt",
        "updatedAt",
        "orderId",
        "declineReasons",
    ]
    assert (body["price"], body["currency"], body["orderId"]) == ("1000", "AMD", "A1")
    assert body["updatedAt"] == "2026-11-22T12:00:00.000Z"


def test_the_newest_payment_of_the_named_order_is_reported(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment("S1", status="failed", held_order_id=None)
    shop.add_payment("S2")
    shop.add_order("A2")
    shop.add_payment("S3", order_id="A2")

    run("trigger", "paid", "--order", "A1", "--url", url)

    assert [row.session_id for row in shop.callbacks()] == ["S2"]


def test_the_named_payment_session_is_reported(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment("S1", held_order_id=None)
    shop.add_payment("S2")

    run("trigger", "failed", "--session", "S1", "--url", url)

    assert [row.session_id for row in shop.callbacks()] == ["S1"]


def test_twenty_at_once_run_the_handler_once(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment()

    result = run("trigger", "paid", "--times", "20", "--concurrently", "--url", url)

    assert result.exit_code == 0, result.output
    assert result.output.count("200 in") == 20
    assert shop.paid_times() == 1


def test_another_price_shows_the_money_guard(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment()

    result = run("trigger", "paid", "--price", "1", "--url", url)

    assert "review (price_differs)" in result.output
    assert shop.paid_times() == 0


def test_a_product_of_the_panel_needs_a_price(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment(product_id=7, product_name=None, price=None, currency=None)

    assert "--price" in run("trigger", "paid", "--url", url).output

    assert run("trigger", "paid", "--price", "900", "--url", url).exit_code == 0
    assert shop.paid_times() == 1


def test_a_handler_that_fails_is_shown_and_exits_with_1(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment()
    shop.handle = lambda *_: 1 / 0

    result = run("trigger", "paid", "--url", url)

    assert result.exit_code == 1
    assert "500 in" in result.output


def test_a_shop_that_does_not_run_exits_with_2(shop: Shop, run: Run) -> None:
    shop.add_payment()

    result = run("trigger", "paid", "--url", "http://127.0.0.1:9")

    assert result.exit_code == 2
    assert "nothing listens there" in result.output


def test_without_a_payment_the_way_to_one_is_told(run: Run) -> None:
    result = run("trigger", "paid", "--url", "http://127.0.0.1:9")

    assert result.exit_code == 1
    assert "checkout page" in result.output


def test_an_address_that_is_none_is_refused(shop: Shop, run: Run) -> None:
    shop.add_payment()

    result = run("trigger", "paid", "--url", "shop")

    assert result.exit_code == 1
    assert "--url must be a base URL" in result.output


@pytest.mark.parametrize(
    "arguments", [(), ("--session", "S1"), ("--forge-in-production",), ("--order", "A1")]
)
def test_production_takes_an_explicit_word_and_a_named_payment(arguments: tuple[str, ...]) -> None:
    shop = make_shop(
        SPAYON_API_URL=None,
        SPAYON_PUBLIC_URL="https://shop.test",
        SPAYON_CLIENT_SECRET="real",
        SPAYON_CALLBACK_SECRET="real too",
    )
    shop.add_pending()

    result = shop.app.test_cli_runner().invoke(args=["spayon", "trigger", "paid", *arguments])

    assert result.exit_code == 1
    assert "--forge-in-production" in result.output
    dispose(shop)


def test_no_secret_and_no_signature_is_printed(shop: Shop, url: str, run: Run) -> None:
    shop.add_payment()

    output = run("trigger", "paid", "--url", url).output

    assert "simulator-callback-secret" not in output
    assert "ignature" not in output
