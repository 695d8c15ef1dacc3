"""What the demo store shows and does, apart from paying."""

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from demo_app import GOODS, TEXTS, ShopOrder, Stock, db, spayon
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


def test_a_store_at_the_real_gateway_offers_no_test_card(open_store: OpenStore) -> None:
    client = open_store(
        SPAYON_CLIENT_SECRET="real",
        SPAYON_CALLBACK_SECRET="real too",
        SPAYON_API_URL=None,
        SPAYON_PUBLIC_URL="https://maran.example",
    ).test_client()

    assert "4111" not in client.get("/").text
    assert "_simulator" not in client.get("/behind-the-scenes").text


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


def test_the_language_stays_until_another_one_is_chosen(store: Flask) -> None:
    client = store.test_client()
    client.get("/?language=ru")

    assert '<html lang="ru">' in client.get("/orders").text


def test_without_a_choice_the_browser_decides(store: Flask) -> None:
    answer = store.test_client().get("/", headers={"Accept-Language": "hy-AM,hy;q=0.9,en;q=0.5"})

    assert '<html lang="hy">' in answer.text


def test_every_text_is_there_in_every_language() -> None:
    assert {language: texts.keys() for language, texts in TEXTS.items()} == dict.fromkeys(
        TEXTS, TEXTS["en"].keys()
    )
    assert all(text for texts in TEXTS.values() for text in texts.values())


@pytest.mark.parametrize("slug", GOODS)
def test_every_product_is_described_in_every_language(slug: str) -> None:
    for texts in (GOODS[slug][key] for key in ("name", "line", "about")):
        assert texts.keys() == TEXTS.keys()


def test_the_basket_adds_up(store: Flask) -> None:
    client = store.test_client()
    client.post("/basket", data={"add": "thyme", "quantity": "3"})
    client.post("/basket", data={"add": "thyme"})
    client.post("/basket", data={"add": "duduk"})

    assert "53,200" in client.get("/basket").text


def test_a_quantity_of_zero_removes(store: Flask) -> None:
    client = store.test_client()
    client.post("/basket", data={"add": "thyme"})
    client.post("/basket", data={"thyme": "0"})

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


def test_what_is_sold_out_cannot_be_ordered(store: Flask) -> None:
    set_stock(store, "rug", 0)
    client = store.test_client()

    assert TEXTS["en"]["sold_out"] in client.get("/goods/rug").text
    assert order_of(client, rug="1") == "/basket"


def test_a_product_that_is_not_in_the_catalogue_is_passed_over(store: Flask) -> None:
    assert order_of(store.test_client(), add="crown", crown="1") == "/basket"


def test_an_order_empties_the_basket_and_joins_the_history(store: Flask) -> None:
    client = store.test_client()
    path = order_of(client, gata="2", jazzve="1")

    assert TEXTS["en"]["empty_basket"] in client.get("/basket").text
    assert path in client.get("/orders").text
    assert "18,900" in client.get(path).text


def test_somebody_elses_order_is_not_shown(store: Flask) -> None:
    client = store.test_client()
    path = order_of(client, gata="1")

    for place in (path, checkout_of(client, path)):
        answer = store.test_client().get(place)
        assert answer.status_code == 403
        assert TEXTS["en"]["error_403"] in answer.text
        assert "2,200" not in answer.text


def test_the_payment_pages_do_not_know_an_order_by_its_number(store: Flask) -> None:
    client = store.test_client()
    number = order_of(client, gata="1").rsplit("/", 1)[1]

    assert client.get(f"/pay/checkout/{number}").status_code == 404


def test_a_quantity_that_was_changed_last_is_what_is_ordered(store: Flask) -> None:
    client = store.test_client()
    client.post("/basket", data={"gata": "1"})

    path = client.post("/orders", data={"gata": "3"}).location

    assert "3 × 2,200" in client.get(path).text


def test_a_payment_page_speaks_the_language_that_was_chosen_on_it(store: Flask) -> None:
    client = store.test_client()
    path = checkout_of(client, order_of(client, gata="1"))

    page = client.get(f"{path}?language=ru").text

    assert '<html lang="ru">' in page


def test_history_holds_only_the_visitors_own_orders(store: Flask) -> None:
    order_of(store.test_client(), gata="1")

    assert TEXTS["en"]["empty_orders"] in store.test_client().get("/orders").text


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


def test_an_order_keeps_its_price_to_the_dram(store: Flask) -> None:
    order_of(store.test_client(), rug="2", duduk="3")

    with store.app_context():
        assert str(db.session.scalars(db.select(ShopOrder)).one().total) == "316000"


def test_an_order_whose_payment_is_under_way_is_not_to_be_paid_again(store: Flask) -> None:
    client = store.test_client()
    path = order_of(client, thyme="1")
    order_id = path.rpartition("/")[2]
    assert TEXTS["en"]["state_new"] in client.get(path).text
    begin(store, order_id)
    page = client.get(path).text

    assert TEXTS["en"]["note_pending"] in page
    assert TEXTS["en"]["see_payment"] in page
    assert "Pay 1,800" not in page
    assert TEXTS["en"]["state_pending"] in client.get("/orders").text


def test_the_callbacks_are_listed_in_the_order_in_which_they_came(store: Flask) -> None:
    client = store.test_client()
    begin(store, order_of(client, thyme="1").rpartition("/")[2])

    with store.app_context():
        for status in ("failed", "expired", "paid"):
            row: Any = spayon.Callback
            db.session.add(
                row(
                    account="spayon",
                    session_id="S1",
                    status=status,
                    source="callback",
                    verdict="applied",
                    body=b"{}",
                    received_at=datetime.now(timezone.utc),
                )
            )

        db.session.commit()

    assert re.findall(r'badge \w+">(\w+)</span> Source', client.get("/behind-the-scenes").text) == [
        *("failed", "expired", "paid"),
    ]


def begin(store: Flask, order_id: str) -> None:
    """Have a payment of the order under way."""
    now = datetime.now(timezone.utc)

    row: Any = spayon.Payment

    with store.app_context():
        db.session.add(
            row(
                account="spayon",
                gateway="127.0.0.1:9",
                order_id=order_id,
                held_order_id=order_id,
                reference="reference",
                session_id="S1",
                session_url="http://127.0.0.1:9/pay/S1",
                status="pending",
                price=Decimal(1800),
                currency="AMD",
                created_at=now,
                updated_at=now,
                expires_at=now + timedelta(minutes=15),
            )
        )
        db.session.commit()


def test_the_staff_link_says_that_it_is_open_only_in_the_demo(store: Flask) -> None:
    client = store.test_client()

    assert "Staff: open to everybody only in this demo" in client.get("/").text
    assert client.get("/staff/").status_code == 200


def test_the_desk_is_shut_as_soon_as_real_money_moves(open_store: OpenStore) -> None:
    store = open_store(
        SPAYON_CLIENT_ID="real",
        SPAYON_CLIENT_SECRET="real",
        SPAYON_CALLBACK_SECRET="real",
        SPAYON_API_URL="https://api.spayon.io",
        SPAYON_PUBLIC_URL="https://shop.example",
    )
    client = store.test_client()

    assert "Staff" not in client.get("/").text
    assert client.get("/staff/").status_code == 404
