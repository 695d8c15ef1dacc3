"""`spayon_flask.testing`: what a shop's own tests can ask for."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.testing import Payer, connect, happens, happens_once, post_callback
from tests.kept import dispose
from tests.shop import Shop, make_shop

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "testing.md"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop in a file, whose gateway is nowhere."""
    shop = make_shop(f"sqlite:///{tmp_path / 'shop.db'}")
    shop.add_order()
    yield shop
    dispose(shop)


@pytest.fixture
def simulator(shop: Shop) -> Simulator:
    """The simulator, within this process."""
    return connect(shop.app)


@pytest.fixture
def payer(shop: Shop, simulator: Simulator) -> Payer:
    """A payer of this shop."""
    shop.clock.now = simulator.clock.now()
    return Payer(shop.app, simulator)


@pytest.fixture
def page_of_docs(tmp_path: Path) -> Path:
    """A folder with the files that docs/testing.md shows, and a browser for one of them."""
    for name, code in re.findall(r"```py\n# (\w+\.py)\n(.*?)```", DOCS.read_text(), re.DOTALL):
        (tmp_path / name).write_text(code)

    (tmp_path / "chromium.py").write_text(
        """
import pytest
from tests.pages.browser import chromium

@pytest.fixture
def page():
    with chromium() as browser:
        page = browser.new_page()
        yield page
        page.close()
"""
    )
    return tmp_path


def run(folder: Path, *command: str) -> str:
    """Run a module of Python in *folder*, and return what it says."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    return result.stdout


@pytest.mark.thorough
def test_the_page_testing_your_shop_runs_as_it_stands(page_of_docs: Path) -> None:
    said = run(page_of_docs, "pytest", "-q", "-W", "error", "-p", "chromium")
    assert "15 passed" in said or "14 passed, 1 skipped" in said, said

    said = run(page_of_docs, "unittest", "test_with_unittest")
    assert "Ran 1 test" in said, said
    assert said.endswith("OK\n"), said


#: Plugins that make each test of the page run as some shop's tests do.
SURROUNDINGS = {
    "freezegun": """
from freezegun import freeze_time

@pytest.fixture(autouse=True)
def frozen():
    with freeze_time("2040-02-29 23:59:50"):
        yield
""",
    "time_machine": """
import time_machine

@pytest.fixture(autouse=True)
def moved():
    with time_machine.travel("1999-12-31T23:59:50Z", tick=False):
        yield
""",
    "asyncio": """
import asyncio

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    async def in_a_loop():
        names = pyfuncitem._fixtureinfo.argnames
        pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})

    asyncio.run(in_a_loop())
    return True
""",
}


@pytest.mark.thorough
def test_the_tests_of_the_page_pass_in_whatever_surroundings(page_of_docs: Path) -> None:
    (page_of_docs / "test_in_browser.py").unlink()
    pytest_q = ("pytest", "-q", "-W", "error")
    assert "14 passed" in (said := run(page_of_docs, *pytest_q, "-n", "2")), said

    for seed in ("1", "2"):
        options = ("--random-order-bucket=global", f"--random-order-seed={seed}")
        assert "14 passed" in (said := run(page_of_docs, *pytest_q, *options)), said

    # Neither tool runs inside the other.
    (page_of_docs / "test_time.py").unlink()
    for name, code in SURROUNDINGS.items():
        (page_of_docs / f"under_{name}.py").write_text(f"import pytest\n{code}")
        said = run(page_of_docs, *pytest_q, "-p", f"under_{name}")
        assert "12 passed" in said, said


@pytest.mark.parametrize(("page", "module"), [("README.md", "shop"), ("docs/quickstart.md", "app")])
@pytest.mark.thorough
def test_the_first_shop_that_a_page_shows_is_tested_by_the_same_conftest(
    tmp_path: Path, page: str, module: str
) -> None:
    shop = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)[0]
    conftest = re.findall(r"```py\n# conftest.py\n(.*?)```", DOCS.read_text(), re.DOTALL)[0]
    (tmp_path / f"{module}.py").write_text(shop)
    (tmp_path / "conftest.py").write_text(conftest.replace("from shop ", f"from {module} "))
    title = ', title="Tea"' if module == "app" else ""
    (tmp_path / "test_it.py").write_text(
        f"""
from {module} import ShopOrder, db

def test_a_paid_order_is_paid(app, spayon_payer):
    with app.app_context():
        db.session.add(ShopOrder(id=1, code="tea-7Qz", total=1000{title}))
        db.session.commit()

    spayon_payer.pay("tea-7Qz")

    with app.app_context():
        assert db.session.get(ShopOrder, 1).paid
