"""Urls: where Spayon and the payers reach the routes of the blueprint."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from flask import Blueprint
from flask import current_app
from flask import has_request_context
from flask import request
from werkzeug.routing import BuildError
from werkzeug.urls import iri_to_uri

from .checkout import Links
from .errors import ConfigError
from .settings import Settings


#: Names by which shops call the part of an address that tells the language.
_LANGUAGE_NAMES = ("lang", "lang_code", "language", "language_code", "locale")


class Urls:
    """The links of *blueprint* in the current app, under PUBLIC_URL of *settings*.

    *config_prefix* is that of the settings, for errors that name a key.
    """

    def __init__(self, blueprint: Blueprint, settings: Settings, config_prefix: str) -> None:
        self._blueprint = blueprint
        self._settings = settings
        self._prefix = config_prefix

    def links(self, reference: str, language: str | None = None) -> Links:
        """Return the absolute URLs that Spayon is given for the payment *reference*.

        They are PUBLIC_URL, or SERVER_NAME, or what the request came by; then the blueprint's
        prefix, then the rule; in ASCII. If the prefix has a part for the language, *language* fills
        it outside a request. Raises `ConfigError` if something is unknown, or if production would
        get plain HTTP.
        """
        base = self._base()
        return Links(
            callback_url=self._build(base, "callback", {}, language),
            return_url=self._build(base, "return_page", {}, language),
            cancel_url=self._build(base, "cancel_page", {"reference": reference}, language),
        )

    def path(self, endpoint: str, **values: object) -> str:
        """Return the path of one of the blueprint's endpoints, below PUBLIC_URL.

        Raises `ConfigError` if the blueprint is not mounted, or if a part of its prefix is unknown.
        """
        return urlsplit(self._build("http://localhost", endpoint, values, None)).path

    def _build(
        self, base: str, endpoint: str, values: dict[str, object], language: str | None
    ) -> str:
        name = f"{self._mounted_as()}.{endpoint}"
        scheme, host, prefix, *_ = urlsplit(iri_to_uri(base))
        adapter = current_app.url_map.bind(host, script_name=prefix or "/", url_scheme=scheme)

        try:
            url = adapter.build(name, self._complete(name, values, language), force_external=True)

        except BuildError as error:
            raise ConfigError(f"there is no address for {name}: {error}") from None

        # PUBLIC_URL may name the subdomain that the blueprint is mounted on, or leave it out.
        parts = urlsplit(url)
        subdomain = parts.netloc.removesuffix(host)
        return urlunsplit(parts._replace(netloc=host)) if host.startswith(subdomain) else url

    def _complete(
        self, name: str, given: dict[str, object], language: str | None
    ) -> dict[str, Any]:
        """Return *given* with the values that the blueprint's prefix needs."""
        values = dict(given)

        # The shop's own functions may need a request.
        with suppress(Exception):
            current_app.inject_url_defaults(name, values)

        rule = next(current_app.url_map.iter_rules(name))

        for part in rule.arguments - set(rule.defaults or ()) - set(values):
            if part in _LANGUAGE_NAMES and language is not None:
                values[part] = language

            elif part in self._settings.url_values:
                values[part] = self._settings.url_values[part]

            else:
                raise ConfigError(
                    f"the blueprint is mounted at {rule.rule}, and outside a request nothing tells "
                    f"<{part}>: set {self._prefix}URL_VALUES to {{{part!r}: ...}}"
                )

        return values

    def _base(self) -> str:
        """Return scheme, host and path prefix under which the shop is reached."""
        if self._settings.public_url is not None:
            return self._settings.public_url

        server_name = current_app.config["SERVER_NAME"]
        key = f"{self._prefix}PUBLIC_URL"

        if has_request_context():
            scheme, host, prefix = request.scheme, server_name or request.host, request.root_path

        elif server_name:
            scheme, host = current_app.config["PREFERRED_URL_SCHEME"], server_name
            prefix = current_app.config["APPLICATION_ROOT"]

        else:
            raise ConfigError(
                f"{key} is missing: outside a request nothing else tells under which URL the shop "
                "is reached"
            )

        base = f"{scheme}://{host}{prefix}".rstrip("/")

        if self._settings.production and scheme != "https":
            raise ConfigError(
                f"the shop is reached by {base}, but Spayon takes only https URLs in production: "
                f"set {key}, or let ProxyFix read the proxy's headers"
            )

        return base

    def _mounted_as(self) -> str:
        """Return the name under which the current app has mounted the blueprint, perhaps nested."""
        names = [name for name, each in current_app.blueprints.items() if each is self._blueprint]

        # It may be mounted more than once: a payer stays where he is.
        if has_request_context() and request.blueprint in names:
            return request.blueprint

        if names:
            return names[0]

        raise ConfigError(
            f"the blueprint of {self._blueprint.name!r} is not mounted: call "
            "app.register_blueprint(spayon.blueprint, url_prefix='/pay')"
        )
