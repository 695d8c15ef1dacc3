"""URLs: where the world reaches the blueprint."""

from __future__ import annotations

from flask import Blueprint
from flask import current_app
from flask import has_request_context
from flask import request

from ..checkout import Links
from ..errors import ConfigError
from ..settings import Settings


def links(blueprint: Blueprint, settings: Settings, config_prefix: str, reference: str) -> Links:
    """Return the absolute URLs of *blueprint* for the payment *reference*.

    They are PUBLIC_URL, or what the request came by, then the blueprint's prefix, then the rule.
    Raises `ConfigError` where neither is known, or where production would get plain HTTP.
    """
    base = public_url(settings, config_prefix)
    name = mounted_as(blueprint)
    adapter = current_app.url_map.bind("localhost")

    def absolute(endpoint: str, **values: object) -> str:
        return base + str(adapter.build(f"{name}.{endpoint}", values))

    return Links(
        callback_url=absolute("callback"),
        return_url=absolute("return_page"),
        cancel_url=absolute("cancel_page", reference=reference),
    )


def public_url(settings: Settings, config_prefix: str) -> str:
    """Return scheme, host and path prefix under which the shop is reached."""
    if settings.public_url is not None:
        return settings.public_url

    if not has_request_context():
        raise ConfigError(
            f"{config_prefix}PUBLIC_URL is missing: outside a request nothing else tells under "
            "which URL the shop is reached"
        )

    base = request.root_url.rstrip("/")

    if settings.production and not base.startswith("https:"):
        raise ConfigError(
            f"the shop is reached by {base}, but Spayon takes only https URLs in production: set "
            f"{config_prefix}PUBLIC_URL, or let ProxyFix read the proxy's headers"
        )

    return base


def mounted_as(blueprint: Blueprint) -> str:
    """Return the name under which the current app has mounted *blueprint*, perhaps nested."""
    for name, mounted in current_app.blueprints.items():
        if mounted is blueprint:
            return name

    raise ConfigError(
        f"the blueprint of {blueprint.name!r} is not mounted: call "
        "app.register_blueprint(spayon.blueprint, url_prefix='/pay')"
    )