"""
    )

    assert "1 passed" in (said := run(tmp_path, "pytest", "-q", "-W", "error")), said


def test_pay_makes_the_order_paid_without_a_socket(
    shop: Shop, payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", no_network)

    assert payer.pay("A1").status_code == 200

    assert shop.paid_times() == 1


def test_an_order_can_be_paid_after_one_session_was_declined_and_another_has_expired(
    shop: Shop, payer: Payer
) -> None:
    session_id = payer.checkout("A1")
    payer.decline("A1", "14")
    payer.expire("A1")
    payer.pay("A1")

    assert shop.handled == [("A1", "failed"), ("A1", "expired"), ("A1", "paid")]
    assert shop.payment(session_id).decline_reasons[0]["responseCode"] == "14"


def test_reconcile_asks_the_simulator_within_the_process(
    shop: Shop, payer: Payer, simulator: Simulator
) -> None:
    session_id = payer.checkout("A1")
    simulator.fault("callback_lost", times=1)
    simulator.pay(session_id)
    assert shop.paid_times() == 0

    shop.clock.step(60)

    with shop.app.app_context():
        assert shop.spayon.reconcile().changed == {"paid": 1}

    assert shop.paid_times() == 1


def test_a_handler_that_fails_fails_the_test_unless_it_is_expected(
    shop: Shop, payer: Payer
) -> None:
    shop.handle = lambda *_: 1 / 0

    with pytest.raises(AssertionError, match="answered 500, not 200"):
        payer.pay("A1")

    shop.add_order("A2")
    assert payer.pay("A2", answer=500).status_code == 500


def test_a_checkout_that_does_not_lead_to_spayon_fails_the_test(payer: Payer) -> None:
    with pytest.raises(AssertionError, match="order A9 answered 404"):
        payer.checkout("A9")

    payer.pay("A1")

    with pytest.raises(AssertionError, match="in place of a redirect to Spayon"):
        payer.checkout("A1")


@pytest.mark.parametrize("options", [{}, {"shuffled": 1}, {"shuffled": 2}, {"at_once": True}])
def test_many_deliveries_happen_once(shop: Shop, payer: Payer, options: dict[str, Any]) -> None:
    payer.checkout("A1")

    with happens_once(shop.paid_times):
        answers = payer.deliver("A1", "pending", "failed", "paid", times=3, **options)

    assert answers == [200] * 9


def test_the_same_seed_shuffles_alike(shop: Shop, payer: Payer) -> None:
    orders = []

    for order_id in ("A2", "A3"):
        shop.add_order(order_id)
        session_id = payer.checkout(order_id)
        payer.deliver(order_id, "pending", "failed", "expired", "paid", shuffled=5)
        told = [row.status for row in shop.callbacks() if row.session_id == session_id]
        orders.append(told)

    assert orders[0] == orders[1]


def test_what_a_delivery_at_once_raises_fails_the_test(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    payer.checkout("A1")
    monkeypatch.setattr("spayon_flask.testing.payer.post_callback", broken)

    with pytest.raises(ZeroDivisionError):
        payer.deliver("A1", times=3, at_once=True)


def test_a_pending_order_of_an_earlier_simulator_is_told_from_a_failed_checkout(
    shop: Shop, payer: Payer
) -> None:
    session_id = payer.checkout("A1")
    second = Payer(shop.app, connect(shop.app))

    assert second.checkout("A1") == session_id
    with pytest.raises(AssertionError, match="that of an earlier simulator"):
        second.pay("A1")


def test_a_latency_costs_no_time_and_is_a_time_out_if_the_shop_would_not_wait(
    shop: Shop, payer: Payer, simulator: Simulator
) -> None:
    """The read time-out is ten seconds: what slept would take an hour."""
    simulator.fault("latency", on="sessions", seconds=3600)
    answers = [payer.client.post("/pay/checkout/A1").status_code]
    shop.add_order("A2")
    simulator.fault("latency", on="sessions", seconds=9)
    answers.append(payer.client.post("/pay/checkout/A2").status_code)

    assert answers == [503, 303]
    assert simulator.sessions.created == 2


def test_a_simulator_is_connected_with_a_seed_a_shape_and_a_report(shop: Shop) -> None:
    ids = []
    for order_id in ("A2", "A3"):
        shop.add_order(order_id)
        report = {"like": {"creation_code": 201, "price": "short"}}
        simulator = connect(shop.app, seed=5, shape={"price": "padded"}, like=report)
        ids.append(simulator.sessions._new_id())
        assert simulator.shape.differences() == {"creation_code": 201, "price": "padded"}

    assert ids[0] == ids[1]


def test_post_callback_signs_with_the_apps_secret_and_takes_changes(
    shop: Shop, payer: Payer
) -> None:
    session_id = payer.checkout("A1")

    response = post_callback(shop.app.test_client(), session_id, price="1")

    assert response.status_code == 200
    assert shop.payment(session_id).review == "price_differs"


def test_post_callback_can_be_forged_unsigned_or_about_what_nobody_knows(shop: Shop) -> None:
    client = shop.app.test_client()
    answers = [post_callback(client, "S9", secret=secret) for secret in ("guessed", "", None)]

    assert [answer.status_code for answer in answers] == [401, 401, 200]
    assert [row.verdict for row in shop.callbacks()] == ["unknown"]


def test_an_effect_that_happens_twice_or_never_fails_the_test() -> None:
    counts = iter([0, 2, 0, 0, 0, 2])

    for _ in range(2):
        with pytest.raises(AssertionError, match="expected 1 more"), happens_once(counts.__next__):
            pass

    with happens(counts.__next__, times=2):
        pass


def test_another_account_is_connected_by_its_name(shop: Shop) -> None:
    with pytest.raises(LookupError, match="museum"):
        connect(shop.app, name="museum")


def test_the_test_tools_need_no_pytest() -> None:
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "from spayon_flask.testing import Payer, connect, happens_once, post_callback\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0
