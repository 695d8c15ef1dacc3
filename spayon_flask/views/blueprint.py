"""The blueprint: our routes, and how they get on with the app that they are mounted in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import current_app
from flask import has_request_context
from flask import request
from flask import request_started
from flask.blueprints import BlueprintSetupState
from flask.sansio.app import App
from flask.typing import RouteCallable
from jinja2 import BaseLoader
from jinja2 import Environment
from jinja2 import TemplateNotFound
from jinja2 import defaults

from ..errors import ConfigError
from ..state import Current
from .callback import create_callback
from .checkout import create_checkout
from .pages import page_language
from .payment_pages import create_cancel_page
from .payment_pages import create_return_page
from .rehearsal import create_rehearsal


#: The parts of our own rules, which belong to one page each. Our views ignore all other parts.
_OURS = ("order_id", "reference", "key", "what", "filename")

#: What our templates are written with. Line statements would read some of our lines as their own.
_SYNTAX = {
    "block_start_string": defaults.BLOCK_START_STRING,
    "block_end_string": defaults.BLOCK_END_STRING,
    "variable_start_string": defaults.VARIABLE_START_STRING,
    "variable_end_string": defaults.VARIABLE_END_STRING,
    "comment_start_string": defaults.COMMENT_START_STRING,
    "comment_end_string": defaults.COMMENT_END_STRING,
}

_TEMPLATE = "spayon/return.html"


def create_blueprint(name: str, current: Current) -> Blueprint:
    """Return the routes of the account *name*; *current* returns the state of the app."""
    blueprint = LastResortBlueprint(
        name,
        "spayon_flask",
        static_folder="static",
        # Mounted at the root, plain "/static" would be the shop's own folder.
        static_url_path="/static/spayon",
        template_folder="templates",
    )
    _check_jinja(blueprint)
    callback = create_callback(name, current)

    # For macros.html, which a shop's own pages import without any context of ours.
    blueprint.add_app_template_global(
        lambda code=None: page_language(current(), code), "spayon_language"
    )

    # Spayon must not be redirected: it signs one POST, and follows nothing that we know of.
    blueprint.add_url_rule(
        "/callback", "callback", callback, methods=["POST"], strict_slashes=False
    )
    # A bank may send the payer back by a form of its own, which knows no CSRF token either. Both
    # views change nothing by a POST.
    return_page = create_return_page(current)
    cancel_page = create_cancel_page(current)
    rehearsal = create_rehearsal(current)

    for rule, endpoint, view in (
        ("/checkout/<path:order_id>", "checkout", create_checkout(current)),
        ("/return", "return_page", return_page),
        ("/cancel/<reference>", "cancel_page", cancel_page),
        ('/rehearsal/<key>/<any(callback, "return", cancel):what>', "rehearsal", rehearsal),
    ):
        blueprint.add_url_rule(rule, endpoint, view, methods=["GET", "POST"])

    _stay_in_place(blueprint)
    _exempt(blueprint, callback, return_page, cancel_page, rehearsal)
    return blueprint


class LastResortBlueprint(Blueprint):
    """A blueprint whose templates are taken only if no other blueprint has one of that name.

    Flask asks the app first, and then the blueprints in the order of their registration. A shop
    that overrides our pages in the folder of a blueprint of its own should not have to know that.
    """

    def send_static_file(self, filename: str, **_: object) -> Response:
        """Return a file of ours; the prefix that we are mounted at may have parts of its own."""
        return super().send_static_file(filename)

    @cached_property
    def jinja_loader(self) -> BaseLoader | None:
        """The loader that Flask asks for templates."""
        own = super().jinja_loader
        return None if own is None else _LastResort(own)


class _LastResort(BaseLoader):
    """Load a template by another blueprint's loader of *environment.app*, or else by *own*."""

    def __init__(self, own: BaseLoader) -> None:
        self._own = own

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        app: Flask = environment.app  # type: ignore[attr-defined]  # Flask's Environment has it

        for blueprint in app.iter_blueprints():
            loader = blueprint.jinja_loader

            if loader is None or isinstance(loader, _LastResort):
                continue

            try:
                return loader.get_source(environment, template)

            except TemplateNotFound:
                continue

        return self._own.get_source(environment, template)

    def list_templates(self) -> list[str]:
        return self._own.list_templates()


def _stay_in_place(blueprint: Blueprint) -> None:
    """Have links to *blueprint* keep the parts of the prefix that this request came by.

    A shop that has functions of its own for this (Flask's `url_defaults`) is asked first.
    """

    @blueprint.url_defaults
    def keep(endpoint: str, values: dict[str, Any]) -> None:
        for name, value in (request.view_args or {}).items() if has_request_context() else ():
            if name not in _OURS and current_app.url_map.is_endpoint_expecting(endpoint, name):
                values.setdefault(name, value)


def _exempt(blueprint: Blueprint, callback: RouteCallable, *others: RouteCallable) -> None:
    """Exempt views of *blueprint* from the app's own checks, if it has any.

    Spayon signs its POST, but knows no CSRF token: *callback* and the *others* are exempt from
    Flask-WTF's CSRFProtect. Spayon delivers a callback three times, and a refused one may be the
    last: *callback* is exempt from the limits of Flask-Limiter.
    """

    # Not at registration: the app may set up these extensions later. From its first request on it
    # may not, says Flask; and this signal comes before the checks of that very request.
    @blueprint.record
    def wait(state: BlueprintSetupState) -> None:
        def exempt_now(app: Flask, **_: Any) -> None:
            if (protect := app.extensions.get("csrf")) is not None:
                for view in (callback, *others):
                    protect.exempt(view)

            for limiter in app.extensions.get("limiter", ()):
                limiter.exempt(callback)

            # Afterwards, so that a request beside this one is checked only after this.
            request_started.disconnect(exempt_now)

        request_started.connect(exempt_now, state.app, weak=False)


def _check_jinja(blueprint: Blueprint) -> None:
    """Have the registration of *blueprint* refuse an app whose Jinja cannot show our pages."""

    @blueprint.record
    def check(state: BlueprintSetupState) -> None:
        options = _options_of(state.app)

        for name, ours in _SYNTAX.items():
            if (theirs := options.get(name, ours)) != ours:
                raise ConfigError(
                    f"the app's Jinja has {name} = {theirs!r}, but the payment pages are written "
                    f"with {ours!r}: leave it as it is in app.jinja_options and app.jinja_env, or "
                    "use an overlay of the environment for your own templates"
                )

        escape = options.get("autoescape", state.app.select_jinja_autoescape)

        if not (escape(_TEMPLATE) if callable(escape) else escape):
            raise ConfigError(
                "the app's Jinja does not escape .html templates, so whatever a payer types would "
                "become part of the payment pages: leave autoescape on for names that end in .html"
            )


def _options_of(app: App) -> dict[str, Any]:
    # Not yet made, as a rule; to make it here would keep the app from changing its options.
    made = vars(app).get("jinja_env")
    return dict(app.jinja_options) if made is None else vars(made)
