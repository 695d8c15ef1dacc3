"""gunicorn --preload: a factory that has asked the database something, and workers that go on."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import text

from tests.crashes.server import Server
from tests.kept import dispose
from tests.needs import missing
from tests.shop import make_shop

pytestmark = pytest.mark.thorough

WORKERS = 4


def create_app() -> Flask:
    """Return a shop whose factory asks the database, as `db.create_all()` does."""
    shop = make_shop(os.environ["SHOP_DATABASE"], fresh=False)

    with shop.app.app_context():
        shop.db.session.execute(text("SELECT 1"))

    @shop.app.get("/echo/<int:number>")
    def echo(number: int) -> dict[str, Any]:
        session = shop.db.session
        query = "SELECT pg_backend_pid(), :number, pg_sleep(0.01)"
        backend, answer, _ = session.execute(text(query), {"number": number}).one()
        return {"worker": os.getpid(), "backend": backend, "answer": answer}

    return shop.app


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_workers_forked_after_the_factory_have_connections_of_their_own(database_url: str) -> None:
    shop = make_shop(database_url)
    dispose(shop)
    app = "tests.neighbours.test_preload:create_app()"

    with Server(app, WORKERS, SHOP_DATABASE=database_url) as server:

        def ask(number: int) -> dict[str, Any]:
            answer = requests.get(f"http://127.0.0.1:{server.port}/echo/{number}", timeout=60)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(200)))

    assert [each["answer"] for each in answers] == list(range(200))
    pairs = {(each["worker"], each["backend"]) for each in answers}

    if len({worker for worker, _ in pairs}) == 1:
        missing("a machine on which more than one worker gets work")

    assert max(Counter(backend for _, backend in pairs).values()) == 1


def test_a_database_in_memory_is_still_there_in_a_forked_child() -> None:
    shop = make_shop()
    shop.add_order()
    child = os.fork()

    if child == 0:
        code = 1

        try:
            code = shop.paid_times()

        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    dispose(shop)
