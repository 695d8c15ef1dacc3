"""The desk while the database fails: a page in the person's language in place of a bare 500."""

import logging
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from spayon_flask.domain.languages import NAMES, Language
from tests.kept import dispose
from tests.shop import make_shop
from tests.staff.conftest import Desk
from tests.test_surviving import no_database

PATHS = ["", "/list", "/list?q=A1", "/1", "/1/refund", "/reviews", "/unknown", "/export"]
SENTENCE = (
    "The database gives no usable answer just now. Try again in a minute. If you have sent "
    "a form, look first whether it was recorded. If this page stays, have somebody look "
    "into the shop’s log."
)


@pytest.fixture
def refused() -> Iterator[Desk]:
    """A desk whose database refuses each connection."""
    desk = Desk(make_shop("postgresql+psycopg://nobody@127.0.0.1:9/nothing", fresh=False))
    yield desk
    dispose(desk.shop)


@pytest.mark.parametrize("language", NAMES)
def test_a_database_that_refuses_the_connection_is_said_on_each_page_in_each_language(
    refused: Desk, language: str
) -> None:
    for path in [*PATHS, "/export.csv"]:
        answer = refused.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 503
        assert Language(language).gettext(SENTENCE) in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "nobody" not in answer.text


def test_the_log_says_what_a_lacking_column_needs(
    own_desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture
) -> None:
    desk = own_desk()

    with desk.shop.app.app_context(), desk.shop.db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE spayon_payment DROP COLUMN refunded_price"))

    for path in ("", "/list", "/1", "/export", "/export.csv"):
        with caplog.at_level(logging.ERROR, "spayon_flask"):
            answer = desk.get(path)

        assert answer.status_code == 503, path
        assert SENTENCE in answer.text
        assert "the tables lack a column: run `flask db migrate`" in caplog.text
        caplog.clear()


def test_a_decision_that_cannot_be_recorded_is_no_bare_500_and_the_next_try_counts(
    desk: Desk,
) -> None:
    desk.shop.add_payment(status="review", review="price_differs")
    data = {"csrf_token": desk.token(), "decision": "refuse", "reason": "x"}

    with no_database(desk.shop):
        answer = desk.client.post("/staff/payments/1/decide", data=data)

    assert (answer.status_code, SENTENCE in answer.text) == (503, True)
    assert desk.client.post("/staff/payments/1/decide", data=data).status_code == 303
    assert desk.shop.payment().status == "failed"


def test_an_error_of_another_kind_is_the_shops_to_see(desk: Desk) -> None:
    desk.shop.app.config["PROPAGATE_EXCEPTIONS"] = False
    desk.person.may_settle = lambda: 1 / 0

    assert desk.get("/list").status_code == 500
