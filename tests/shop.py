"""A small shop for tests: one table of orders, and handlers that leave countable effects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from spayon_flask import Order, Spayon
from spayon_flask.domain import signing
from spayon_flask.settings import Settings

SECRET = "simulator-callback-secret"

CONFIG = {
    "SPAYON_CLIENT_ID": "simulator-client",
    "SPAYON_CLIENT_SECRET": "simulator-secret",
    "SPAYON_CALLBACK_SECRET": SECRET,
    # Nobody listens there: a test that calls the gateway starts the simulator.
    "SPAYON_API_URL": "http://127.0.0.1:9",
    "SPAYON_PUBLIC_URL": "http://shop.test",
    "TESTING": True,
}


class Clock:
    """The present, which a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Shop:
    """An app with its parts; *handle* is called by each handler with the status and payment."""

    app: Flask
    db: SQLAlchemy
    spayon: Spayon
    orders: Any
    clock: Clock
    handled: list[tuple[str, str]] = field(default_factory=list)
    handle: Callable[[str, Any], object] | None = None

    def configure(self, **config: Any) -> None:
        """Begin anew with other settings: what belongs to the app is made once more."""
        self.app.config.update(config)
        settings = Settings.from_config(self.app.config, self.spayon.config_prefix)
        states = self.app.extensions["spayon"]
        states[self.spayon.name] = self.spayon._make_state(self.app, settings, self.spayon.handlers)

    @property
    def gateway(self) -> str:
        """The gateway that this shop pays through, as its payments name it."""
        return str(self.app.extensions["spayon"]["spayon"].settings.gateway)

    @contextmanager
    def ahead_of_statements(self, call: Callable[..., object]) -> Iterator[None]:
        """Call *call* ahead of each statement, with what SQLAlchemy tells of it."""
        with self.app.app_context():
            engine = self.db.engine

        event.listen(engine, "before_cursor_execute", call)

        try:
            yield

        finally:
            event.remove(engine, "before_cursor_execute", call)

    def add_order(self, order_id: str = "A1", price: str = "1000", currency: str = "AMD") -> str:
        """Insert an order of this shop."""
        with self.app.app_context():
            self.db.session.add(self.orders(id=order_id, price=price, currency=currency))
            self.db.session.commit()

        return order_id

    def paid_times(self, order_id: str = "A1") -> int:
        """Return how often the goods of an order were given out, by the database."""
        with self.app.app_context():
            return int(self.db.session.get_one(self.orders, order_id).paid_times)

    def add_payment(
        self, session_id: str | None = "S1", order_id: str = "A1", **values: Any
    ) -> int:
        """Insert a pending payment as if Spayon had answered; return its id."""
        now = self.clock()
        defaults = {
            "account": "spayon",
            "gateway": self.gateway,
            "order_id": order_id,
            "held_order_id": order_id,
            "reference": f"reference-of-{session_id}-{order_id}",
            "session_id": session_id,
            "session_url": session_id and f"http://127.0.0.1:9/pay/{session_id}",
            "status": "pending",
            "product_name": "Tea",
            "price": Decimal(1000),
            "currency": "AMD",
            "created_at": now,
            "updated_at": now,
            "due_at": now,
            "expires_at": session_id and now + timedelta(minutes=15),
        }

        with self.app.app_context():
            payment = self.spayon.Payment(**(defaults | values))
            self.db.session.add(payment)
            self.db.session.commit()
            return payment.id

    def add_pending(self, session_id: str | None = "S1", **values: Any) -> int:
        """Insert the order A1 and a payment of it, pending unless *values* say otherwise."""
        self.add_order()
        return self.add_payment(session_id, **values)

    def payment(self, session_id: str = "S1") -> Any:
        """Return a payment as the database has it, detached."""
        with self.app.app_context():
            found = self.db.session.scalars(
                self.db.select(self.spayon.Payment).filter_by(session_id=session_id)
            ).one()
            self.db.session.expunge(found)
            return found

    def callbacks(self) -> list[Any]:
        """Return all callback rows, oldest first."""
        with self.app.app_context():
            model = self.spayon.Callback
            return list(self.db.session.scalars(self.db.select(model).order_by(model.id)))

    def deliver(
        self, body: bytes, signature: str | None = None, path: str = "/pay/callback"
    ) -> int:
        """Post a callback in process, signed correctly unless told otherwise; return the status."""
        if signature is None:
            signature = signing.sign(body, SECRET)

        answer = self.app.test_client().post(
            path, data=body, headers={"X-Signature": signature, "Content-Type": "application/json"}
        )
        return answer.status_code


def make_shop(
    database_url: str = "sqlite://",
    *,
    fresh: bool = True,
    clock: Clock | None = None,
    session_class: type[Session] = Session,
    **config: Any,
) -> Shop:
    """Return a shop on the database at *database_url*: *fresh*, or as another process left it."""

    class Base(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base, session_options={"class_": session_class})
    clock = clock or Clock()
    spayon = Spayon(db, clock=clock)

    class ShopOrder(db.Model):  # type: ignore[name-defined,misc]  # made for each shop
        __tablename__ = "shop_order"
        id: Mapped[str] = mapped_column(String(255), primary_key=True)
        price: Mapped[str] = mapped_column(String(40))
        currency: Mapped[str] = mapped_column(String(3))
        paid_times: Mapped[int] = mapped_column(default=0)

    @spayon.order_loader
    def load(order_id: str) -> Order | None:
        row = db.session.get(ShopOrder, order_id)
        return row and Order(
            order_id=row.id, product_name="Tea", price=Decimal(row.price), currency=row.currency
        )

    def handler(status: str) -> Callable[[Any], None]:
        def handle(payment: Any) -> None:
            shop.handled.append((payment.order_id, status))

            if status == "paid":
                db.session.get_one(ShopOrder, payment.order_id).paid_times += 1

            if shop.handle is not None:
                shop.handle(status, payment)

        return handle

    for status in ("paid", "failed", "expired", "review"):
        getattr(spayon, f"on_{status}")(handler(status))

    # Not the folder of the demo store, whose templates would take the place of ours.
    # No folder: that of the demo, which may lie beside the package, is not the tests'.
    here = Path(__file__).parent
    app = Flask("shop", root_path=str(here), instance_path=str(here / "no-instance"))
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI=database_url, SECRET_KEY="test")
    app.config.update(config)
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    shop = Shop(app, db, spayon, ShopOrder, clock)

    if fresh:
        with app.app_context():
            db.drop_all()
            db.create_all()

    return shop
