"""The shop of the chaos run: `gunicorn 'tests.chaos.app:create_app()'`."""

import logging
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, create_engine, text

from spayon_flask.signals import gateway_called, payment_paid, report_received
from tests.chaos.clock import SharedClock
from tests.crashes.queue import use_queue
from tests.interleavings import habits
from tests.shop import Shop, make_shop

#: Rows that all payments fight for.
ARTICLES = 10

#: How often a handler and the dispatcher fail.
HANDLER_FAILS = 0.1
DISPATCHER_FAILS = 0.05

#: How often a handler misbehaves, and how. PostgreSQL gives the transaction up after an error; the
#: others think nothing of it. What is written to a second database nobody commits with ours.
HABITS = {habits.SWALLOWS: 0.05, habits.GIVES_UP: 0.02, habits.WRITES_ELSEWHERE: 0.02}

#: How often a receiver leaves something in the session, and an order loader writes.
RECEIVER_LEAVES, LOADER_WRITES = 0.1, 0.3

TABLES = (
    "CREATE TABLE queue (job INTEGER)",
    "CREATE TABLE shipment (order_id VARCHAR(40))",
    "CREATE TABLE article (id INTEGER PRIMARY KEY, sold INTEGER)",
    *habits.TABLES,
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
        some_are_ahead=True,
        SPAYON_API_URL=os.environ["SPAYON_CHAOS_GATEWAY"],
    ).app


def second_database(clock: Path) -> Engine:
    """Return the database beside that of the payments; its file is beside that of *clock*."""
    return create_engine(f"sqlite:///{clock.with_name('other.db')}", connect_args={"timeout": 30})


def open_shop(
    database_url: str, clock: Path, seed: str, *, some_are_ahead: bool = False, **config: Any
) -> Shop:
    """Return the shop, whose handlers and dispatcher fail now and then."""
    # The links come from the request, so that a stranger can try to have them lead elsewhere.
    config["SPAYON_PUBLIC_URL"] = None
    config["SQLALCHEMY_ENGINE_OPTIONS"] = (
        {"connect_args": {"timeout": 30}} if database_url.startswith("sqlite") else {}
    )
    shared = SharedClock(clock, some_are_ahead=some_are_ahead)
    shop = make_shop(database_url, fresh=False, clock=shared, **config)
    other = second_database(clock)
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

        having = [
            habit
            for habit, share in HABITS.items()
            if chance(f"{payment.order_id}/{status}/{habit}") < share
        ]
        again = text("INSERT INTO article VALUES (0, 0)")
        habits.misbehave(session, having, again, again, other)

        if fails:
            raise RuntimeError("chaos")

    def leave(*_: object, **__: object) -> None:
        if chance("receiver") < RECEIVER_LEAVES:
            shop.db.session.get_one(shop.orders, "O0").paid_times = 66

    def stumble() -> None:
        if chance("dispatcher") < DISPATCHER_FAILS:
            raise ConnectionError("chaos")

    shop.handle = handle
    habits.use_loader(shop, lambda order_id: chance(f"{order_id}/view") < LOADER_WRITES)
    use_queue(shop, stumble)

    for signal in (payment_paid, report_received, gateway_called):
        # Whoever connects has to be kept.
        signal.connect(leave, weak=False)

    with shop.app.app_context():
        engine = shop.db.engine
        shop.app.teardown_appcontext(lambda _: shop.handled.clear())

        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

            engine.dispose()

    return shop
