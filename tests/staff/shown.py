"""A desk with something on each of its pages, for the browser and for pictures."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from spayon_flask import Order
from tests.kept import dispose
from tests.reports import report
from tests.shop import Clock, Shop, make_shop
from tests.staff.conftest import Person, mount

NOON = datetime(2026, 12, 3, 8, 5, tzinfo=timezone.utc)

GOODS = (
    ("Silver pomegranate pendant", "24900"),
    ("Apricot duduk", "61000"),
    ("Copper jazzve", "12500"),
    ("Mountain thyme, 100 g", "1800"),
)


def make_shown_shop(database_url: str) -> Shop:
    """Return a shop with payments of five weeks, two of them under review, and its desk."""
    fill_shown_shop(database_url)
    return open_shown_shop(database_url)


def fill_shown_shop(database_url: str) -> None:
    """Put the payments into the database."""
    shop = make_shop(database_url, SPAYON_TIMEZONE="Asia/Yerevan")
    _fill(shop)
    dispose(shop)


def open_shown_shop(database_url: str) -> Shop:
    """Return the shop on a database that is filled, and its desk."""
    clock = Clock()
    clock.now = NOON
    # Another app than the one that took the payments: this one can still be set up.
    shop = make_shop(
        database_url,
        fresh=False,
        clock=clock,
        SPAYON_TIMEZONE="Asia/Yerevan",
        SPAYON_SHOP_NAME="Tsaghik Jewellery",
    )
    shop.spayon.dispatcher(lambda _: None)

    @shop.spayon.order_loader
    def load(order_id: str) -> Order:
        return Order(
            order_id=order_id,
            product_name="Tea",
            price=Decimal(1),
            currency="AMD",
            url=f"/orders/{order_id}",
        )

    mount(shop, Person())
    return shop


def _fill(shop: Shop) -> None:
    for number in range(60):
        shop.clock.now = NOON - timedelta(days=35 - number * 0.58, minutes=number * 7)
        _pay(shop, number)

    shop.clock.now = NOON - timedelta(minutes=50)
    _begin(shop, "A-1060", "S1060", 0)
    _tell(shop, "A-1060", "S1060", "failed", 0)
    _begin(shop, "A-1061", "S1061", 1)
    _tell(shop, "A-1061", "S1061", "paid", 1, price="60000")
    _begin(shop, "A-1062", "S1062", 2)
    _tell(shop, "A-1062", "S1062", "paid", 2)
    _begin(shop, "A-1062", "S1063", 2, held_order_id=None)
    _tell(shop, "A-1062", "S1063", "paid", 2)
    shop.deliver(report("S-elsewhere", orderId="MUSEUM-7", price="5000"))
    shop.clock.now = NOON - timedelta(minutes=5)
    _begin(shop, "A-1064", "S1064", 3)


def _pay(shop: Shop, number: int) -> None:
    order_id, session_id = f"A-{1000 + number}", f"S{1000 + number}"
    _begin(shop, order_id, session_id, number)
    _tell(shop, order_id, session_id, "failed" if number % 9 == 8 else "paid", number)


def _begin(shop: Shop, order_id: str, session_id: str, number: int, **values: object) -> None:
    name, price = GOODS[number % len(GOODS)]
    fields: dict[str, object] = {"product_name": name, "price": Decimal(price)}
    shop.add_payment(session_id, order_id, **(fields | values))

    # A payment that holds no order is the second one of its order.
    if not values:
        shop.add_order(order_id, price)


def _tell(
    shop: Shop, order_id: str, session_id: str, status: str, number: int, price: str | None = None
) -> None:
    now = shop.clock()
    body = report(
        session_id,
        status,
        orderId=order_id,
        price=price or GOODS[number % len(GOODS)][1],
        updatedAt=f"{now:%Y-%m-%dT%H:%M:%S}.000Z",
    )
    assert shop.deliver(body) == 200
