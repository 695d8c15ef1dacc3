"""The shop that gunicorn runs in the crash tests: `gunicorn 'tests.crashes.app:create_app()'`."""

import os
from pathlib import Path
from typing import Any

from flask import Flask, Response
from sqlalchemy import event

from tests.crashes.gate import pass_through
from tests.crashes.queue import use_queue
from tests.shop import make_shop

#: Where a worker can be made to wait, in the order in which it comes there.
POINTS = ("before the claim", "in the handler", "before the hand-over", "before the answer")


def create_app() -> Flask:
    """Return a shop on the database, and with the gate, that the environment names."""
    folder = Path(os.environ["SPAYON_TESTS_GATE"])
    shop = make_shop(
        os.environ["SPAYON_TESTS_DATABASE"],
        fresh=False,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_size": 2},
    )
    claim, handler, hand_over, answer = POINTS

    def in_handler(_: str, __: object) -> None:
        shop.db.session.flush()
        pass_through(folder, handler)

    shop.handle = in_handler

    use_queue(shop, lambda: pass_through(folder, hand_over))

    @shop.app.after_request
    def wait_before_the_answer(response: Response) -> Response:
        pass_through(folder, answer)
        return response

    with shop.app.app_context():
        engine = shop.db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def wait_before_the_claim(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO spayon_callback" in statement:
            pass_through(folder, claim)

    return shop.app
