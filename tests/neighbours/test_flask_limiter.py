"""Flask-Limiter: the callback is never turned away for coming too often."""

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from spayon_flask.testing import post_callback
from tests.neighbours.conftest import Beside


def limit(app: Flask) -> None:
    """Limit every view of *app* to two requests an hour."""
    Limiter(get_remote_address, app=app, default_limits=["2 per hour"], storage_uri="memory://")


def test_the_callback_has_no_limit_and_a_page_of_the_payer_has_the_shop_s(beside: Beside) -> None:
    app, _ = beside(limit)
    client = app.test_client()

    assert {post_callback(client, "S1").status_code for _ in range(5)} == {200}
    codes = [client.get("/pay/cancel/nobody").status_code for _ in range(3)]
    assert codes == [404, 404, 429]
