"""A shop as gunicorn runs it: `tests.rehearsal.served:create_app()`, with a folder of its own."""

from __future__ import annotations

import os

from flask import Flask

from tests.neighbours.served import db
from tests.neighbours.served import spayon


def create_app() -> Flask:
    """Return the app, set up from the environment."""
    app = Flask(__name__, instance_path=os.environ["SHOP_INSTANCE"])
    app.config.from_prefixed_env()
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    return app
