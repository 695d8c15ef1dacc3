"""`flask spayon trigger`: a signed callback to the running shop."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Run
from tests.shop import Shop


@pytest.mark.parametrize("status", ["paid", "failed", "expired"])
def test_a_triggered_status_runs_its_handler_and_no_secret_is_printed(
    shop: Shop, url: str, run: Run, status: str
) -> None:
    shop.add_payment()

    result = run("trigger", status, "--url", url)

    assert result.exit_code == 0, result.output
    assert shop.handled == [("A1", status)]
    assert f"order A1, payment session S1: {status}" in result.output
    assert "simulator-callback-secret" not in result.output
    assert "ignature" not in result.output


@pytest.mark.parametrize(
    ("named", "session_id"), [(("--order", "A1"), "S2"), (("--session", "S1"), "S1"), ((), "S3")]
)
def test_the_newest_payment_is_reported_unless_another_is_named(
    shop: Shop, url: str, run: Run, named: tuple[str, ...], session_id: str
) -> None:
    shop.add_payment("S1", held_order_id=None)
    shop.add_payment("S2")
    shop.add_payment("S3", order_id=shop.add_order("A2"))

    run("trigger", "pending", *named, "--url", url)

    assert [row.session_id for row in shop.callbacks()] == [session_id]
    assert shop.handled == []


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


def test_what_cannot_be_done_is_said(shop: Shop, run: Run) -> None:
    trigger = ("trigger", "paid", "--url")
    without_payment = run(*trigger, "http://127.0.0.1:9")
    shop.add_payment()
    nobody_there, no_address = run(*trigger, "http://127.0.0.1:9"), run(*trigger, "shop")

    assert (without_payment.exit_code, "checkout page" in without_payment.output) == (1, True)
    assert (nobody_there.exit_code, "nothing listens there" in nobody_there.output) == (2, True)
    assert no_address.exit_code == 1
    assert "--url must be a base URL" in no_address.output


@pytest.mark.parametrize(
    "arguments", [(), ("--session", "S1"), ("--forge-in-production",), ("--order", "A1")]
)
def test_production_takes_an_explicit_word_and_a_named_payment(
    own_shop: Callable[..., Shop], arguments: tuple[str, ...]
) -> None:
    shop = own_shop(
        SPAYON_API_URL=None,
        SPAYON_PUBLIC_URL="https://shop.test",
        SPAYON_CLIENT_SECRET="real",
        SPAYON_CALLBACK_SECRET="real too",
    )
    shop.add_pending()

    result = shop.app.test_cli_runner().invoke(args=["spayon", "trigger", "paid", *arguments])

    assert result.exit_code == 1
    assert "--forge-in-production" in result.output
