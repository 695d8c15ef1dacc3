"""A whole shop, all neighbours at once: purchases under gunicorn, on PostgreSQL and Redis."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.crashes.server import ROOT
from tests.databases import Databases
from tests.neighbours.whole import (
    CUSTOMER,
    DEAR,
    FREE,
    HERE,
    LOST,
    NAME,
    OTHER,
    PASSWORD,
    REDIS,
    SECRET_KEY,
    STAFF,
    TEA,
    Customer,
    Whole,
    wait_until,
    whole_shop,
)

pytestmark = pytest.mark.thorough

TITLES = {"en": "Tea", "ru": "Чай", "hy": "Թեյ"}
PAID = {"en": "paid", "ru": "оплачен", "hy": "վճարված"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Whole]:
    """The shop, once for all tests here: it takes some seconds to open."""
    folder = tmp_path_factory.mktemp("whole_shop")
    databases = Databases(folder, f"spayon_whole_shop_{worker_id}")

    try:
        with whole_shop(databases.url("postgresql"), folder) as shop:
            yield shop

    finally:
        databases.close()


def buy(shop: Whole, customer: Customer) -> None:
    """Buy tea, pay, and see that all is done once."""
    session = shop.session_at(customer.checkout(TEA))
    order_id = str(session.order_id)
    language = customer.language

    assert session.creation.product_name == TITLES[language]
    assert shop.pay(session) == 200
    assert session.creation.callback_url == f"{shop.base}/{language}/pay/callback"
    again = shop.sim.deliver(session.id, times=8, concurrently=True)
    assert {each.status_code for each in again} == {200}

    page = customer.get(f"/{language}/pay/return?session_id={session.id}")
    assert customer.language_of(page) == language
    assert PAID[language] in customer.get(f"/{language}/orders/{order_id}").text

    wait_until(lambda: shop.parcels(order_id))
    assert shop.state(order_id) == "paid"


@pytest.mark.parametrize("language", ["en", "ru", "hy"])
def test_a_purchase_in_each_language_is_paid_and_shipped_once(shop: Whole, language: str) -> None:
    buy(shop, Customer(shop.base, language))


def test_a_purchase_without_preload(shop: Whole) -> None:
    with shop.served(preload=False):
        buy(shop, Customer(shop.base, "hy"))


def test_a_declined_card_ships_nothing_and_the_order_can_be_paid_after_it(shop: Whole) -> None:
    customer = Customer(shop.base, "ru")
    session = shop.session_at(customer.checkout(DEAR))
    order_id = str(session.order_id)

    shop.sim.decline(session.id, "51")

    assert shop.state(order_id) == "failed"
    again = customer.submit(f"/ru/pay/checkout/{shop.code(order_id)}").headers["Location"]
    shop.sim.pay(shop.session_at(again).id)
    wait_until(lambda: shop.parcels(order_id))
    assert shop.state(order_id) == "paid"


def test_who_goes_back_finds_the_way_to_pay(shop: Whole) -> None:
    customer = Customer(shop.base, "hy")
    address = customer.checkout(TEA)
    cancel_url = str(shop.session_at(address).creation.cancel_url)
    assert cancel_url.startswith(f"{shop.base}/hy/pay/cancel/")

    page = customer.get(cancel_url.removeprefix(shop.base))

    assert customer.language_of(page) == "hy"
    assert address in page.text
    assert shop.state(str(shop.session_at(address).order_id)) == "open"


def test_an_order_is_seen_by_its_owner_alone(shop: Whole) -> None:
    session = shop.session_at(Customer(shop.base, "ru").checkout(TEA))
    path = f"/ru/pay/checkout/{shop.code(str(session.order_id))}"
    stranger, other = Customer(shop.base, "ru", None), Customer(shop.base, "ru", OTHER)

    assert stranger.get(path).url.startswith(f"{shop.base}/ru/login?next=")
    refused = other.get(path)
    assert refused.status_code == 404
    # No order tells its language here: Flask-Babel does.
    assert '<html lang="ru"' in refused.text


def test_the_desk_and_the_admin_find_the_payment_for_the_staff_alone(shop: Whole) -> None:
    customer, staff = Customer(shop.base, "en"), Customer(shop.base, "en", STAFF)
    session = shop.session_at(customer.checkout(TEA))
    shop.sim.pay(session.id)
    desk, admin = f"/staff/payments/list?q={session.id}", "/admin/payments/"

    assert customer.get(desk).status_code == 404
    assert customer.get(admin).status_code == 403
    assert session.id in staff.get(desk).text
    assert session.id in staff.get(admin).text


def test_a_refund_is_noted_at_the_desk_in_the_name_that_is_logged_in(shop: Whole) -> None:
    session = shop.session_at(Customer(shop.base, "en").checkout(TEA))
    shop.sim.pay(session.id)
    found = shop.rows("SELECT id FROM spayon_payment WHERE session_id = :id", id=session.id)
    staff = Customer(shop.base, "en", STAFF)

    staff.submit(f"/staff/payments/{found[0][0]}/refund", reason="broken cup")

    query = "SELECT refunded_by, refunded_because FROM spayon_payment WHERE session_id = :id"
    assert shop.rows(query, id=session.id) == [("Vahe Staff", "broken cup")]


def test_the_command_makes_up_for_a_lost_callback(shop: Whole) -> None:
    session = shop.session_at(Customer(shop.base, "en").checkout(TEA))
    order_id = str(session.order_id)
    shop.sim.fault("callback_lost", order=order_id)
    shop.sim.pay(session.id)
    assert shop.state(order_id) == "open"
    # As if the minute were over after which Spayon is asked.
    shop.execute(
        "UPDATE spayon_payment SET due_at = due_at - interval '1 hour' WHERE session_id = :id",
        id=session.id,
    )

    result = shop.run("-m", "flask", "--app", "whole_shop", "spayon", "reconcile")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 paid" in result.stdout
    assert shop.state(order_id) == "paid"
    wait_until(lambda: shop.parcels(order_id))


def test_the_limiter_counts_payers_in_redis_and_never_the_callback(shop: Whole) -> None:
    buy(shop, Customer(shop.base, "en"))

    with redis.Redis.from_url(REDIS) as server:
        keys = " ".join(key.decode() for key in server.scan_iter(f"*{shop.limits}*"))

    assert "spayon.checkout" in keys
    assert "spayon.callback" not in keys


def test_a_trace_tells_of_the_purchase_and_of_no_secret(shop: Whole) -> None:
    buy(shop, Customer(shop.base, "ru"))
    written = shop.traces.read_text()
    spans = [json.loads(line) for line in written.splitlines()]
    verdicts = {each["attributes"].get("spayon.verdict") for each in spans}
    asked = {each["attributes"].get("http.url") for each in spans if "CLIENT" in each["kind"]}

    assert "applied" in verdicts
    assert f"{shop.sim.url}/api/product/session" in asked
    assert not [secret for secret in secrets_of(shop) if secret in written]


def test_sentry_hears_of_the_shop_s_own_mistakes_and_of_no_secret(shop: Whole) -> None:
    buy(shop, Customer(shop.base, "en"))
    customer = Customer(shop.base, "hy")
    session = shop.session_at(customer.checkout(LOST))
    free = customer.submit(f"/hy/buy/{FREE}", "/hy/").headers["Location"]

    assert shop.pay(session) == 500
    assert customer.get(free).status_code == 503
    typed = {"email": CUSTOMER, "full_name": NAME}
    assert customer.post(free, "/hy/", **typed).status_code == 503
    wait_until(lambda: len(shop.sentry.errors()) >= 3)

    sent = "\n".join(shop.sentry.bodies)
    assert shop.sentry.causes() == {"AttributeError", "OrderError"}
    assert not [secret for secret in secrets_of(shop) if secret in sent]

    shop.execute("UPDATE product SET shelf = 'a3' WHERE id = :id", id=LOST)
    shop.sim.deliver(session.id)
    assert shop.state(str(session.order_id)) == "paid"


def secrets_of(shop: Whole) -> list[str]:
    """Return what no neighbour may be told."""
    return [
        shop.sim.client_secret,
        shop.sim.callback_secret,
        CUSTOMER,
        NAME,
        PASSWORD,
        SECRET_KEY,
        "Bearer ",
        "eyJ",
        *(each.signature for each in shop.sim.deliveries),
    ]


def test_its_own_tests_written_by_the_page_testing_your_shop_pass(tmp_path: Path) -> None:
    # In a folder of its own: pytest leaves files beside what it runs.
    shutil.copy(HERE / "whole_shop.py", tmp_path)
    shutil.copytree(HERE / "whole_shop_tests", tmp_path / "tests")

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        check=False,
        text=True,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "7 passed" in result.stdout
