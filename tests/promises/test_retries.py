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
from tests.promises.helpers import Fleet, at_once, deadlock_in
from tests.reports import report
from tests.shop import Shop


class TestRetries:
    """A deadlock or a serialization failure is nobody's fault: the handler runs again."""

    @pytest.mark.parametrize("swallow", [False, True], ids=["let out", "swallowed"])
    def test_a_deadlock_between_two_handlers_costs_neither_its_effect(
        self, server_shop: Shop, fleet: Fleet, *, swallow: bool
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
        self, kept: KeptShops, fleet: Fleet
    ) -> None:
        # MariaDB waits for the lock; PostgreSQL fails.
        server_shop = kept.shop("postgresql")
        careful = fleet.join(
            server_shop, SQLALCHEMY_ENGINE_OPTIONS={"isolation_level": "SERIALIZABLE"}
        )
        server_shop.add_pending()

        def somebody_else_was_faster(*_: object) -> None:
            if len(careful.handled) == 1:
                with server_shop.app.app_context():
                    server_shop.db.session.get_one(server_shop.orders, "A1").price = "1"
                    server_shop.db.session.commit()

        careful.handle = somebody_else_was_faster

        assert careful.deliver(report()) == 200

        assert len(careful.handled) == 2
        assert server_shop.paid_times() == 1

    @pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
    def test_one_effect_at_stricter_isolation(
        self, server_shop: Shop, fleet: Fleet, level: str
    ) -> None:
        options = {"isolation_level": level}
        shops = [fleet.join(server_shop, SQLALCHEMY_ENGINE_OPTIONS=options) for _ in range(2)]
        server_shop.add_pending()
        calls = [lambda s=shop: s.deliver(report()) for shop in shops * 4]

        assert set(at_once(calls)) <= {200, 500}
        assert shops[0].deliver(report()) == 200

        assert server_shop.paid_times() == 1
        assert [row.verdict for row in server_shop.callbacks()] == ["applied"]

    @pytest.mark.always
    def test_a_transaction_that_always_loses_ends_in_a_500(self, server_shop: Shop) -> None:
        server_shop.add_pending()
        deadlock = deadlock_in(server_shop)
        server_shop.handle = lambda *_: server_shop.db.session.execute(deadlock)

        assert server_shop.deliver(report()) == 500

        assert len(server_shop.handled) == MAX_TRIES
        assert server_shop.callbacks() == []
        assert server_shop.payment().status == "pending"

        server_shop.handle = None
        assert server_shop.deliver(report()) == 200
        assert server_shop.paid_times() == 1

    def test_an_error_that_the_handler_wraps_is_still_tried_again(self, server_shop: Shop) -> None:
        server_shop.add_pending()
        deadlock = deadlock_in(server_shop)

        def wrap(*_: object) -> None:
            if len(server_shop.handled) > 1:
                return

            try:
                server_shop.db.session.execute(deadlock)

            except DBAPIError as error:
                raise RuntimeError("no goods") from error

        server_shop.handle = wrap

        assert server_shop.deliver(report()) == 200
        assert server_shop.paid_times() == 1

    def test_an_error_of_the_handlers_own_is_not_tried_again(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        def fail(*_: object) -> None:
            raise RuntimeError

        any_shop.handle = fail

        assert any_shop.deliver(report()) == 500
        assert len(any_shop.handled) == 1


def _locks_the_other(
    shop: Shop, both_hold_one: threading.Barrier, runs: list[str], *, swallow: bool
) -> Any:
    """Return a handler that locks its own order, and then the one that the other has locked."""

    def handle(_: str, payment: Any) -> None:
        runs.append(payment.order_id)
        shop.db.session.flush()

        if len(runs) <= 2:
            both_hold_one.wait(10)

        other = "Y" if payment.order_id == "X" else "X"
        take = update(shop.orders).where(shop.orders.id == other).values(price="1")

        with contextlib.suppress(DBAPIError) if swallow else contextlib.nullcontext():
            shop.db.session.execute(take)

        if swallow:
            # On MariaDB this begins another transaction, as if nothing had happened.
            with contextlib.suppress(DBAPIError):
                shop.db.session.execute(take)

    return handle
