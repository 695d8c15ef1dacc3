"""The shop of the chaos run: `gunicorn 'tests.chaos.app:create_app()'`."""

from __future__ import annotations

import logging
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text

from tests.chaos.clock import SharedClock
from tests.crashes.queue import use_queue
from tests.shop import Shop
from tests.shop import make_shop


#: Rows that all payments fight for.
ARTICLES = 10

#: How often a handler and the dispatcher fail.
HANDLER_FAILS = 0.1
DISPATCHER_FAILS = 0.05

TABLES = (
    "CREATE TABLE queue (job INTEGER)",
    "CREATE TABLE shipment (order_id VARCHAR(40))",
    "CREATE TABLE article (id INTEGER PRIMARY KEY, sold INTEGER)",
    *(f"INSERT INTO article VALUES ({number}, 0)" for number in range(ARTICLES)),
)


def create_app() -> Flask:
    """Return one instance of the shop, as the environment describes it."""
    # Thousands of failures are meant here.
    logging.disable(logging.CRITICAL)
    return open_shop(
        os.environ["SPAYON_CHAOS_DATABASE"],
        Path(os.environ["SPAYON_CHAOS_CLOCK"]),
        os.environ["SPAYON_CHAOS_SEED"],
        SPAYON_API_URL=os.environ["SPAYON_CHAOS_GATEWAY"],
    ).app


def open_shop(database_url: str, clock: Path, seed: str, **config: Any) -> Shop:
    """Return the shop, whose handlers and dispatcher fail now and then."""
    # The links come from the request, so that a stranger can try to have them lead elsewhere.
    config["SPAYON_PUBLIC_URL"] = None
    config["SQLALCHEMY_ENGINE_OPTIONS"] = (
        {"connect_args": {"timeout": 30}} if database_url.startswith("sqlite") else {}
    )
    shop = make_shop(database_url, fresh=False, clock=SharedClock(clock), **config)
    runs: Counter[str] = Counter()

    def chance(what: str) -> float:
        # Each worker has failures of its own, or one payment would fail in all of them.
        runs[what] += 1
        return random.Random(f"{seed}/{os.getpid()}/{what}/{runs[what]}").random()

    def handle(status: str, payment: Any) -> None:
        session = shop.db.session
        fails = chance(f"{payment.order_id}/{status}") < HANDLER_FAILS

        if status == "paid":
            article = int(payment.order_id[1:]) % ARTICLES
            key = {"order_id": payment.order_id, "article": article}
            session.execute(text("INSERT INTO shipment VALUES (:order_id)"), key)
            session.execute(text("UPDATE article SET sold = sold + 1 WHERE id = :article"), key)

        if fails:
            raise RuntimeError("chaos")

    def stumble() -> None:
        if chance("dispatcher") < DISPATCHER_FAILS:
            raise ConnectionError("chaos")

    shop.handle = handle
    use_queue(shop, stumble)

    with shop.app.app_context():
        engine = shop.db.engine
        shop.app.teardown_appcontext(lambda _: shop.handled.clear())

        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

            engine.dispose()

    return shop
