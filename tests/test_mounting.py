"""Mounting: wherever a shop puts the blueprint, Spayon and the payers find it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, g
from flask_sqlalchemy import SQLAlchemy

from spayon_flask import ConfigError, Order, Spayon
from spayon_flask.simulator import Simulator
from spayon_flask.testing import Payer, connect, post_callback
from tests.shop import CONFIG

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


class Mounted:
    """A shop whose blueprint *mount* puts somewhere, with a simulator in the same process."""

    def __init__(self, mount: Callable[[Flask, Spayon], object], **config: Any) -> None:
        self.db = SQLAlchemy()
        self.spayon = Spayon(self.db)
        self.spayon.order_loader(lambda key: ORDER if key == "A1" else None)
        subdomains = config.pop("subdomain_matching", False)
        self.app = Flask(
            "shop", root_path=str(Path(__file__).parent), subdomain_matching=subdomains
        )
        self.app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://", **config)
        self.db.init_app(self.app)
        self.spayon.init_app(self.app)
        mount(self.app, self.spayon)
        self.simulator: Simulator = connect(self.app)

        with self.app.app_context():
            self.db.create_all()

    def pay(self, address: str, base_url: str = "http://shop.test") -> Any:
        """Press Pay on the checkout page at *address*, and return the payment session."""
        client = self.app.test_client()
        page = client.get(address, base_url=base_url)
        assert page.status_code == 200, page.text

        answer = client.post(address, base_url=base_url)
        assert answer.status_code == 303, answer.text

        return self.simulator.sessions.of_order("A1")[-1]


@pytest.fixture
def mounted() -> Iterator[Callable[..., Mounted]]:
    shops: list[Mounted] = []

    def make(mount: Callable[[Flask, Spayon], object], **config: Any) -> Mounted:
        shops.append(Mounted(mount, **config))
        return shops[-1]

    yield make

    for shop in shops:
        with shop.app.app_context():
            shop.db.engine.dispose()


def at_a_language(app: Flask, spayon: Spayon) -> None:
    app.register_blueprint(spayon.blueprint, url_prefix="/<lang>/pay")


def by_flask_s_docs(app: Flask, spayon: Spayon) -> None:
    """Mount as the internationalized blueprints in Flask's documentation."""

    @app.url_value_preprocessor
    def pull(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang_code = (values or {}).pop("lang_code", None)

    @app.url_defaults
    def push(endpoint: str, values: dict[str, Any]) -> None:
        if "lang_code" in values or not g.lang_code:
            return

        if app.url_map.is_endpoint_expecting(endpoint, "lang_code"):
            values["lang_code"] = g.lang_code

    app.register_blueprint(spayon.blueprint, url_prefix="/<lang_code>/pay")


def on_the_blueprint(app: Flask, spayon: Spayon) -> None:
    @spayon.blueprint.url_value_preprocessor
    def pull(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang_code = (values or {}).pop("lang_code")

    @spayon.blueprint.url_defaults
    def push(_: str, values: dict[str, Any]) -> None:
        values.setdefault("lang_code", g.lang_code)

    app.register_blueprint(spayon.blueprint, url_prefix="/<lang_code>/pay")


def in_an_outer_blueprint(app: Flask, spayon: Spayon) -> None:
    outer = Blueprint("shop", __name__, url_prefix="/<any(en, ru, hy):lang>")

    @outer.url_value_preprocessor
    def pull(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang = (values or {}).pop("lang")

    @outer.url_defaults
    def push(_: str, values: dict[str, Any]) -> None:
        values.setdefault("lang", g.lang)

    outer.register_blueprint(spayon.blueprint, url_prefix="/pay")
    app.register_blueprint(outer)


WAYS = [at_a_language, by_flask_s_docs, on_the_blueprint, in_an_outer_blueprint]


@pytest.mark.parametrize("mount", WAYS)
@pytest.mark.parametrize("public_url", ["http://shop.test", "http://other.test/store", None])
def test_a_language_in_the_prefix_is_in_every_link(
    mounted: Callable[..., Mounted], mount: Any, public_url: str | None
) -> None:
    shop = mounted(mount, SPAYON_PUBLIC_URL=public_url)
    session = shop.pay("/hy/pay/checkout/A1")
    base = public_url or "http://shop.test"

    assert session.creation.callback_url == f"{base}/hy/pay/callback"
    assert session.creation.return_url == f"{base}/hy/pay/return"
    assert session.creation.cancel_url.startswith(f"{base}/hy/pay/cancel/")


@pytest.mark.parametrize("mount", WAYS)
def test_styles_and_scripts_are_found(mounted: Callable[..., Mounted], mount: Any) -> None:
    client = mounted(mount).app.test_client()
    page = client.get("/hy/pay/checkout/A1").text
    files = re.findall(r'(?:href|src)="([^"]+\.(?:css|js)[^"]*)"', page)

    assert files

    for each in files:
        with client.get(each) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize("mount", WAYS)
def test_a_purchase_in_a_language_comes_back_to_that_language(
    mounted: Callable[..., Mounted], mount: Any
) -> None:
    shop = mounted(mount, SPAYON_URL_VALUES={"lang": "ru", "lang_code": "ru"})
    session = shop.pay("/hy/pay/checkout/A1")
    client = shop.app.test_client()

    assert post_callback(client, session.id, "failed").status_code == 200

    page = client.get(f"/hy/pay/return?session_id={session.id}").text
    assert "/hy/pay/checkout/A1" in page
    assert Payer(shop.app, shop.simulator).pay("A1").status_code == 200


def test_outside_a_request_the_order_tells_the_language(mounted: Callable[..., Mounted]) -> None:
    shop = mounted(at_a_language, SPAYON_URL_VALUES={"lang": "en"})

    with shop.app.app_context():
        shop.spayon.start_checkout(replace(ORDER, order_id="B1", language="hy"))
        shop.spayon.start_checkout(replace(ORDER, order_id="B2"))

    hy, en = (shop.simulator.sessions.of_order(each)[0] for each in ("B1", "B2"))
    assert hy.creation.callback_url == "http://shop.test/hy/pay/callback"
    assert en.creation.callback_url == "http://shop.test/en/pay/callback"


def test_outside_a_request_an_unknown_part_is_named_with_the_way_out(
    mounted: Callable[..., Mounted],
) -> None:
    shop = mounted(by_flask_s_docs)

    with shop.app.app_context():
        with pytest.raises(ConfigError, match=r"<lang_code>: set SPAYON_URL_VALUES to"):
            shop.spayon.start_checkout(ORDER)

        assert shop.spayon.payment_of("A1") is None


@pytest.mark.parametrize(
    ("public_url", "server_name", "expected"),
    [
        ("http://pay.shop.test", "shop.test", "http://pay.shop.test/callback"),
        ("http://shop.test", "shop.test", "http://pay.shop.test/callback"),
        (None, "shop.test", "http://pay.shop.test/callback"),
        (None, "shop.test:5000", "http://pay.shop.test:5000/callback"),
    ],
)
def test_a_blueprint_on_a_subdomain_is_found_there(
    mounted: Callable[..., Mounted], public_url: str | None, server_name: str, expected: str
) -> None:
    shop = mounted(
        lambda app, spayon: app.register_blueprint(spayon.blueprint, subdomain="pay"),
        SPAYON_PUBLIC_URL=public_url,
        SERVER_NAME=server_name,
        subdomain_matching=True,
    )
    session = shop.pay("/checkout/A1", base_url=f"http://pay.{server_name}")

    assert session.creation.callback_url == expected


def test_server_name_is_the_address_outside_a_request(mounted: Callable[..., Mounted]) -> None:
    shop = mounted(
        lambda app, spayon: app.register_blueprint(spayon.blueprint, url_prefix="/pay"),
        SPAYON_PUBLIC_URL=None,
        SERVER_NAME="shop.test",
        APPLICATION_ROOT="/store",
        PREFERRED_URL_SCHEME="https",
    )

    with shop.app.app_context():
        shop.spayon.start_checkout(ORDER)

    (session,) = shop.simulator.sessions.of_order("A1")
    assert session.creation.callback_url == "https://shop.test/store/pay/callback"


@pytest.mark.parametrize(
    "public_url",
    [
        "http://чай.test/магазин",
        "http://xn--80as4b.test/%D0%BC%D0%B0%D0%B3%D0%B0%D0%B7%D0%B8%D0%BD",
    ],
)
def test_what_spayon_is_given_is_ascii(mounted: Callable[..., Mounted], public_url: str) -> None:
    shop = mounted(
        lambda app, spayon: app.register_blueprint(spayon.blueprint, url_prefix="/pay"),
        SPAYON_PUBLIC_URL=public_url,
    )
    session = shop.pay("/pay/checkout/A1")

    assert session.creation.callback_url == (
        "http://xn--80as4b.test/%D0%BC%D0%B0%D0%B3%D0%B0%D0%B7%D0%B8%D0%BD/pay/callback"
    )


def test_a_blueprint_that_is_mounted_twice_keeps_the_payer_where_he_is(
    mounted: Callable[..., Mounted],
) -> None:
    def mount(app: Flask, spayon: Spayon) -> None:
        app.register_blueprint(spayon.blueprint, url_prefix="/pay")
        app.register_blueprint(spayon.blueprint, url_prefix="/kiosk", name="kiosk")

    session = mounted(mount).pay("/kiosk/checkout/A1")

    assert session.creation.return_url == "http://shop.test/kiosk/return"
