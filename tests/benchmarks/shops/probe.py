"""Measurements from within a shop on spayon-flask, each in a process of its own.

`python -m tests.benchmarks.shops.probe NAME GATEWAY NUMBER` prints what it measured as JSON.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, update

from tests.benchmarks.deliveries import order_id, session_id
from tests.benchmarks.gateway import JOBS
from tests.benchmarks.shops import tables
from tests.benchmarks.shops.ours import fulfil
from tests.benchmarks.shops.spayon_shop import create_app, db, payment_row, spayon

__all__ = ["fulfil"]


def reconcile(app: Flask, payments: int) -> dict[str, Any]:
    """Reconcile *payments* that are due, with 32 jobs."""
    with app.app_context():
        _place_due(payments)
        gc.collect()
        before = _forget_peak()
        began, busy = time.perf_counter(), time.process_time()
        summary = spayon.reconcile(jobs=JOBS)
        return {
            "seconds": time.perf_counter() - began,
            "processor": time.process_time() - busy,
            "megabytes": (_memory("VmHWM") - before) / 1024,
            "paid": summary.changed["paid"],
        }


def bound(app: Flask, payments: int) -> dict[str, Any]:
    """Reconcile *payments* in a process that is bound to one core, as `taskset` does it."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return reconcile(app, payments)


def _place_due(payments: int) -> None:
    due = datetime.now(timezone.utc) - timedelta(minutes=1)
    db.session.execute(insert(tables.orders), tables.order_rows(range(payments)))
    rows = [payment_row(number, due_at=due) for number in range(payments)]
    db.session.execute(insert(spayon.Payment), rows)
    db.session.commit()


def checkout(app: Flask, orders: int) -> dict[str, Any]:
    """Post the checkout form of *orders*, one after another."""
    with app.app_context():
        db.session.execute(insert(tables.orders), tables.order_rows(range(orders)))
        db.session.commit()

    client = app.test_client()
    return {"seconds": _time(orders, lambda number: _post(client, order_id(number)))}


def _post(client: FlaskClient, order: str) -> None:
    answer = client.post(f"/pay/checkout/{order}")
    assert answer.status_code == 303, answer.status_code


def return_page(app: Flask, payments: int) -> dict[str, Any]:
    """Show the return page of *payments*: asking Spayon, pending all the same, and final."""
    with app.app_context():
        numbers = range(10_000_000, 10_000_000 + payments)
        rows = [payment_row(number, held_order_id=None) for number in numbers]
        db.session.execute(insert(spayon.Payment), rows)
        db.session.commit()

    client = app.test_client()

    def show(number: int) -> None:
        answer = client.get(f"/pay/return?session_id={session_id(10_000_000 + number)}")
        assert answer.status_code == 200, answer.status_code

    asked = _time(payments, show)
    pending = _time(payments, show)
    with app.app_context():
        db.session.execute(update(spayon.Payment).values(status="expired"))
        db.session.commit()

    return {"asked": asked, "pending": pending, "final": _time(payments, show)}


def _time(count: int, work: Callable[[int], None]) -> list[float]:
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - began)

    return seconds


def _forget_peak() -> int:
    """Let the peak of this process's memory count from now on; return what it holds, in KiB."""
    # Linux alone: see proc(5).
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


MEASURES = {function.__name__: function for function in (reconcile, bound, checkout, return_page)}


def main(name: str, gateway: str, number: str) -> None:
    """Measure *name* and print it."""
    # A page may be looked at again at once and is not to ask Spayon again.
    app = create_app(
        SPAYON_API_URL=gateway, SPAYON_PUBLIC_URL="http://127.0.0.1", SPAYON_STATUS_INTERVAL=3600
    )
    with app.app_context():
        db.create_all()
        spayon.tokens.get()

    print(json.dumps(MEASURES[name](app, int(number))))


if __name__ == "__main__":
    main(*sys.argv[1:])
