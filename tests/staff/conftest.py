"""A shop with its desk, and a person in front of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.databases import ENGINES
from tests.kept import KeptShops
from tests.shop import Shop, make_shop


@dataclass
class Person:
    """Who sits at the desk: what the shop says of the person on each request."""

    allowed: Any = True
    may_settle: Any = True
    name: Any = "Ani"


@dataclass
class Desk:
    """The desk of *shop* at `/staff/payments`, and the *person* who asks."""

    shop: Shop
    person: Person = field(default_factory=Person)
    mounted: bool = False

    def __post_init__(self) -> None:
        if not self.mounted:
            mount(self.shop, self.person)

        self.client: FlaskClient = self.shop.app.test_client()

    def get(self, path: str = "", **options: Any) -> TestResponse:
        """Open a page of the desk."""
        return self.client.get(f"/staff/payments{path}", **options)

    def token(self) -> str:
        """Return a token for forms, from a page that has one."""
        self.shop.add_payment(f"T{id(self)}", order_id="token", held_order_id=None)
        payment = self.shop.payment(f"T{id(self)}")
        page = self.get(f"/{payment.id}").text
        with self.shop.app.app_context():
            self.shop.db.session.delete(
                self.shop.db.session.get(self.shop.spayon.Payment, payment.id)
            )
            self.shop.db.session.commit()

        return csrf_token(page)

    def post(self, path: str, **data: str) -> TestResponse:
        """Send a form of the desk, with its token."""
        return self.client.post(f"/staff/payments{path}", data={"csrf_token": self.token()} | data)


def csrf_token(page: str) -> str:
    """Return the token of the first form on *page*."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def mount(shop: Shop, person: Person) -> None:
    """Mount the desk of *shop* for *person*."""

    def answer(value: Any) -> Any:
        return value() if callable(value) else value

    shop.app.register_blueprint(
        shop.spayon.staff(
            allowed=lambda: answer(person.allowed),
            may_settle=lambda: answer(person.may_settle),
            who=lambda: answer(person.name),
        ),
        url_prefix="/staff/payments",
    )


def make_desk_shop(database_url: str) -> Shop:
    """Return a shop with a desk, to be kept."""
    shop = make_shop(database_url)
    person = Person()
    mount(shop, person)
    shop.app.extensions["person"] = person
    return shop


def kept_desk(kept: KeptShops, engine: str) -> Desk:
    """Return the kept desk of an engine, with the usual person in front of it."""
    shop = kept.shop(engine, make_desk_shop)
    person = shop.app.extensions["person"]
    vars(person).update(vars(Person()))
    return Desk(shop, person, mounted=True)


@pytest.fixture
def desk(kept: KeptShops) -> Desk:
    """A desk of a shop on SQLite."""
    return kept_desk(kept, "memory")


@pytest.fixture(params=ENGINES)
def any_desk(request: pytest.FixtureRequest, kept: KeptShops) -> Desk:
    """A desk of a shop on each of the three engines."""
    return kept_desk(kept, request.param)


@pytest.fixture
def own_desk(own_shop: Callable[..., Shop]) -> Callable[..., Desk]:
    """Return a function that makes a desk of a shop with other settings, for this test alone."""
    return lambda *arguments, **config: Desk(own_shop(*arguments, **config))
