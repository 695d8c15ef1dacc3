"""Promise 2 for two vendor accounts in one app: neither touches what is the other's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase

from spayon_flask import Order, Spayon
from spayon_flask.domain.signing import sign
from tests.kept import dispose
from tests.reports import report
from tests.shop import CONFIG, Clock, Shop

SECRETS = {"spayon": "secret-of-the-first", "export": "secret-of-the-second"}


@dataclass
class Accounts:
    """An app with two vendor accounts, mounted at `/pay` and `/export`."""

    shop: Shop
    export: Any
    paid: list[tuple[str, str]] = field(default_factory=list)

    def add(self, account: str, session_id: str | None, order_id: str = "A1") -> None:
        """Insert a pending payment of *account*."""
        self.shop.add_payment(
            session_id, order_id, account=account, reference=f"{account}-{session_id}-{order_id}"
        )

    def deliver(self, account: str, body: bytes, secret: str | None = None) -> int:
        """Post a callback to the route of *account*, signed with its own secret or another."""
        path = "/pay/callback" if account == "spayon" else "/export/callback"
        return self.shop.deliver(body, sign(body, secret or SECRETS[account]), path)


@pytest.fixture
def accounts(any_shop: Shop) -> Iterator[Accounts]:
    """Two accounts on each of the three databases, in the tables of the usual shop."""

    class Base(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)
    clock = Clock()
    first = Spayon(db, clock=clock)
    second = Spayon(db, name="export", config_prefix="EXPORT_", clock=clock)
    app = Flask("two accounts", template_folder=None)
    app.config.update(CONFIG)
    app.config.update({key.replace("SPAYON_", "EXPORT_"): value for key, value in CONFIG.items()})
    app.config["SQLALCHEMY_DATABASE_URI"] = any_shop.app.config["SQLALCHEMY_DATABASE_URI"]
    app.config["SPAYON_CALLBACK_SECRET"] = SECRETS["spayon"]
    app.config["EXPORT_CALLBACK_SECRET"] = SECRETS["export"]
    db.init_app(app)

    for spayon, prefix in ((first, "/pay"), (second, "/export")):
        spayon.init_app(app)
        app.register_blueprint(spayon.blueprint, url_prefix=prefix)

        @spayon.order_loader
        def load(order_id: str) -> Order:
            return Order(order_id=order_id, product_name="Tea", price=Decimal(1000), currency="AMD")

        @spayon.on_paid
        def paid(payment: Any, name: str = spayon.name) -> None:
            both.paid.append((name, payment.order_id))

    shop = Shop(app, db, first, any_shop.orders, clock)
    both = Accounts(shop, second)
    yield both
    dispose(shop)


@pytest.mark.parametrize("session_id", ["S1", "S2"], ids=["same session id", "another"])
def test_each_account_runs_its_own_handlers_for_its_own_payments(
    accounts: Accounts, session_id: str
) -> None:
    accounts.add("spayon", "S1")
    accounts.add("export", session_id)

    assert accounts.deliver("spayon", report("S1")) == 200
    assert accounts.deliver("export", report(session_id)) == 200

    # Of one order id, each account has its own.
    assert accounts.paid == [("spayon", "A1"), ("export", "A1")]
    rows = [(row.account, row.verdict) for row in accounts.shop.callbacks()]
    assert rows == [("spayon", "applied"), ("export", "applied")]


@pytest.mark.always
def test_a_report_to_the_wrong_account_is_unknown_there_and_swallows_nothing(
    accounts: Accounts,
) -> None:
    accounts.add("export", "S2")

    # The secret of one does not open the other.
    assert accounts.deliver("export", report("S2"), SECRETS["spayon"]) == 401
    assert accounts.shop.callbacks() == []

    assert accounts.deliver("spayon", report("S2")) == 200
    assert accounts.shop.payment("S2").status == "pending"
    assert [row.verdict for row in accounts.shop.callbacks()] == ["unknown"]

    assert accounts.deliver("export", report("S2")) == 200
    assert accounts.shop.payment("S2").status == "paid"
    assert accounts.paid == [("export", "A1")]


def test_an_early_report_of_another_account_is_not_applied(accounts: Accounts) -> None:
    accounts.add("spayon", None)
    # Signed by the other account, before the creation of ours is settled.
    assert accounts.deliver("export", report("S1", orderId="A1")) == 200

    with accounts.shop.app.app_context():
        storage = accounts.shop.spayon.state.storage
        payment = storage.queries.attempts("A1")[0]
        now = accounts.shop.clock()
        early = storage.checkouts.settle(
            payment.id, "S1", "http://127.0.0.1:9/pay/S1", asked_at=now, now=now
        )

    assert list(early) == []
    assert accounts.shop.payment("S1").status == "pending"
    assert accounts.paid == []


def test_a_return_page_shows_only_its_own_accounts_payments(accounts: Accounts) -> None:
    accounts.add("export", "S2")
    accounts.deliver("export", report("S2"))
    client = accounts.shop.app.test_client()

    assert client.get("/pay/return?session_id=S2").status_code == 404
    assert client.get("/export/return?session_id=S2").status_code == 200


def test_reconcile_leaves_the_other_accounts_payments_alone(accounts: Accounts) -> None:
    accounts.add("export", None)
    accounts.shop.clock.step(16 * 60)

    with accounts.shop.app.app_context():
        assert not accounts.shop.spayon.reconcile().changed
        assert accounts.export.reconcile().changed == {"expired": 1}
