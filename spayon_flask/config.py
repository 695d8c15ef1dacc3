"""Typed values out of a Flask config, with errors that say what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from typing import Protocol
from urllib.parse import urlsplit

from .errors import ConfigError


_MAX_LENGTH = 2000


class TokenCache(Protocol):
    """What is used of a cachelib cache; timeouts are in seconds."""

    def get(self, key: str) -> Any: ...
    def set(self, key: str, value: Any, timeout: int | None = None) -> Any: ...
    def add(self, key: str, value: Any, timeout: int | None = None) -> Any: ...
    def delete(self, key: str) -> Any: ...


class ConfigReader:
    """Take typed values out of a Flask config."""

    def __init__(self, config: Mapping[str, Any], prefix: str) -> None:
        self._config = config
        self._prefix = prefix

    def error(self, key: str, what: str) -> ConfigError:
        """Return the error that names *key* and says *what* to do."""
        return ConfigError(f"{self._prefix}{key} {what}")

    def _get(self, key: str) -> Any:
        value = self._config.get(self._prefix + key)
        return None if value == "" else value

    def text(self, key: str) -> str | None:
        """Return the text under *key*, or None where it is unset or empty."""
        return self._text(key, self._get(key))

    def _text(self, key: str, value: object) -> str | None:
        # from_prefixed_env reads FLASK_SPAYON_CLIENT_ID=123 as a number.
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)

        if value is not None and not isinstance(value, str):
            raise self.error(
                key,
                f"must be text, not {type(value).__name__}: in the environment write '\"...\"'",
            )

        if value is not None and (value != value.strip() or not value.isprintable()):
            raise self.error(key, "must not begin or end with white space, or hold line breaks")

        if value is not None and len(value) > _MAX_LENGTH:
            raise self.error(key, "is too long")

        return value

    def secret(self, key: str) -> str:
        """Return the text under *key*, which must be there."""
        return self._secret(key, self._get(key))

    def _secret(self, key: str, value: object) -> str:
        text = self._text(key, value)

        if not text:
            raise self.error(key, "is missing: copy it from the settings in Spayon's admin panel")

        return text

    def secrets(self, key: str) -> tuple[str, ...]:
        """Return one secret or several, as a tuple."""
        value = self._get(key)

        if not isinstance(value, list | tuple):
            return (self.secret(key),)

        if not value:
            raise self.error(key, "is an empty list: give at least one secret")

        return tuple(self._secret(key, each) for each in value)

    def url(self, key: str) -> str | None:
        """Return a base URL without its trailing slash."""
        value = self.text(key)

        if value is None:
            return None

        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0

        except ValueError:
            usable = False

        if not usable or parts.query or parts.fragment or parts.username or " " in value:
            raise self.error(
                key, "must be a base URL such as https://shop.example, without query or user name"
            )

        return value.rstrip("/")

    def seconds(self, key: str, default: float) -> float:
        """Return a number of seconds."""
        value = self._get(key)
        return default if value is None else self._positive(key, value)

    def timeout(self, key: str) -> tuple[float, float]:
        """Return the seconds to connect and to read."""
        value = self._get(key)

        if value is None:
            return (3.05, 10.0)

        if isinstance(value, list | tuple):
            if len(value) == 2:  # noqa: PLR2004  a pair
                return (self._positive(key, value[0]), self._positive(key, value[1]))

            raise self.error(key, "must be seconds, or a pair: seconds to connect, to read")

        return (self._positive(key, value),) * 2

    def _positive(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number of seconds, not {type(value).__name__}")

        if not 0 < value <= 24 * 3600 or math.isnan(value):
            raise self.error(key, "must be more than 0 and at most a day, in seconds")

        return float(value)

    def cache(self, key: str) -> TokenCache | None:
        """Return an object with the methods of a cachelib cache."""
        value = self._get(key)

        if value is not None and not all(
            callable(getattr(value, name, None)) for name in ("get", "set", "add", "delete")
        ):
            raise self.error(key, "must be a cachelib cache, such as cachelib.RedisCache()")

        return value  # type: ignore[no-any-return]  # a config holds Any

    def names(self, key: str) -> tuple[str, ...] | None:
        """Return a list of names, which may be written with commas."""
        value = self._get(key)

        if isinstance(value, str):
            value = [name.strip() for name in value.split(",")]

        if value is None:
            return None

        if (
            not isinstance(value, list | tuple)
            or not value
            or not all(isinstance(name, str) and name for name in value)
        ):
            raise self.error(key, "must be a list of names, such as visamaster,mir")

        return tuple(value)

    def one_of(self, key: str, names: tuple[str, ...] | None) -> str | None:
        """Return a text that is one of *names*, where there are any."""
        value = self.text(key)

        if value is not None and names is not None and value not in names:
            raise self.error(key, "must be one of AVAILABLE_PAYMENT_METHODS")

        return value

    def zone(self, key: str) -> tzinfo | None:
        """Return a time zone by its name."""
        name = self.text(key)

        if name is None:
            return None

        # Imported for those who set one: it takes longer than most of our own modules.
        from zoneinfo import ZoneInfo  # noqa: PLC0415  on demand

        try:
            return ZoneInfo(name)

        except (LookupError, ValueError, OSError):
            raise self.error(key, "must name a time zone, such as Asia/Yerevan") from None

    def codes(self, key: str) -> Mapping[str, str]:
        """Return a mapping of texts."""
        value = self._get(key)

        if value is None:
            return {}

        if not isinstance(value, dict) or not all(
            isinstance(text, str) for pair in value.items() for text in pair
        ):
            raise self.error(key, "must map our language codes to Spayon's, such as {'hy': 'am'}")

        return dict(value)
