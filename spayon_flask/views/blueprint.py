"""The blueprint: our routes, and how they get on with the app that they are mounted in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    has_request_context,
    request,
)
from flask.blueprints import BlueprintSetupState
from jinja2 import BaseLoader, DictLoader, Environment, TemplateNotFound, TemplateSyntaxError

from ..domain.orders import is_link
from ..errors import ConfigError
from ..state import Current
from .callback import create_callback
from .checkout import create_checkout
from .forms import before_first_request
from .pages import page_language, protect_pages
from .payment_pages import create_cancel_page, create_return_page

#: The parts of our own rules, which belong to one page each. Our views ignore all other parts.
_OURS = ("order_id", "reference", "filename")

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
    blueprint.record(_check_jinja)
    blueprint.before_request(_check_prefix)
    callback = create_callback(current)

    # For macros.html, which a shop's own pages import without any context of ours.
    blueprint.add_app_template_global(
        lambda code=None: page_language(current(bare=True), code), "spayon_language_of"
    )

    # Spayon must not be redirected: it signs one POST, and follows nothing that we know of.
    blueprint.add_url_rule(
        "/callback", "callback", callback, methods=["POST"], strict_slashes=False
    )
    # A bank may send the payer back by a form of its own, which knows no CSRF token either. Both
    # views change nothing by a POST.
    return_page = create_return_page(current)
    cancel_page = create_cancel_page(current)
    # This view looks at the token itself: it shows a form that is too old again, filled.
    checkout = create_checkout(current)

    for rule, endpoint, view in (
        ("/checkout/<path:order_id>", "checkout", checkout),
        ("/return", "return_page", return_page),
        ("/cancel/<reference>", "cancel_page", cancel_page),
    ):
        blueprint.add_url_rule(rule, endpoint, view, methods=["GET", "POST"])

    def exempt(app: Flask) -> None:
        if (protect := app.extensions.get("csrf")) is not None:
            for view in (callback, checkout, return_page, cancel_page):
                protect.exempt(view)

        # Spayon delivers a callback three times, and the one that is refused may be the last.
        for limiter in app.extensions.get("limiter", ()):
            limiter.exempt(callback)

    before_first_request(blueprint, exempt)
    _complete_links(blueprint)
    protect_pages(blueprint)
    return blueprint


def _check_prefix() -> None:
    """Refuse a request whose path prefix would make links that lead to another host.

    A proxy may pass on an X-Forwarded-Prefix that a stranger wrote.
    """
    if request.root_path and not is_link(request.root_path):
        abort(404)


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


def _complete_links(blueprint: Blueprint) -> None:
    """Have links to *blueprint* keep the parts of the prefix that this request came by.

    A shop that has functions of its own for this (Flask's `url_defaults`) is asked first. Links to
    static files name their contents: a cache may keep them for a year.
    """

    @blueprint.url_defaults
    def complete(endpoint: str, values: dict[str, Any]) -> None:
        for name, value in (request.view_args or {}).items() if has_request_context() else ():
            if name not in _OURS and current_app.url_map.is_endpoint_expecting(endpoint, name):
                values.setdefault(name, value)

        if endpoint.endswith(".static"):
            values.setdefault("v", _version(values["filename"]))


@cache
def _version(filename: str) -> str | None:
    path = Path(__file__).parent.parent / "static" / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8] if path.is_file() else None


def _check_jinja(state: BlueprintSetupState) -> None:
    """Raise `ConfigError` if the app's Jinja reads our pages otherwise than they were written.

    Either its signs are others, or what a payer types would become part of the page.
    """
    probe = DictLoader({_TEMPLATE: "{# #}{% if true %}{{ '<' }}{% endif %}"})
    # If the app has none yet: to make the app's own would keep the app from changing its options.
    options = {"autoescape": state.app.select_jinja_autoescape, **state.app.jinja_options}
    environment = vars(state.app).get("jinja_env") or Environment(**options)  # noqa: S701  the app's
    environment = environment.overlay(loader=probe, bytecode_cache=None)

    try:
        shown = environment.get_template(_TEMPLATE).render()

    except TemplateSyntaxError:
        shown = ""

    if shown != "&lt;":
        raise ConfigError(
            "the app's Jinja cannot show the payment pages: in app.jinja_options and app.jinja_env "
            "leave autoescape on for names that end in .html, and the signs {{ }}, {% %} and {# #} "
            "as they are, or use an overlay of the environment for your own templates"
        )
