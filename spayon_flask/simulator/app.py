"""The simulator's web app: the imitated API, the hosted page, the controls, the inspector."""

from flask import Flask
from flask import Response
from flask import jsonify
from werkzeug.exceptions import HTTPException

from . import api
from . import payment_page
from .gateway import Gateway
from .guard import protect


def create_app(gateway: Gateway) -> Flask:
    """Return an app that is *gateway* for whoever calls it."""
    app = Flask(__name__, static_url_path="/_simulator/static")
    app.extensions["simulator"] = gateway
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(api.blueprint)
    app.register_blueprint(payment_page.blueprint)
    protect(app)
    app.register_error_handler(HTTPException, _say_why)
    return app


def _say_why(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.name, message=error.description), error.code or 500
