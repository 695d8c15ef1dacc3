"""Neighbours: what other extensions must not do to our routes, and where templates come from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import request_started
from flask.blueprints import BlueprintSetupState
from flask.typing import RouteCallable
from jinja2 import BaseLoader
from jinja2 import Environment
from jinja2 import TemplateNotFound


def exempt(blueprint: Blueprint, callback: RouteCallable, *others: RouteCallable) -> None:
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
