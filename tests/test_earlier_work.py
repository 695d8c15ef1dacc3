"""What a shop writes in a `before_request` is committed before our views do their work."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import request
from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from spayon_flask import Order
from spayon_flask.simulator import Simulator
from spayon_flask.testing import connect
from tests.reports import report
from tests.shop import make_shop


class Visited:
    """A shop that writes down each visit, as *note* does it."""

    def __init__(self, database_url: str) -> None:
        self.shop = make_shop(database_url, fresh=False)
        db = self.shop.db

        class Visit(db.Model):  # type: ignore[name-defined,misc]  # made for each shop
            id: Mapped[int] = mapped_column(Integer, primary_key=True)
            path: Mapped[str] = mapped_column(String(40))
            once: Mapped[int | None] = mapped_column(unique=True)

        self.visit = Visit
        self.note: Callable[[], object] = lambda: db.session.add(Visit(path=request.path[:40]))
        self.shop.app.before_request(self.before_request)
        self.simulator: Simulator = connect(self.shop.app)

        with self.shop.app.app_context():
            db.drop_all()
            db.create_all()

        self.shop.add_order()

    def before_request(self) -> None:
        self.note()

    def by_text(self) -> None:
        statement = self.shop.db.text(
            f"INSERT INTO {self.visit.__tablename__} (path) VALUES (:path)"
        )
        self.shop.db.session.execute(statement, {"path": request.path[:40]})

    def paths(self) -> list[str]:
        with self.shop.app.app_context():
            return list(self.shop.db.session.scalars(self.shop.db.select(self.visit.path)))

    def pay(self) -> Any:
        client = self.shop.app.test_client()
        assert client.get("/pay/checkout/A1").status_code == 200
        assert client.post("/pay/checkout/A1").status_code == 303
        return self.simulator.sessions.of_order("A1")[-1]

    def finish(self, session: Any) -> int:
        """Pay at Spayon's page, and return the shop's answer to the callback."""
        delivery = self.simulator.pay(session.id)
        assert delivery is not None
        return int(delivery.status_code or 0)


@pytest.fixture
def visited(database_url: str) -> Iterator[Visited]:
    visited = Visited(database_url)
    yield visited

    with visited.shop.app.app_context():
        visited.shop.db.session.remove()
        visited.shop.db.engine.dispose()


@pytest.mark.parametrize("way", ["orm", "text"])
def test_each_page_and_the_callback_do_their_work_and_keep_what_was_written(
    visited: Visited, way: str
) -> None:
    if way == "text":
        visited.note = visited.by_text

    session = visited.pay()
    client = visited.shop.app.test_client()
    cancel = "/pay/cancel/" + str(session.creation.cancel_url).rpartition("/")[2]

    assert visited.finish(session) == 200
    assert client.get(f"/pay/return?session_id={session.id}").status_code == 200
    assert client.get(cancel).status_code == 200
    assert visited.shop.paid_times() == 1
    assert visited.paths() == [
        "/pay/checkout/A1",
        "/pay/checkout/A1",
        "/pay/callback",
        "/pay/return",
        cancel[:40],
    ]


def test_what_the_order_loader_writes_is_kept_too(visited: Visited) -> None:
    loader = visited.shop.spayon.handlers.order_loader
    visited.note = lambda: None

    @visited.shop.spayon.order_loader
    def load(key: str) -> Order | None:
        visited.shop.db.session.add(visited.visit(path="loaded"))
        assert loader is not None
        return loader(key)

    visited.pay()

    assert set(visited.paths()) == {"loaded"}


def test_what_cannot_be_committed_keeps_no_payment_from_being_recorded(
    visited: Visited, caplog: pytest.LogCaptureFixture
) -> None:
    session = visited.pay()
    add = visited.shop.db.session.add
    visited.note = lambda: [add(visited.visit(path="again", once=1)) for _ in range(2)]

    assert visited.finish(session) == 200
    assert visited.shop.paid_times() == 1
    assert "again" not in visited.paths()
    assert [each.levelno for each in caplog.records if each.levelno > logging.INFO] == [
        logging.ERROR
    ]


def test_a_forged_callback_commits_nothing(visited: Visited) -> None:
    assert visited.shop.deliver(report(), signature="f" * 64) == 401
    assert visited.paths() == []
