"""Urls: where Spayon and the payers reach the routes of the blueprint."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from flask import Blueprint, current_app, has_request_context, request
from flask.globals import app_ctx
from werkzeug.routing import BuildError, MapAdapter
from werkzeug.urls import iri_to_uri

from .checkout import Links
from .domain.orders import MAX_TEXT_LENGTH, is_id
from .errors import ConfigError
from .settings import Settings

#: Names by which shops call the part of an address that tells the language.
_LANGUAGE_NAMES = ("lang", "lang_code", "language", "language_code", "locale")

#: What Flask calls the context variable that holds a request.
_REQUEST = "flask.request_ctx"

_Result = TypeVar("_Result")


def vendor_in_address() -> str | None:
    """Return the vendor that the address of the present request names, if there are both."""
    values = (request.view_args or {}) if has_request_context() else {}
    # A number, if the shop has written `<int:vendor>`.
    return str(values["vendor"]) if "vendor" in values else None


def is_part(text: str) -> bool:
    """Return True if *text* can be an id and one part of a URL, which `..` would make another."""
    return is_id(text) and "/" not in text and text not in (".", "..")


class Urls:
    """The links of *blueprint* in the current app, under PUBLIC_URL of *settings*.

    *config_prefix* is that of the settings, for errors that name a key. *vendor* is the part of
    that name in the blueprint's prefix, None if the shop has one account.
    """

    def __init__(
        self, blueprint: Blueprint, settings: Settings, config_prefix: str, vendor: str | None
    ) -> None:
        self._blueprint = blueprint
        self._settings = settings
        self._prefix = config_prefix
        self._vendor = vendor

    def links(self, reference: str, language: str | None = None) -> Links:
        """Return the absolute URLs that Spayon is given for the payment *reference*.

        They are PUBLIC_URL, or SERVER_NAME, or what the request came by; then the blueprint's
        prefix, then the rule; in ASCII. If the prefix has a part for the language, *language* fills
        it outside a request. Raises `ConfigError` if something is unknown.
        """
        base = self._base()
        return Links(
            callback_url=self._build(base, "callback", {}, language),
            return_url=self._build(base, "return_page", {}, language),
            cancel_url=self._build(base, "cancel_page", {"reference": reference}, language),
            base_url=base,
        )

    def path(self, endpoint: str, **values: object) -> str:
        """Return the path of one of the blueprint's endpoints, below PUBLIC_URL.

        Raises `ConfigError` if the blueprint is not mounted, or if a part of its prefix is unknown.
        """
        return urlsplit(self._build("http://localhost", endpoint, values, None)).path

    def without_request(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        """Call *function* as `reconcile` does, wherever that is: in the present app context.

        There is no request, and `url_for` makes links under PUBLIC_URL.
        """
        before = app_ctx.url_adapter

        with suppress(ConfigError):
            app_ctx.url_adapter = self._adapter(self._base())

        # What does not belong to the request goes along: the ids of a trace or of a log, say.
        surroundings = Context()

        for variable, value in copy_context().items():
            if variable.name != _REQUEST:
                surroundings.run(variable.set, value)

        try:
            return surroundings.run(function, *arguments)

        finally:
            app_ctx.url_adapter = before

    def _adapter(self, base: str) -> MapAdapter:
        scheme, host, prefix, *_ = urlsplit(iri_to_uri(base))
        return current_app.url_map.bind(host, script_name=prefix or "/", url_scheme=scheme)

    def _build(
        self, base: str, endpoint: str, values: dict[str, object], language: str | None
    ) -> str:
        name = f"{self._mounted_as()}.{endpoint}"
        adapter = self._adapter(base)
        host = adapter.server_name

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

        # Perhaps this request is about another vendor.
        if self._vendor is not None:
            values["vendor"] = self._vendor

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
        """Return scheme, host and path prefix under which the shop is reached.

        In production PUBLIC_URL is always there, and HTTPS.
        """
        if self._settings.public_url is not None:
            return self._settings.public_url

        server_name = current_app.config["SERVER_NAME"]

        if has_request_context():
            scheme, host, prefix = request.scheme, server_name or request.host, request.root_path

        elif server_name:
            scheme, host = current_app.config["PREFERRED_URL_SCHEME"], server_name
            prefix = current_app.config["APPLICATION_ROOT"]

        else:
            raise ConfigError(
                f"{self._prefix}PUBLIC_URL is missing: outside a request nothing else tells under "
                "which URL the shop is reached"
            )

        # One leading slash: with two, the next part would be read as a host.
        base = f"{scheme}://{host.lower()}/{prefix.strip('/')}".rstrip("/")

        if len(base) > MAX_TEXT_LENGTH:
            raise ConfigError(f"the address of the shop is longer than {MAX_TEXT_LENGTH} letters")

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
