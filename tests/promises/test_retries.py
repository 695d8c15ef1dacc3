"""Promise 2 if transactions stand in each other's way: begun anew a few times, or a 500."""

import contextlib
import threading
import uuid
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from spayon_flask.storage.transactions import MAX_TRIES
from tests.kept import KeptShops
from tests.promises.helpers import (
    Fleet,
    at_once,
    change_order,
    counts_once_mended,
    deadlock_in,
    is_undone,
)
from tests.reports import report
from tests.shop import Shop


@pytest.mark.parametrize("swallow", [False, True], ids=["let out", "swallowed"])
def test_a_deadlock_between_two_handlers_costs_neither_its_effect(
    server_shop: Shop, fleet: Fleet, *, swallow: bool
) -> None:
    shops = {"X": server_shop, "Y": fleet.join(server_shop)}
    both_hold_one = threading.Barrier(2)
    runs: list[str] = []

    # Names never used before: what InnoDB has yet to purge would be locked along.
    sessions = {order_id: uuid.uuid4().hex for order_id in shops}

    for order_id, shop in shops.items():
        server_shop.add_order(order_id)
        server_shop.add_payment(sessions[order_id], order_id)
        shop.handle = _locks_the_other(shop, both_hold_one, runs, swallow=swallow)

    calls = [
        lambda s=shop, o=order_id: s.deliver(report(sessions[o], orderId=o))
        for order_id, shop in shops.items()
    ]

    assert at_once(calls) == [200, 200]

    # The loser begins anew, and may lose once more before the winner has woken up.
    assert len(runs) >= 3
    assert [server_shop.paid_times(order_id) for order_id in shops] == [1, 1]
    assert [row.verdict for row in server_shop.callbacks()] == ["applied"] * 2


def test_a_serialization_failure_is_tried_again_from_a_clean_session(
    kept: KeptShops, fleet: Fleet
) -> None:
    # MariaDB waits for the lock; PostgreSQL fails.
    server_shop = kept.shop("postgresql")
    careful = fleet.join(server_shop, SQLALCHEMY_ENGINE_OPTIONS={"isolation_level": "SERIALIZABLE"})
    server_shop.add_pending()

    def somebody_else_was_faster(*_: object) -> None:
        if len(careful.handled) == 1:
            change_order(server_shop, price="1")

    careful.handle = somebody_else_was_faster

    assert careful.deliver(report()) == 200

    assert len(careful.handled) == 2
    assert server_shop.paid_times() == 1


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_one_effect_at_stricter_isolation(server_shop: Shop, fleet: Fleet, level: str) -> None:
    options = {"isolation_level": level}
    shops = [fleet.join(server_shop, SQLALCHEMY_ENGINE_OPTIONS=options) for _ in range(2)]
    server_shop.add_pending()
    calls = [lambda s=shop: s.deliver(report()) for shop in shops * 4]

    assert set(at_once(calls)) <= {200, 500}
    assert shops[0].deliver(report()) == 200

    assert server_shop.paid_times() == 1
    assert [row.verdict for row in server_shop.callbacks()] == ["applied"]


@pytest.mark.always
def test_a_transaction_that_always_loses_ends_in_a_500(server_shop: Shop) -> None:
    server_shop.add_pending()
    deadlock = deadlock_in(server_shop)

    is_undone(server_shop, lambda *_: server_shop.db.session.execute(deadlock))
    assert len(server_shop.handled) == MAX_TRIES
    counts_once_mended(server_shop)


def test_an_error_that_the_handler_wraps_is_still_tried_again(server_shop: Shop) -> None:
    server_shop.add_pending()
    deadlock = deadlock_in(server_shop)

    def wrap(*_: object) -> None:
        try:
            if len(server_shop.handled) == 1:
                server_shop.db.session.execute(deadlock)

        except DBAPIError as error:
            raise RuntimeError("no goods") from error

    server_shop.handle = wrap

    assert server_shop.deliver(report()) == 200
    assert server_shop.paid_times() == 1


def _locks_the_other(
    shop: Shop, both_hold_one: threading.Barrier, runs: list[str], *, swallow: bool
) -> Any:
    """Return a handler that locks its own order, and then the one that the other has locked."""

    def handle(_status: str, payment: Any) -> None:
        runs.append(payment.order_id)
        shop.db.session.flush()

        if len(runs) <= 2:
            both_hold_one.wait(10)

        other = "Y" if payment.order_id == "X" else "X"
        take = update(shop.orders).where(shop.orders.id == other).values(price="1")

        if not swallow:
            shop.db.session.execute(take)
            return

        # On MariaDB the second one begins another transaction, as if nothing had happened.
        for _ in range(2):
            with contextlib.suppress(DBAPIError):
                shop.db.session.execute(take)

    return handle
