"""Spayon: one object, many apps; several objects, one app."""

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from spayon_flask import ConfigError, Order, Spayon
from tests.shop import CONFIG, Shop


@pytest.fixture
def db() -> SQLAlchemy:
    return SQLAlchemy()


def make_app(db: SQLAlchemy, *spayons: Spayon, **config: Any) -> Flask:
    app = Flask("app", root_path="tests")
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://", **config)
    db.init_app(app)

    for spayon in spayons:
        spayon.init_app(app)
        app.register_blueprint(spayon.blueprint, url_prefix=f"/{spayon.name}")

    return app


def test_one_object_serves_many_apps_each_with_its_own_settings(db: SQLAlchemy) -> None:
    spayon = Spayon(db)
    first, second = (
        make_app(db, spayon, SPAYON_SHOP_NAME=name) for name in ("Tea and more", "Books")
    )

    with first.app_context():
        assert spayon.settings.shop_name == "Tea and more"
        tokens = spayon.tokens

    with second.app_context():
        assert spayon.settings.shop_name == "Books"
        assert spayon.tokens is not tokens


def test_the_state_of_an_app_lives_in_its_extensions(db: SQLAlchemy) -> None:
    spayon = Spayon(db)
    app = make_app(db, spayon)

    with app.app_context():
        assert app.extensions["spayon"]["spayon"].settings is spayon.settings


def test_two_objects_are_two_accounts_on_the_same_two_tables(db: SQLAlchemy) -> None:
    tea, books = Spayon(db, name="tea"), Spayon(db, name="books")
    app = make_app(db, tea, books)

    assert tea.Payment is books.Payment
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= {
        "tea.callback",
        "books.callback",
    }


def test_init_app_twice_is_refused_with_the_way_out(db: SQLAlchemy) -> None:
    spayon = Spayon(db)
    app = make_app(db, spayon)

    with pytest.raises(ConfigError, match="another name and config_prefix"):
        spayon.init_app(app)


def test_a_wrong_setting_stops_the_start(db: SQLAlchemy) -> None:
    with pytest.raises(ConfigError, match="SPAYON_CLIENT_ID"):
        make_app(db, Spayon(db), SPAYON_CLIENT_ID="")


def test_an_app_under_test_that_was_told_nothing_of_payments_starts(db: SQLAlchemy) -> None:
    app = Flask("app", root_path="tests")
    app.config.update(TESTING=True, SQLALCHEMY_DATABASE_URI="sqlite://", SPAYON_CLIENT_ID=None)
    db.init_app(app)
    spayon = Spayon(db)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    app.add_url_rule("/", "home", lambda: "tea")

    assert app.test_client().get("/").text == "tea"

    with app.app_context(), pytest.raises(ConfigError, match="in tests set TESTING"):
        _ = spayon.settings

    with pytest.raises(ConfigError, match="CALLBACK_SECRET"):
        app.test_client().post("/pay/callback")


@pytest.mark.parametrize("config", [{"TESTING": False}, {"SPAYON_CLIENT_ID": "id"}])
def test_an_app_that_serves_or_was_told_half_does_not_start(
    db: SQLAlchemy, config: dict[str, Any]
) -> None:
    app = Flask("app", root_path="tests")
    app.config.update({"TESTING": True, "SQLALCHEMY_DATABASE_URI": "sqlite://"} | config)
    db.init_app(app)

    with pytest.raises(ConfigError, match="in tests set TESTING = True before init_app"):
        Spayon(db).init_app(app)


class Lite:
    """Like Flask-SQLAlchemy-Lite's object: a session, and no base for models."""

    session = None


@pytest.mark.parametrize("db", [None, Lite()], ids=["None", "Lite"])
def test_another_kind_of_database_object_is_refused_in_a_sentence(db: Any) -> None:
    with pytest.raises(ConfigError, match="the SQLAlchemy object of Flask-SQLAlchemy"):
        Spayon(db)


def test_without_init_app_the_message_says_so(db: SQLAlchemy) -> None:
    app = make_app(db)

    with app.app_context(), pytest.raises(ConfigError, match=r"init_app\(app\) first"):
        _ = Spayon(db).settings


def test_without_the_blueprint_a_checkout_says_so(db: SQLAlchemy) -> None:
    spayon = Spayon(db)
    app = make_app(db)
    spayon.init_app(app)
    order = Order(order_id="A1", product_name="Tea", price=Decimal(1), currency="AMD")

    with app.app_context(), pytest.raises(ConfigError, match="register_blueprint"):
        spayon.start_checkout(order)


def test_without_an_order_loader_the_payer_sees_a_page_and_the_log_says_why(
    db: SQLAlchemy, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(db, Spayon(db))

    assert app.test_client().get("/spayon/checkout/A1").status_code == 503
    assert "@spayon.order_loader" in caplog.text


@pytest.mark.parametrize("name", ["", "two words", "a-b", "a.b"])
def test_a_name_that_no_endpoint_can_have_is_refused(db: SQLAlchemy, name: str) -> None:
    with pytest.raises(ConfigError, match="identifier"):
        Spayon(db, name=name)


def test_a_blueprint_may_be_mounted_under_another_name_and_prefix(db: SQLAlchemy) -> None:
    spayon = Spayon(db)
    app = make_app(db)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/a/b", name="payments")

    with app.app_context():
        assert spayon.state.urls.links("x").cancel_url == "http://shop.test/a/b/cancel/x"


def add(shop: Shop, session_id: str, **values: Any) -> int:
    return shop.add_payment(session_id, held_order_id=None, **values)


def test_an_order_without_payments_stands_nowhere(shop: Shop) -> None:
    shop.add_payment("S1", "B1")

    with shop.app.app_context():
        assert shop.spayon.payment_of("A1") is None


@pytest.mark.parametrize(
    "says", ["paid", "review", "live", "newest"], ids=lambda says: f"the {says} one"
)
def test_the_payment_that_says_how_an_order_stands(shop: Shop, says: str) -> None:
    ids = {}

    if says == "paid":
        ids["paid"] = add(shop, "S1", status="paid")

    if says in ("paid", "review"):
        ids["review"] = add(shop, "S2", status="review")

    if says != "newest":
        ids["live"] = shop.add_payment("S3")

    add(shop, "S4", superseded=True)
    add(shop, "S5", expires_at=shop.clock())
    add(shop, "S6", session_url=None)
    ids["newest"] = add(shop, "S7", status="failed")

    with shop.app.app_context():
        found = shop.spayon.payment_of("A1")
        assert found is not None
        assert found.id == ids[says]


def test_an_app_that_matches_hosts_is_refused_with_the_way_out(db: SQLAlchemy) -> None:
    app = Flask("app", root_path="tests", host_matching=True, static_host="shop.test")
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)

    with pytest.raises(ConfigError, match="subdomain_matching"):
        Spayon(db).init_app(app)


def test_a_session_that_does_not_begin_by_itself_is_refused() -> None:
    db = SQLAlchemy(session_options={"autobegin": False})

    with pytest.raises(ConfigError, match=r"autobegin=False.*remove the option"):
        make_app(db, Spayon(db))


def test_a_database_that_commits_each_statement_is_refused(db: SQLAlchemy) -> None:
    options = {"isolation_level": "AUTOCOMMIT"}

    with pytest.raises(ConfigError, match=r"SQLALCHEMY_ENGINE_OPTIONS.*AUTOCOMMIT.*remove"):
        make_app(db, Spayon(db), SQLALCHEMY_ENGINE_OPTIONS=options)
