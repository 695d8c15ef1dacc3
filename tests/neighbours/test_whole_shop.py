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
    FREE,
    HERE,
    LOST,
    NAME,
    PASSWORD,
    SECRET_KEY,
    STAFF,
    TEA,
    Customer,
    Whole,
    whole_shop,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.thorough

TITLES = {"en": "Tea", "ru": "Чай", "hy": "Թեյ"}
PAID = {"en": "paid", "ru": "оплачен", "hy": "վճարված"}


@pytest.fixture(scope="module")
def shop(
    redis_url: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Whole]:
    """The shop, once for all tests here: it takes some seconds to open."""
    folder = tmp_path_factory.mktemp("whole_shop")
    databases = Databases(folder, f"spayon_whole_shop_{worker_id}")

    try:
        with whole_shop(databases.url("postgresql"), redis_url, folder) as shop:
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


def test_the_desk_and_the_admin_find_the_payment_for_the_staff_alone(shop: Whole) -> None:
    customer, staff = Customer(shop.base, "en"), Customer(shop.base, "en", STAFF)
    session = shop.session_at(customer.checkout(TEA))
    shop.sim.pay(session.id)
    desk, admin = f"/staff/payments/list?q={session.id}", "/admin/payments/"

    assert customer.get(desk).status_code == 404
    assert customer.get(admin).status_code == 403
    assert session.id in staff.get(desk).text
    assert session.id in staff.get(admin).text


def test_a_trace_tells_of_the_purchase_and_of_no_secret_and_the_limiter_of_payers_alone(
    shop: Whole, redis_url: str
) -> None:
    buy(shop, Customer(shop.base, "ru"))
    written = shop.traces.read_text()
    spans = [json.loads(line) for line in written.splitlines()]
    verdicts = {each["attributes"].get("spayon.verdict") for each in spans}
    asked = {each["attributes"].get("http.url") for each in spans if "CLIENT" in each["kind"]}

    assert "applied" in verdicts
    assert f"{shop.sim.url}/api/product/session" in asked
    assert not [secret for secret in secrets_of(shop) if secret in written]

    with redis.Redis.from_url(redis_url) as server:
        keys = " ".join(key.decode() for key in server.scan_iter(f"*{shop.limits}*"))

    assert "spayon.checkout" in keys
    assert "spayon.callback" not in keys


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

    shop.execute("UPDATE product SET shelf = 'a2' WHERE id = :id", id=LOST)
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
