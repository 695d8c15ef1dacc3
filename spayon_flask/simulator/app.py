"""The simulator's web app: the imitated API, the hosted page, the controls, the inspector."""

from flask import Flask
from flask import jsonify
from flask import render_template
from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from . import api
from . import commands
from . import inspector
from . import payment_page
from .controls import Controls
from .guard import protect


def create_app(gateway: Controls) -> Flask:
    """Return an app that is *gateway* for whoever calls it."""
    app = Flask(__name__, static_url_path="/_simulator/static")
    app.extensions["simulator"] = gateway
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(api.blueprint)
    app.register_blueprint(payment_page.blueprint)
    app.register_blueprint(commands.blueprint)
    app.register_blueprint(inspector.blueprint)
    protect(app)
    app.register_error_handler(HTTPException, _say_why)
    return app


def _say_why(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response

    if "text/html" in request.headers.get("Accept", ""):
        return render_template("simulator/error.html", error=error), error.code or 500

    return jsonify(error=error.description), error.code or 500
