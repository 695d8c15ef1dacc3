"""Flask-Limiter: the callback is never turned away for coming too often."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from tests.neighbours.shop import Parts, make_app, make_parts, mount
from tests.neighbours.test_flask_wtf import post_callback


def limit(app: Flask) -> None:
    """Limit every view of *app* to two requests an hour."""
    Limiter(get_remote_address, app=app, default_limits=["2 per hour"], storage_uri="memory://")


def first(app: Flask, parts: Parts) -> None:
    """Set up the limiter before everything else."""
    limit(app)
    mount(parts, app)


def last(app: Flask, parts: Parts) -> None:
    """Set up the limiter after everything else."""
    mount(parts, app)
    limit(app)


@pytest.mark.parametrize("set_up", [first, last])
def test_the_callback_has_no_limit_whatever_the_order_of_init(
    set_up: Callable[[Flask, Parts], None],
) -> None:
    app, parts = make_app(), make_parts()
    set_up(app, parts)

    with app.app_context():
        parts.db.create_all()

    client = app.test_client()
    assert {post_callback(client) for _ in range(5)} == {200}


@pytest.mark.parametrize("set_up", [first, last])
def test_a_page_of_the_payer_keeps_the_limit_of_the_shop(
    set_up: Callable[[Flask, Parts], None],
) -> None:
    app, parts = make_app(), make_parts()
    set_up(app, parts)

    with app.app_context():
        parts.db.create_all()

    client = app.test_client()
    codes = [client.get("/pay/cancel/nobody").status_code for _ in range(3)]
    assert codes == [404, 404, 429]
