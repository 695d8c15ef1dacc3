"""What an error report shows: local variables of our frames, which Sentry sends by default."""

import ast
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from traceback import TracebackException
from typing import Any

import pytest
from flask import Flask

import spayon_flask
from spayon_flask import ConfigError, Order, OrderError, Spayon
from spayon_flask.domain.redaction import Hidden, HiddenDict
from spayon_flask.domain.reports import Body
from tests.errors import frames_of
from tests.shop import SECRET, Shop
from tests.signing import signed

TYPED = {"email": "payer@example.com", "full_name": "John Doe"}


class Reports(logging.Handler):
    """Keep our frames of each error in the log, with their variables."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.frames += frames_of(record.exc_info[1])


@pytest.fixture
def reports() -> Iterator[Reports]:
    handler, logger = Reports(), logging.getLogger("spayon_flask")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_what_is_hidden_is_the_same_to_all_but_repr() -> None:
    text, mapping = Hidden("hush"), HiddenDict(email="payer@example.com")

    assert (text, f"{text}", str(text), text + "!") == ("hush", "hush", "hush", "hush!")
    assert type(str(text)) is str
    assert mapping == {"email": "payer@example.com"}
    assert "hush" not in repr([text])
    assert "payer" not in repr((mapping,))


def test_an_error_in_a_checkout_shows_no_secret_and_not_who_pays(
    live_shop: Shop, reports: Reports
) -> None:
    live_shop.add_order()

    @live_shop.spayon.on_details
    def keep(payment: Any, details: Any) -> None:
        # What the shop is given is plain.
        assert dict(details) == TYPED
        raise RuntimeError("no room")

    page = live_shop.app.test_client().post("/pay/checkout/A1", data=TYPED)

    assert page.status_code == 503
    assert len(reports.frames) >= 3
    assert not [
        frame
        for frame in reports.frames
        for secret in ("simulator-secret", SECRET, *TYPED.values())
        if secret in frame
    ]


def test_whatever_hides_in_its_repr_and_sentry_looks_into_hides_from_sentry_too() -> None:
    classes = [
        node
        for path in Path(spayon_flask.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and "def __repr__" in ast.unparse(node)
    ]
    looked_into = [
        each
        for each in classes
        if {ast.unparse(base).split("[")[0] for base in each.bases} & {"NamedTuple", "dict", "list"}
    ]

    assert {each.name for each in looked_into} >= {"Token", "Field", "HiddenDict"}
    assert [each.name for each in looked_into if "__sentry_repr__" not in ast.unparse(each)] == []


def test_the_body_of_a_report_shows_in_no_text() -> None:
    body = Body(b"payer@example.com")

    assert {str(body), f"{body}", repr(body)} == {"Body(17 bytes)"}
    assert bytes(body) == b"payer@example.com"


def test_a_setting_that_is_refused_shows_no_secret(shop: Shop) -> None:
    app = Flask("another")
    app.config.update(shop.app.config, SPAYON_CLIENT_SECRET="hush\n")

    with pytest.raises(ConfigError) as caught:
        Spayon(shop.db).init_app(app)

    assert frames_of(caught.value) != []
    assert not [frame for frame in frames_of(caught.value) if "hush" in frame or SECRET in frame]


@pytest.mark.parametrize("wrong", [{"price": Decimal(0)}, {"email": "payer@example.com" * 20}])
def test_an_order_that_is_refused_shows_not_who_pays(wrong: dict[str, Any]) -> None:
    right = {"order_id": "A1", "product_name": "Tea", "price": Decimal(1), "currency": "AMD"}

    with pytest.raises(OrderError) as caught:
        Order(**{**right, **TYPED, "username": "john", **wrong})

    told = TracebackException.from_exception(caught.value, capture_locals=True)
    # The first frame is this test's, which knows them.
    shown = [str(frame.locals) for frame in told.stack[1:]]
    assert shown
    assert not [text for text in ("payer@example.com", "John Doe", "john") if text in str(shown)]


def test_an_error_in_a_callback_shows_no_signature_and_no_secret(
    shop: Shop, reports: Reports
) -> None:
    from tests.reports import report  # noqa: PLC0415  another `reports`

    shop.add_pending()

    def fail(*_: object) -> None:
        raise RuntimeError("no stock")

    shop.handle = fail
    body = report()

    assert shop.deliver(body) == 500
    assert len(reports.frames) >= 3
    assert not [
        frame for frame in reports.frames if SECRET in frame or signed(body, SECRET) in frame
    ]
