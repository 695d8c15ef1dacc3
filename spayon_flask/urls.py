"""Urls: where Spayon and the payers reach the routes of the blueprint."""

from __future__ import annotations

from flask import Blueprint
from flask import current_app
from flask import has_request_context
from flask import request

from .checkout import Links
from .errors import ConfigError
from .settings import Settings


class Urls:
    """The links of *blueprint* in the current app, under PUBLIC_URL of *settings*.

    *config_prefix* is that of the settings, for errors that name a key.
    """

    def __init__(self, blueprint: Blueprint, settings: Settings, config_prefix: str) -> None:
        self._blueprint = blueprint
        self._settings = settings
        self._key = f"{config_prefix}PUBLIC_URL"

    def links(self, reference: str) -> Links:
        """Return the absolute URLs that Spayon is given for the payment *reference*.

        They are PUBLIC_URL, or what the request came by, then the blueprint's prefix, then the
        rule. Raises `ConfigError` if neither is known, or if production would get plain HTTP.
        """
        base = self._base()
        return Links(
            callback_url=base + self.path("callback"),
            return_url=base + self.path("return_page"),
            cancel_url=base + self.path("cancel_page", reference=reference),
        )

    def path(self, endpoint: str, **values: object) -> str:
        """Return the path of one of the blueprint's endpoints, below PUBLIC_URL.

        Raises `ConfigError` if the blueprint is not mounted.
        """
        adapter = current_app.url_map.bind("localhost")
        return str(adapter.build(f"{self._mounted_as()}.{endpoint}", values))

    def _base(self) -> str:
        """Return scheme, host and path prefix under which the shop is reached."""
        if self._settings.public_url is not None:
            return self._settings.public_url

        if not has_request_context():
            raise ConfigError(
                f"{self._key} is missing: outside a request nothing else tells under which URL "
                "the shop is reached"
            )

        base = request.root_url.rstrip("/")

        if self._settings.production and not base.startswith("https:"):
            raise ConfigError(
                f"the shop is reached by {base}, but Spayon takes only https URLs in production: "
                f"set {self._key}, or let ProxyFix read the proxy's headers"
            )

        return base

    def _mounted_as(self) -> str:
        """Return the name under which the current app has mounted the blueprint, perhaps nested."""
        for name, mounted in current_app.blueprints.items():
            if mounted is self._blueprint:
                return name

        raise ConfigError(
            f"the blueprint of {self._blueprint.name!r} is not mounted: call "
            "app.register_blueprint(spayon.blueprint, url_prefix='/pay')"
        )
