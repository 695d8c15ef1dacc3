"""Typed values out of a Flask config, with errors that say what to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from typing import Protocol
from urllib.parse import urlsplit

from .errors import ConfigError
from .hidden import Hidden
from .orders import is_lazy_text
from .orders import is_link


_MAX_LENGTH = 2000

#: What a list, a tuple or a mapping begins with, and what stands between its parts.
_BRACKETS = ("[", "(", "{")
_COMMAS = ",;"

#: A text, a text for each language code, or a function that is given the code.
ByLanguage = str | Mapping[str, str] | Callable[[str], str]


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
        #: The keys that must be set, and are not.
        self.missing: list[str] = []

    def error(self, key: str, what: str) -> ConfigError:
        """Return the error that names *key* and says *what* to do."""
        return ConfigError(f"{self._prefix}{key} {what}")

    def _get(self, key: str) -> Any:
        value = self._config.get(self._prefix + key)
        return None if value == "" else value

    def text(self, key: str) -> str | None:
        """Return the text under *key*, or None if it is unset or empty."""
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
            self.missing.append(key)
            return ""

        return Hidden(text)

    def secrets(self, key: str) -> tuple[str, ...]:
        """Return one secret or several, as a tuple."""
        value = self._get(key)

        if isinstance(value, str) and (value.startswith(_BRACKETS) or set(value) & set(_COMMAS)):
            raise self.error(
                key,
                "looks like a list that was not read as one. In the environment write "
                f"""FLASK_{self._prefix}{key}='["new", "old"]', in app.config a list of texts; """
                "a single secret with a comma in it goes into a list, too",
            )

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

    def flag(self, key: str, *, default: bool) -> bool:
        """Return True or False."""
        value = self._get(key)

        if value is None:
            return default

        if not isinstance(value, bool):
            raise self.error(key, "must be True or False: in the environment write true or false")

        return value

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
            raise self.error(
                key,
                f"must be a number of seconds, not {type(value).__name__}: in the environment "
                "write 10, or '[3.05, 10]' for a pair",
            )

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
            # JSON that from_prefixed_env could not read, such as one with single quotes.
            value = None if value.startswith(_BRACKETS) else value.split(",")
            value = [name.strip() for name in value or [""]]

        if value is None:
            return None

        if (
            not isinstance(value, list | tuple)
            or not value
            or not all(isinstance(name, str) and name for name in value)
        ):
            raise self.error(
                key,
                "must be a list of names: in the environment write visamaster,mir or "
                """'["visamaster", "mir"]'""",
            )

        return tuple(value)

    def one_of(self, key: str, names: tuple[str, ...] | None) -> str | None:
        """Return a text that is one of *names*, if there are any."""
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
        from zoneinfo import available_timezones  # noqa: PLC0415  on demand

        try:
            return ZoneInfo(name)

        except (LookupError, ValueError, OSError):
            if not available_timezones():
                raise self.error(
                    key,
                    "needs the names of time zones, which this machine lacks: pip install tzdata",
                ) from None

            raise self.error(key, "must name a time zone, such as Asia/Yerevan") from None

    def by_language(self, key: str, *, links: bool = False) -> ByLanguage | None:
        """Return a text, a mapping of texts by language code, or a function; or None.

        With *links* each text must be a URL, or a path from the root of the host.
        """
        value = self._get(key)

        if value is None or callable(value) or is_lazy_text(value):
            # Read anew for each page.
            return value  # type: ignore[no-any-return]  # a config holds Any

        texts = value if isinstance(value, Mapping) else {"": value}

        if not texts or not all(isinstance(code, str) for code in texts):
            raise self.error(key, "must be text, or map language codes to texts: {'hy': '...'}")

        read = {code: self._text(key, text) for code, text in texts.items()}

        if any(not text for text in read.values()):
            raise self.error(key, "holds an empty text")

        if any(text and text.startswith("{") for text in read.values()):
            raise self.error(
                key,
                "looks like a mapping that was not read as one: in the environment write JSON, "
                f"""such as FLASK_{self._prefix}{key}='{{"en": "...", "hy": "..."}}'""",
            )

        if links and not all(is_link(text) for text in read.values()):
            raise self.error(key, "must be a URL such as https://shop.example/, or a path as /")

        return {code: text or "" for code, text in read.items()} if "" not in read else read[""]

    def texts(self, key: str, what: str) -> Mapping[str, str]:
        """Return a mapping of texts; *what* says in an error which to which."""
        value = self._get(key)

        if value is None:
            return {}

        if not isinstance(value, dict) or not all(
            isinstance(text, str) for pair in value.items() for text in pair
        ):
            raise self.error(key, f"must map {what}; in the environment write JSON")

        return dict(value)


def in_language(value: ByLanguage, code: str) -> str:
    """Return the text of *value* for the language *code*, or else its first one."""
    if isinstance(value, Mapping):
        return str(value.get(code) or next(iter(value.values())))

    return str(value(code) if callable(value) else value)
