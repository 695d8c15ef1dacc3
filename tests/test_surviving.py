"""Pages of a payer while the database is away: 503, friendly, and with a way to try again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.shop import Shop


PAGES = ["/pay/return?session_id=S1", "/pay/cancel/reference-of-S1-A1"]


@contextmanager
def no_database(shop: Shop) -> Iterator[None]:
    """Let every statement fail."""

    def fail(*_: object) -> None:
        raise OperationalError("SELECT secret", {}, OSError("server closed the connection"))

    with shop.app.app_context():
        engine = shop.db.engine

    event.listen(engine, "before_cursor_execute", fail)

    try:
        yield

    finally:
        event.remove(engine, "before_cursor_execute", fail)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_database_is_a_friendly_503_with_a_way_back(
    shop: Shop, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.add_order()
    shop.add_payment()

    with no_database(shop), caplog.at_level(logging.ERROR, "spayon_flask"):
        page = shop.app.test_client().get(path)

    assert page.status_code == 503
    assert f'href="{path}"' in page.text
    assert "secret" not in page.text
    assert "a page failed: the database does not answer" in caplog.text
    assert shop.app.test_client().get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_an_error_that_is_not_the_databases_is_the_shops_to_see(
    shop: Shop, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add_order()
    shop.add_payment()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    state = shop.app.extensions["spayon"]["spayon"]
    monkeypatch.setattr(state.storage.queries, "find", fail)

    with pytest.raises(ZeroDivisionError):
        shop.app.test_client().get(path)
