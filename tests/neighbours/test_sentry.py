"""Sentry: what it sends of our frames, with their variables as it writes them."""

import json
import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.testing import post_callback
from tests.shop import SECRET, Shop

TYPED: dict[str, Any] = {"email": "payer@example.com", "full_name": "John Doe"}
HUSHED = ("simulator-secret", SECRET, "eyJ", *TYPED.values())


class Sentry(logging.Handler):
    """Take each error of our loggers to Sentry, which nothing leaves."""

    def __init__(self) -> None:
        super().__init__()
        sdk: Any = import_module("sentry_sdk")
        self.utils: Any = import_module("sentry_sdk.utils")
        self.client = sdk.Client(
            dsn="http://public@127.0.0.1:9/1",
            default_integrations=False,
            send_client_reports=False,
            before_send=lambda event, _: self.sent.append(json.dumps(event)),
        )
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.capture(record.exc_info[1])

    def capture(self, error: BaseException) -> None:
        """Send *error* as Sentry's own integrations do."""
        event, hint = self.utils.event_from_exception(error, client_options=self.client.options)
        self.client.capture_event(event, hint)

    def hushed(self) -> list[str]:
        """Return what was told although it may not be."""
        return [text for text in HUSHED if any(text in each for each in self.sent)]


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    handler, logger = Sentry(), logging.getLogger("spayon_flask")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    handler.client.close()


def fail(*_: object) -> None:
    raise RuntimeError("no room")


def test_an_error_in_a_checkout_tells_no_secret_and_not_who_pays(
    live_shop: Shop, sentry: Sentry
) -> None:
    live_shop.add_order()
    live_shop.spayon.on_details(fail)

    page = live_shop.app.test_client().post("/pay/checkout/A1", data=TYPED)

    assert page.status_code == 503
    assert sentry.sent
    assert sentry.hushed() == []


@pytest.mark.parametrize("fault", ["html", "error", "truncated"])
def test_an_error_of_the_gateway_tells_no_secret_and_not_who_pays(
    live_shop: Shop, sim: Simulator, sentry: Sentry, fault: str
) -> None:
    live_shop.add_order()
    sim.fault(fault, on="sessions", code=403, times=None)

    page = live_shop.app.test_client().post("/pay/checkout/A1", data=TYPED)

    assert page.status_code >= 500
    assert sentry.hushed() == []


def test_an_error_in_a_callback_tells_nothing_of_its_body(
    live_shop: Shop, sim: Simulator, sentry: Sentry
) -> None:
    live_shop.add_pending("S1")
    live_shop.handle = fail
    client = live_shop.app.test_client()

    assert post_callback(client, "S1", payerEmail=TYPED["email"]).status_code == 500
    assert sentry.sent
    assert sentry.hushed() == []
