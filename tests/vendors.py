"""A shop with many vendors, whose credentials stand in its own table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from spayon_flask import Credentials, Order, Spayon
from spayon_flask.domain.signing import sign
from tests.gateway import Gateway, Says
from tests.reports import report
from tests.shop import Clock


@dataclass
class Market:
    """An app in which vendors come and go, and what its handlers were told."""

    app: Flask
    db: SQLAlchemy
    spayon: Spayon
    vendors: Any
    clock: Clock
    paid: list[tuple[str, str]] = field(default_factory=list)

    def add(self, *names: str) -> None:
        """Let vendors come, each with credentials made of its name."""
        with self.app.app_context():
            self.db.session.add_all([self.vendors(name=name, secret=name) for name in names])
            self.db.session.commit()

    def change(self, name: str, secret: str) -> None:
        """Give a vendor other credentials."""
        with self.app.app_context():
            self.db.session.get_one(self.vendors, name).secret = secret
            self.db.session.commit()

    def remove(self, name: str) -> None:
        """Let a vendor go."""
        with self.app.app_context():
            self.db.session.delete(self.db.session.get_one(self.vendors, name))
            self.db.session.commit()

    def begin(self, vendor: str, order_id: str = "A1") -> int:
        """Press "Continue to payment"; return the code of the answer."""
        return self.app.test_client().post(f"/pay/{vendor}/checkout/{order_id}").status_code

    def deliver(self, vendor: str, body: bytes, secret: str | None = None) -> int:
        """Post a callback to the route of *vendor*, signed with its secret or another."""
        headers = {"X-Signature": sign(body, f"callback-{secret or vendor}")}
        path = f"/pay/{vendor}/callback"
        return self.app.test_client().post(path, data=body, headers=headers).status_code

    def statuses(self) -> dict[str, list[str]]:
        """Return the status of each payment, by account."""
        found: dict[str, list[str]] = {}

        with self.app.app_context():
            model = self.spayon.Payment

            for each in self.db.session.scalars(self.db.select(model).order_by(model.id)):
                found.setdefault(each.account, []).append(each.status)

        return found

    def flask(self, *arguments: str) -> Any:
        """Run `flask vendors ...`."""
        return self.app.test_cli_runner().invoke(args=["vendors", *arguments])


def make_market(
    database_url: str, api_url: str, *, timeout: float = 1, part: str = "<vendor>"
) -> Market:
    """Return a market without vendors, which waits so many seconds for Spayon.

    *part* is the part of each address that names one.
    """

    class Base(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)
    clock = Clock()

    class Vendor(db.Model):  # type: ignore[name-defined,misc]  # made for each shop
        name: Mapped[str] = mapped_column(String(40), primary_key=True)
        secret: Mapped[str] = mapped_column(String(40))

    def credentials_of(vendor: str) -> Credentials | None:
        row = db.session.get(Vendor, vendor)
        return row and Credentials(
            client_id=f"id-{vendor}",
            client_secret=f"secret-{row.secret}",
            callback_secret=f"callback-{row.secret}",
        )

    spayon = Spayon(db, name="vendors", credentials=credentials_of, clock=clock)

    @spayon.order_loader
    def load(key: str, vendor: str) -> Order:
        return Order(
            order_id=key, product_name=f"Tea of {vendor}", price=Decimal(1000), currency="AMD"
        )

    @spayon.on_paid
    def fulfil(payment: Any) -> None:
        market.paid.append((payment.vendor, payment.order_id))

    app = Flask("market", template_folder=None, instance_path="/no-instance")
    app.config.update(
        TESTING=True,
        SECRET_KEY="test",
        SQLALCHEMY_DATABASE_URI=database_url,
        SPAYON_API_URL=api_url,
        SPAYON_PUBLIC_URL="http://market.test",
        SPAYON_TIMEOUT=[3, timeout],
    )
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix=f"/pay/{part}")
    staff = spayon.staff(
        allowed=lambda vendor: vendor != "shut",
        may_settle=lambda vendor: vendor == "ani",
        who=lambda: "Ani",
    )
    app.register_blueprint(staff, url_prefix=f"/staff/{part}")

    with app.app_context():
        db.drop_all()
        db.create_all()

    market = Market(app, db, spayon, Vendor, clock)
    return market


def know_vendors(gateway: Gateway, *, wrong: tuple[str, ...] = ()) -> None:
    """Let *gateway* give each client a token of its own, and refuse those of the *wrong* ones.

    Every client gets a payment session of the id S1, which is paid.
    """

    def tokens(_: str) -> Says:
        asked = json.loads(gateway.call.body)
        client = asked["client_id"].removeprefix("id-")

        if client in wrong or not asked["client_secret"].startswith("secret-"):
            return Says(code=401)

        says = {"access_token": f"token-{client}-{asked['client_secret']}", "expires_in": 3600}
        return Says(json.dumps(says).encode())

    gateway.tokens = tokens
    gateway.statuses = lambda session_id: Says(report(session_id, orderId="A1"))
