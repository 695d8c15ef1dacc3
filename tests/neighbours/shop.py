"""A shop whose parts a test puts together in any order, paid at the simulator."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import TestResponse

from spayon_flask import Order, Spayon
from spayon_flask.simulator import PaymentSession, Simulator
from spayon_flask.simulator.transport import Answer
from tests.shop import CONFIG


@dataclass
class Parts:
    """A database, a `Spayon` object with its functions, and what was paid."""

    db: SQLAlchemy
    spayon: Spayon
    paid: list[str] = field(default_factory=list)


def make_parts(db: SQLAlchemy | None = None, **options: Any) -> Parts:
    """Return the parts of a shop that sells tea to anyone; *options* go to `Spayon`."""
    db = db or SQLAlchemy()
    parts = Parts(db, Spayon(db, **options))

    @parts.spayon.order_loader
    def load(order_id: str) -> Order | None:
        if order_id == "missing":
            return None

        return Order(
            order_id=order_id,
            product_name="Tea",
            price=Decimal(1000),
            currency="AMD",
            email="ani@example.com",
            full_name="Ani",
        )

    @parts.spayon.on_paid
    def fulfil(payment: Any) -> None:
        parts.paid.append(payment.order_id)

    return parts


def make_app(parts: Parts | None = None, **config: Any) -> Flask:
    """Return an app; with *parts*, one that they are mounted in at `/pay`."""
    # Without the folder of templates that lies beside the tests: it is the demo store's.
    app = Flask("shop", template_folder=None)
    app.config.update(CONFIG, SECRET_KEY="test", SQLALCHEMY_DATABASE_URI="sqlite://")
    app.config.update(config)

    if parts is not None:
        mount(parts, app)

    return app


def mount(parts: Parts, app: Flask, between: Callable[[Flask], object] | None = None) -> None:
    """Set *app* up as DESIGN's example does, with empty tables.

    *between* is called between `init_app` and the mounting of the blueprint.
    """
    parts.db.init_app(app)
    parts.spayon.init_app(app)

    if between is not None:
        between(app)

    app.register_blueprint(parts.spayon.blueprint, url_prefix="/pay")

    with app.app_context():
        parts.db.create_all()


class Gateway(Simulator):
    """A simulator whose callbacks reach an app in the same process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(time_scale=0, transport=self._carry, **options)
        self.shop: Flask | None = None

    def config(self) -> dict[str, Any]:
        """Return the settings of a shop that pays here."""
        return {"SPAYON_API_URL": self.url}

    def _carry(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        assert self.shop is not None
        parts = urlsplit(url)
        answer = self.shop.test_client().post(
            parts.path,
            base_url=f"{parts.scheme}://{parts.netloc}",
            data=body,
            headers=dict(headers),
        )
        return Answer(answer.status_code, answer.data)

    def session_at(self, answer: TestResponse) -> PaymentSession:
        """Return the payment session that *answer* redirects to."""
        assert answer.status_code == 303, answer.text
        return self.sessions[answer.headers["Location"].rsplit("/", 1)[1]]


def csrf_token(page: str) -> str:
    """Return the token in the form of *page*."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found is not None
    return found[1]
