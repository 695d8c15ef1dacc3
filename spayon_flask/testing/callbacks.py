"""Callbacks that a test posts to its shop, and how often they have an effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..domain.reports import write_callback
from ..domain.signing import sign
from ..state import AppState, Vendors


def post_callback(
    client: FlaskClient,
    session_id: str,
    status: str = "paid",
    *,
    name: str = "spayon",
    secret: str | None = None,
    **changes: Any,
) -> TestResponse:
    """Post a signed callback about a payment session to the shop of *client*.

    It has the price, currency and order of the payment, as Spayon's would; *changes* replace
    fields under Spayon's names (`price="1"`), None leaves one out. *secret* signs in place of the
    app's own, and "" leaves the signature out. *name* is that of the `Spayon` object.
    """
    app = client.application
    state = state_of(app, name)
    body = _write(app, state, session_id, status, changes)
    headers = {"Content-Type": "application/json"}

    if secret != "":
        headers["X-Signature"] = sign(body, secret or state.settings.callback_secrets[0])

    return client.post(path_of(app, name, "callback"), data=body, headers=headers)


@contextmanager
def happens(count: Callable[[], int], times: int = 1) -> Iterator[None]:
    """Fail unless what is done inside makes *count* grow by *times*.

    *count* returns a number that each effect raises by one: of rows, of mails, of parcels.
    """
    before = count()
    yield
    after = count()

    if after - before != times:
        raise AssertionError(f"expected {times} more, but the count went from {before} to {after}")


@contextmanager
def happens_once(count: Callable[[], int]) -> Iterator[None]:
    """Fail unless what is done inside makes *count* grow by exactly one."""
    with happens(count):
        yield


def state_of(app: Flask, name: str) -> AppState:
    """Return the account *name* in *app*: that of a `Spayon` object, or `vendors/ani`."""
    ours, _, vendor = name.partition("/")
    found = app.extensions.get("spayon", {}).get(ours)

    if isinstance(found, AppState | Vendors):
        with app.app_context():
            return found.of(vendor or None)

    # What is wrong with the settings, if `init_app` was called by a command that goes on without.
    raise LookupError(
        str(found or f"this app has no Spayon object named {name!r}: call init_app(app) first")
    )


def path_of(app: Flask, name: str, endpoint: str, **values: object) -> str:
    """Return the path of an endpoint of the account *name*."""
    with app.app_context():
        return state_of(app, name).urls.path(endpoint, **values)


def _write(
    app: Flask, state: AppState, session_id: str, status: str, changes: dict[str, Any]
) -> bytes:
    now = datetime.now(timezone.utc)
    nobody = SimpleNamespace(
        session_id=session_id,
        product_name=None,
        price=None,
        currency=None,
        created_at=now,
        order_id=None,
    )

    with app.app_context():
        payment = state.storage.queries.find(session_id=session_id) or nobody
        return write_callback(payment, status, now=now, **changes)
