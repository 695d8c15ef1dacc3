"""What the demo store shows and does, apart from paying."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from demo_app import GOODS, TEXTS, ShopOrder, Stock, db
from spayon_flask.testing import connect
from tests.demo.conftest import OpenStore

TEMPLATES = Path(__file__).parents[2] / "templates"

PAGES = ["/", "/goods/duduk", "/basket", "/orders", "/behind-the-scenes", "/no-such-page"]
every_page = pytest.mark.parametrize("path", PAGES)


def order_of(client: FlaskClient, **quantities: str) -> str:
    """Order *quantities* and return the path of the order's page."""
    client.post("/basket", data=quantities)

    return str(client.post("/orders").location)


def checkout_of(client: FlaskClient, path: str) -> str:
    """Return the path of the checkout page, as the page of an order at *path* links to it."""
    found = re.search(r'"(/pay/checkout/[^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def begin(client: FlaskClient, path: str) -> str:
    """Press "Pay" for the order at *path*; return the id of the payment session."""
    return str(client.post(checkout_of(client, path)).location).rsplit("/", 1)[1]


def set_stock(store: Flask, slug: str, left: int) -> None:
    """Have so many of a product *left*."""
    with store.app_context():
        db.session.get_one(Stock, slug).left = left
        db.session.commit()


def test_the_catalogue_shows_eight_products_with_picture_and_price(store: Flask) -> None:
    html = store.test_client().get("/").text

    assert len(re.findall("<article", html)) == 8
    assert len(set(re.findall(r"/static/(?!logo)(\w+)\.svg", html))) == 8
    assert "46,000" in html


@pytest.mark.parametrize("slug", GOODS)
def test_a_picture_is_small_and_holds_nothing_that_runs(store: Flask, slug: str) -> None:
    with store.test_client().get(f"/static/{slug}.svg") as answer:
        assert answer.content_type.startswith("image/svg+xml")
        assert len(answer.data) < 3000
        assert not re.search(
            r"<script|<style|\sstyle=|\son\w+=|http(?!://www.w3.org)", answer.get_data(as_text=True)
        )


@every_page
def test_a_page_follows_the_strictest_usual_policy(store: Flask, path: str) -> None:
    answer = store.test_client().get(path)
    policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|<script|\son\w+=", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"


@every_page
@pytest.mark.parametrize("language", TEXTS)
def test_a_page_speaks_the_language_of_the_link(store: Flask, path: str, language: str) -> None:
    html = store.test_client().get(f"{path}?language={language}").text

    assert f'<html lang="{language}">' in html
    assert TEXTS[language]["footer"] in html


def test_the_browser_decides_until_a_language_is_chosen_which_then_stays(store: Flask) -> None:
    client = store.test_client()
    armenian = {"Accept-Language": "hy-AM,hy;q=0.9,en;q=0.5"}
    assert '<html lang="hy">' in client.get("/", headers=armenian).text

    client.get("/?language=ru")
    assert '<html lang="ru">' in client.get("/orders", headers=armenian).text

    path = checkout_of(client, order_of(client, gata="1"))
    client.get(f"{path}?language=en")
    assert '<html lang="en">' in client.get(path, headers=armenian).text


def test_every_text_is_there_in_every_language() -> None:
    goods = [texts[key] for texts in GOODS.values() for key in ("name", "line", "about")]

    assert {frozenset(texts) for texts in goods} == {frozenset(TEXTS)}
    assert {frozenset(texts) for texts in TEXTS.values()} == {frozenset(TEXTS["en"])}
    assert all(text for texts in (*TEXTS.values(), *goods) for text in texts.values())


def test_the_basket_adds_up_and_a_quantity_of_zero_removes(store: Flask) -> None:
    client = store.test_client()
    client.post("/basket", data={"add": "thyme", "quantity": "3"})
    client.post("/basket", data={"add": "thyme"})
    client.post("/basket", data={"add": "duduk"})
    assert "53,200" in client.get("/basket").text

    client.post("/basket", data={"thyme": "0", "duduk": "0"})
    assert TEXTS["en"]["empty_basket"] in client.get("/basket").text


@pytest.mark.parametrize("quantity", ["99", "9" * 4000])
def test_nobody_buys_more_than_there_is(store: Flask, quantity: str) -> None:
    path = order_of(client := store.test_client(), rug=quantity)

    assert "2 × 89,000" in client.get(path).text


@pytest.mark.parametrize("quantity", ["-1", "0", "one", "", "1.5", "\x00"])
def test_a_senseless_quantity_buys_nothing(store: Flask, quantity: str) -> None:
    assert order_of(store.test_client(), rug=quantity) == "/basket"


def test_the_basket_is_in_the_order_of_the_catalogue(store: Flask) -> None:
    path = order_of(client := store.test_client(), jazzve="1", pomegranate="1")
    html = client.get(path).text

    assert html.index("Ceramic pomegranate") < html.index("Copper jazzve")


def test_what_is_sold_out_or_not_in_the_catalogue_cannot_be_ordered(store: Flask) -> None:
    set_stock(store, "rug", 0)
    client = store.test_client()

    assert TEXTS["en"]["sold_out"] in client.get("/goods/rug").text
    assert order_of(client, rug="1", add="crown", crown="1") == "/basket"


def test_an_order_empties_the_basket_and_joins_the_visitors_own_history(store: Flask) -> None:
    client = store.test_client()
    path = order_of(client, gata="2", jazzve="1")

    assert TEXTS["en"]["empty_basket"] in client.get("/basket").text
    assert path in client.get("/orders").text
    assert TEXTS["en"]["empty_orders"] in store.test_client().get("/orders").text
    assert "18,900" in client.get(path).text

    with store.app_context():
        assert str(db.session.scalars(db.select(ShopOrder)).one().total) == "18900"


def test_somebody_elses_order_is_not_shown(store: Flask) -> None:
    client = store.test_client()
    path = order_of(client, gata="1")

    for place in (path, checkout_of(client, path)):
        answer = store.test_client().get(place)
        assert answer.status_code == 403
        assert TEXTS["en"]["error_403"] in answer.text
        assert "2,200" not in answer.text

    # Nor do the payment pages know it by its number.
    number = path.rsplit("/", 1)[1]
    assert client.get(f"/pay/checkout/{number}").status_code == 404


def test_a_quantity_that_was_changed_last_is_what_is_ordered(store: Flask) -> None:
    client = store.test_client()
    client.post("/basket", data={"gata": "1"})

    path = client.post("/orders", data={"gata": "3"}).location

    assert "3 × 2,200" in client.get(path).text


@pytest.mark.parametrize("path", ["/no-such-page", "/goods/crown", "/orders/M-0"])
def test_what_is_not_there_is_said_in_the_stores_own_words(store: Flask, path: str) -> None:
    answer = store.test_client().get(path)

    assert answer.status_code == 404
    assert TEXTS["en"]["error_404"] in answer.text


@pytest.mark.parametrize("path", ["/basket", "/orders"])
def test_a_form_without_its_token_is_refused(open_store: OpenStore, path: str) -> None:
    answer = open_store().test_client().post(path, data={"gata": "1"})

    assert answer.status_code == 400
    assert TEXTS["en"]["error_400"] in answer.text


def test_only_the_callback_needs_no_token(open_store: OpenStore) -> None:
    assert open_store().test_client().post("/pay/callback").status_code == 401


def test_visitors_are_remembered_when_the_store_opens_again(
    open_store: OpenStore, tmp_path: Path
) -> None:
    keys = [open_store().secret_key for _ in range(2)]

    assert keys[0] == keys[1]
    assert len(keys[0] or b"") == 32
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_opening_again_keeps_the_stock(open_store: OpenStore) -> None:
    set_stock(open_store(), "rug", 1)
    again = open_store()

    with again.app_context():
        assert db.session.get_one(Stock, "rug").left == 1


def test_an_order_whose_payment_is_under_way_is_not_to_be_paid_again(store: Flask) -> None:
    connect(store)
    client = store.test_client()
    path = order_of(client, thyme="1")
    assert TEXTS["en"]["state_new"] in client.get(path).text
    begin(client, path)
    page = client.get(path).text

    assert TEXTS["en"]["note_pending"] in page
    assert TEXTS["en"]["see_payment"] in page
    assert "Pay 1,800" not in page
    assert TEXTS["en"]["state_pending"] in client.get("/orders").text


def test_the_callbacks_of_ones_own_payments_are_listed_in_the_order_in_which_they_came(
    store: Flask,
) -> None:
    simulator, client = connect(store), store.test_client()
    session_id = begin(client, order_of(client, thyme="1"))
    told = ("failed", "expired", "paid")

    for status in told:
        simulator.deliver(session_id, status=status)

    page = client.get("/behind-the-scenes").text
    assert session_id in page
    assert tuple(re.findall(r'badge \w+">(\w+)</span> Source', page)) == told
    assert "No payment yet" in store.test_client().get("/behind-the-scenes").text


def test_a_callback_that_comes_ten_times_takes_the_goods_off_the_shelf_once(store: Flask) -> None:
    simulator, client = connect(store), store.test_client()
    path = order_of(client, nardi="2")
    session_id = begin(client, path)
    simulator.pay(session_id)
    again = simulator.deliver(session_id, times=10, concurrently=True)

    assert {delivery.status_code for delivery in again} == {200}
    with store.app_context():
        assert db.session.get_one(Stock, "nardi").left == 4

    # The return page leads to the order.
    assert path in client.get(f"/pay/return?session_id={session_id}").text


def test_the_desk_is_open_to_everybody_only_in_the_demo(store: Flask) -> None:
    client = store.test_client()

    assert "Staff: open to everybody only in this demo" in client.get("/").text
    assert client.get("/staff/").status_code == 200


def test_with_real_money_the_desk_is_shut_and_no_test_card_offered(open_store: OpenStore) -> None:
    client = open_store(
        SPAYON_CLIENT_ID="real",
        SPAYON_CLIENT_SECRET="real",
        SPAYON_CALLBACK_SECRET="real too",
        SPAYON_API_URL=None,
        SPAYON_PUBLIC_URL="https://maran.example",
    ).test_client()
    page = client.get("/").text

    assert "4111" not in page
    assert "Staff" not in page
    assert "_simulator" not in client.get("/behind-the-scenes").text
    assert client.get("/staff/").status_code == 404
