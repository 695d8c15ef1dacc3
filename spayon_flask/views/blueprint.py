"""The blueprint: our routes, and how they get on with the app that they are mounted in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
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
    request_started,
)
from flask.blueprints import BlueprintSetupState
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    TemplateSyntaxError,
)

from ..domain.orders import is_link
from ..errors import ConfigError
from ..state import Current
from .callback import create_callback
from .checkout import create_checkout
from .pages import page_language
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
    _protect_pages(blueprint)
    return blueprint


def before_first_request(blueprint: Blueprint, act: Callable[[Flask], None]) -> None:
    """Have *act* called once for each app that *blueprint* is registered in, at its first request.

    Not at registration, since the app may set up its extensions later. From the first request on
    Flask forbids that; and the signal comes before the extensions check that very request.
    """

    @blueprint.record
    def wait(state: BlueprintSetupState) -> None:
        def act_now(app: Flask, **_: Any) -> None:
            act(app)
            # Afterwards, so that a request beside this one is checked only after this.
            request_started.disconnect(act_now)

        request_started.connect(act_now, state.app, weak=False)


def _protect_pages(blueprint: Blueprint) -> None:
    """Have each answer of *blueprint* tell browsers what to keep, to guess and to frame: nothing.

    A header that the shop has set, by `after_request` of the blueprint or of the app, is kept.
    """

    @blueprint.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")

        if not (request.endpoint or "").endswith(".static"):
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")

        return response


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
    def jinja_loader(self) -> BaseLoader:
        """The loader that Flask asks for templates."""
        return _LastResort([FileSystemLoader(Path(self.root_path) / "templates")])


class _LastResort(ChoiceLoader):
    """Load a template by the loaders of the other blueprints of the app, or else by ours."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        app: Flask = environment.app  # type: ignore[attr-defined]  # Flask's Environment has it
        loaders = [blueprint.jinja_loader for blueprint in app.iter_blueprints()]
        theirs = [each for each in loaders if each and not isinstance(each, _LastResort)]
        return ChoiceLoader([*theirs, *self.loaders]).get_source(environment, template)


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
    shown = ""

    with suppress(TemplateSyntaxError):
        shown = environment.get_template(_TEMPLATE).render()

    if shown != "&lt;":
        raise ConfigError(
            "the app's Jinja cannot show the payment pages: in app.jinja_options and app.jinja_env "
            "leave autoescape on for names that end in .html, and the signs {{ }}, {% %} and {# #} "
            "as they are, or use an overlay of the environment for your own templates"
        )
