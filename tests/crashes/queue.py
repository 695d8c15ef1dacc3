"""Queue: a table in the shop's database, in the place of Celery."""

from collections.abc import Callable

from sqlalchemy import text

from tests.shop import Shop


def use_queue(shop: Shop, before: Callable[[], None] = lambda: None) -> None:
    """Let the dispatcher of *shop* call *before*, and put its job into the table `queue`."""

    @shop.spayon.dispatcher
    def put(callback_id: int) -> None:
        before()

        with shop.db.engine.begin() as connection:
            connection.execute(text("INSERT INTO queue (job) VALUES (:job)"), {"job": callback_id})
