"""What the views add to the pages: headers, ways back, the shop's own functions and settings."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, template_rendered
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types
from jinja2 import FileSystemLoader, Template, select_autoescape

from spayon_flask import Order, Spayon
from spayon_flask.errors import ConfigError
from spayon_flask.simulator import Simulator
from tests.pages.test_every_standing import STATUS_CALL
from tests.pages.test_templates import words_of
from tests.reports import report
from tests.shop import CONFIG, Shop

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")
RETURN, CANCEL = "/pay/return?session_id=S1", "/pay/cancel/reference-of-S1-A1"

Sell = Callable[..., Shop]


@pytest.fixture
def sell(own_shop: Callable[..., Shop]) -> Sell:
    """Make a shop with settings, which sells one order with more fields."""

    def make(order: dict[str, Any] | None = None, **config: Any) -> Shop:
        shop = own_shop(**config)
        sold = replace(ORDER, **order or {})
        shop.spayon.order_loader(lambda key: sold if key == "A1" else None)
        shop.add_order()
        return shop

    return make


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        *((RETURN, RETURN), (CANCEL, CANCEL), ("/pay/return", RETURN)),
        *(("/pay/return?session_id=nobody", None), ("/pay/cancel/nobody", None)),
    ],
)
def test_a_payer_whom_a_bank_posts_back_is_sent_on_to_the_page(
    own_shop: Callable[..., Shop], path: str, leads_to: str | None
) -> None:
    shop = own_shop()
    CSRFProtect(shop.app)
    shop.add_payment()
    answer = shop.app.test_client().post(path, data={"session_id": "S1"})

    assert (answer.status_code, answer.location) == (303 if leads_to else 404, leads_to)


def test_the_receipt_tells_when_it_was_paid_and_what(sell: Sell) -> None:
    shop = sell(SPAYON_TIMEZONE="Asia/Yerevan")
    shop.add_payment(price=None, currency=None, product_id=7, product_name=None)
    shop.clock.step(3 * 24 * 3600)
    shop.deliver(report(price="1250.50", updatedAt="2026-11-22T12:01:00.000Z"))
    words = words_of(shop.app.test_client().get(RETURN).text).replace("\u00a0", " ")

    assert "Amount 1,250.50 AMD" in words
    assert "Paid on 22 November 2026, 16:01" in words


@pytest.mark.parametrize("status", ["pending", "failed", "expired", "review", "paid"])
def test_only_a_payer_who_has_paid_is_sent_on_to_the_shops_own_page_of_thanks(
    sell: Sell, status: str
) -> None:
    shop = sell({"thanks_url": "https://elsewhere.example/thanks"})
    shop.add_payment(status=status)
    client = shop.app.test_client()
    answer = client.get(RETURN)
    told = client.get(RETURN, headers={"X-Spayon-Script": "1"})
    is_paid = status == "paid"

    assert answer.location == ("https://elsewhere.example/thanks" if is_paid else None)
    assert answer.status_code == (303 if is_paid else 200)
    # The script is told where to go on.
    assert told.status_code == 200
    assert ('data-next="https://elsewhere.example/thanks"' in told.text) == is_paid


@pytest.mark.parametrize("path", [RETURN, CANCEL, "/pay/checkout/A1"])
def test_every_page_of_an_order_leads_to_its_page_in_the_shop(sell: Sell, path: str) -> None:
    shop = sell({"url": "/orders/17"})
    shop.add_payment(status="failed", held_order_id=None)

    assert 'href="/orders/17">See your order</a>' in shop.app.test_client().get(path).text


@pytest.mark.parametrize("failure", [RuntimeError("down"), None])
@pytest.mark.parametrize("path", [RETURN, CANCEL])
def test_a_payment_is_shown_to_whom_the_loader_shows_nothing(
    shop: Shop, path: str, failure: Exception | None
) -> None:
    @shop.spayon.order_loader
    def refuse(_key: str) -> None:
        if failure is not None:
            raise failure

        abort(403)

    shop.add_payment(status="paid")
    made: list[str] = []

    def note(_: Flask, template: Template, **_context: object) -> None:
        made.append(str(template.name))

    with template_rendered.connected_to(note, shop.app):
        page = shop.app.test_client().get(path)

    assert page.status_code == 200
    assert "Payment received" in page.text
    assert len(made) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_order_that_a_loader_looks_for_by_one_or_404_is_not_found(
    any_shop: Shop, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    @any_shop.spayon.order_loader
    def load(order_id: str) -> Order:
        row = any_shop.db.one_or_404(any_shop.db.select(any_shop.orders).filter_by(id=order_id))
        return replace(ORDER, order_id=row.id)

    assert any_shop.app.test_client().open("/pay/checkout/none", method=method).status_code == 404
    assert caplog.records == []


def test_the_lines_of_an_order_are_shown_and_never_sent(sim: Simulator, sell: Sell) -> None:
    lines = [("Cup <b>", 2, Decimal(300)), ("Pot", 1, Decimal(400))]
    shop = sell({"lines": lines}, SPAYON_API_URL=sim.url)
    client = shop.app.test_client()
    html = client.get("/pay/checkout/A1").text

    assert "Cup &lt;b&gt;" in html
    assert "× 2 600 AMD Pot 400 AMD" in words_of(html)
    assert client.post("/pay/checkout/A1").status_code == 303
    assert "Pot" not in str(next(iter(sim.sessions)).creation)


def test_a_shop_that_asks_for_nothing_shows_no_fields_and_passes_nothing_on(
    sim: Simulator, sell: Sell
) -> None:
    client = sell(SPAYON_ASK_DETAILS=False, SPAYON_API_URL=sim.url).app.test_client()
    html = client.get("/pay/checkout/A1").text
    client.post("/pay/checkout/A1", data={"email": "ani@example.am"})

    assert "Your details" not in html
    assert "<input" not in html
    assert "Continue to payment" in html
    assert [each.creation.email for each in sim.sessions] == [None]


def test_a_mistyped_address_is_corrected_when_the_session_is_made_anew(
    sim: Simulator, sell: Sell
) -> None:
    shop = sell(SPAYON_API_URL=sim.url)
    shop.clock.now = sim.clock.now()
    client = shop.app.test_client()
    client.post("/pay/checkout/A1", data={"email": "ani@exmaple.am"})
    assert "Correct your details" in client.get("/pay/checkout/A1").text

    shop.clock.step(15 * 60)
    sim.clock.step(15 * 60)
    sim.settle()
    client.post("/pay/checkout/A1", data={"email": "ani@example.am"})

    assert [each.creation.email for each in sim.sessions] == ["ani@exmaple.am", "ani@example.am"]


def test_the_checkout_page_asks_nobody_and_leads_who_has_paid_to_the_return_page(
    sim: Simulator, sell: Sell
) -> None:
    shop = sell(SPAYON_API_URL=sim.url)
    shop.clock.now = sim.clock.now()
    client = shop.app.test_client()
    client.post("/pay/checkout/A1")
    page = client.get("/pay/checkout/A1").text

    assert sim.requests.count(STATUS_CALL) == 0
    assert page.index("I have paid already: see the payment") < page.index("Continue to payment")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("variable_start_string", "[["),
        ("block_end_string", "%]"),
        ("comment_start_string", "{*"),
        ("autoescape", False),
    ],
)
@pytest.mark.parametrize("made", [False, True])
def test_a_jinja_that_cannot_show_the_pages_is_refused_at_the_start(
    option: str, value: Any, made: bool
) -> None:
    app = Flask("shop")
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://")
    spayon = Spayon(SQLAlchemy(app))
    spayon.init_app(app)

    if made:
        setattr(app.jinja_env, option, value)

    else:
        app.jinja_options = {option: value}

    with pytest.raises(ConfigError, match="the app's Jinja"):
        app.register_blueprint(spayon.blueprint, url_prefix="/pay")


def test_a_jinja_that_escapes_nothing_but_html_files_will_do() -> None:
    app = Flask("shop", template_folder=None)
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://")
    app.jinja_options = {"autoescape": select_autoescape(default_for_string=False)}
    spayon = Spayon(SQLAlchemy(app))
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")

    assert app.test_client().get("/pay/return").status_code == 404


#: Names that a shop may well give to something of its own.
NAMES = (
    *("language", "shop_name", "state", "order", "price", "support"),
    *("heading", "wrong", "is_long", "parts"),
)


def test_in_the_shop_s_own_frame_its_words_and_variables_are_its_own(
    tmp_path: Path, own_shop: Callable[..., Shop]
) -> None:
    frame = tmp_path / "spayon" / "base.html"
    frame.parent.mkdir()
    names = " ".join(f"{{{{ {name} }}}}" for name in NAMES)
    frame.write_text(
        '{{ _("Log out") }} {{ gettext("Basket") }} [' + names + "]"
        '<main>{{ spayon_text("Basket") }} {% block content %}{% endblock %}</main>'
    )
    shop = own_shop()
    shop.add_order()
    shop.add_payment("S2", "A2")
    shop.app.jinja_loader = FileSystemLoader(tmp_path)
    shop.app.context_processor(lambda: dict.fromkeys(NAMES, "o"))
    shop.app.jinja_env.add_extension("jinja2.ext.i18n")
    translated = {"Log out": "Выйти", "Basket": "Корзина", "Payment": "wrong"}
    shop.app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension's
        lambda message: translated.get(message, message), lambda one, *_: one, newstyle=True
    )
    client = shop.app.test_client()
    pages = [
        client.get(path, headers={"Accept-Language": "ru"}).text
        for path in (
            *("/pay/checkout/A1", "/pay/checkout/nothing"),
            *("/pay/return?session_id=S2", "/pay/cancel/reference-of-S2-A2"),
        )
    ]
    theirs = f"Выйти Корзина [{' '.join('o' for _ in NAMES)}]<main>Корзина "

    assert [page for page in pages if not page.startswith(theirs) or "wrong" in page] == []
    assert "Перейти к оплате" in pages[0]


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_template_of_the_shops_own_blueprint_wins(tmp_path: Path, *, ours_first: bool) -> None:
    folder = tmp_path / "spayon"
    folder.mkdir()
    (folder / "error.html").write_text("<p>the error page of the shop</p>")
    app = Flask("shop")
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://")
    spayon = Spayon(SQLAlchemy(app))
    spayon.init_app(app)
    spayon.order_loader(lambda _: None)
    blueprints = [spayon.blueprint, Blueprint("own", __name__, template_folder=str(tmp_path))]

    for each in blueprints if ours_first else reversed(blueprints):
        app.register_blueprint(each, url_prefix="/pay")

    assert "the error page of the shop" in app.test_client().get("/pay/checkout/nothing").text
