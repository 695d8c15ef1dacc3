"""URLs: where the commands find the running shop."""

from __future__ import annotations

from flask import current_app

from ..config import ConfigReader
from ..errors import ConfigError
from ..extension import Extension
from ..extension.urls import mounted_as


def callback_path(spayon: Extension) -> str:
    """Return the path of the callback route, below PUBLIC_URL.

    Raises `ConfigError` where the blueprint is not mounted.
    """
    adapter = current_app.url_map.bind("localhost")
    return str(adapter.build(f"{mounted_as(spayon.blueprint)}.callback"))


def callback_url(spayon: Extension, base: str | None = None) -> str:
    """Return the URL of the callback route under *base*, or else under PUBLIC_URL.

    Raises `ConfigError` where neither is known, or *base* is no URL.
    """
    if base is not None:
        base = ConfigReader({"--url": base}, "").url("--url")

    base = base or spayon.settings.public_url

    if base is None:
        raise ConfigError(
            f"{spayon.config_prefix}PUBLIC_URL is missing: set it, or say where the shop runs "
            "with --url http://127.0.0.1:5000"
        )

    return base + callback_path(spayon)
