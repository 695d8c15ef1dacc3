"""Values: what a setting says, read from what a Flask config holds.

Each function raises `ValueError`, which says what to do, if a value makes no sense.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import tzinfo
from typing import Any
from urllib.parse import urlsplit

from .orders import is_link
from .redaction import Hidden

_DAY = 24 * 3600
_BASE_URL = r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?(/[^/?#\s]+)*/?"

#: A text, a text for each language code, or a function that is given the code.
ByLanguage = str | Mapping[str, str] | Callable[[str], str]


def need(fine: object, what: str) -> None:
    """Raise `ValueError` unless a value is *fine*; the message says *what* to do."""
    if not fine:
        raise ValueError(what)


def text(value: Any) -> str:
    """Read a line of text."""
    # from_prefixed_env reads FLASK_SPAYON_CLIENT_ID=123 as a number.
    line = str(value) if type(value) is int else value
    need(isinstance(line, str), f"must be text, not {type(line).__name__}")
    need(line and line == line.strip(), "holds text that is empty, or has white space around it")
    need(line.isprintable(), "must not hold line breaks, no-break spaces or signs that do not show")
    return str(line)


def secret(value: Any) -> str:
    """Read a text that no error report shows."""
    return Hidden(text(value))


def secrets(value: Any) -> tuple[str, ...]:
    """Read one secret, or a list."""
    return tuple(map(secret, value if isinstance(value, list | tuple) else [value]))


def names(value: Any) -> tuple[str, ...]:
    """Read a list, or text with commas."""
    found = [each.strip() for each in value.split(",")] if isinstance(value, str) else value
    need(isinstance(found, list | tuple) and all(found), "must be a list of names: visamaster,mir")
    return tuple(map(text, found))


def url(value: Any) -> str:
    """Read a base URL, and drop its trailing slash."""
    line, usable = text(value), False

    # A port beyond 65535 raises, as odd brackets do.
    with suppress(ValueError):
        usable = re.fullmatch(_BASE_URL, line) is not None and urlsplit(line).port != 0

    need(usable, "must be a base URL such as https://shop.example, without query or user name")
    return line.rstrip("/")


def link(value: Any) -> str:
    """Read what a link of a page may lead to."""
    need(is_link(value), "must be a URL such as https://shop.example/, or a path as /")
    return text(value)


def flag(value: Any) -> bool:
    """Read True or False."""
    need(isinstance(value, bool), "must be True or False: in the environment write true or false")
    return bool(value)


def seconds(value: Any) -> float:
    """Read a number of seconds."""
    need(type(value) in (int, float), "must be a number of seconds, or '[3.05, 10]' for a pair")
    # Not a number is not less than anything.
    need(0 < value <= _DAY, "must be more than 0 and at most a day, in seconds")
    return float(value)


def time_outs(value: Any) -> tuple[float, float]:
    """Read the seconds to connect and to read; one number may stand for both."""
    pair = value if isinstance(value, list | tuple) else (value, value)
    need(len(pair) == 2, "must be seconds, or a pair: seconds to connect, to read")  # noqa: PLR2004  a pair
    return seconds(pair[0]), seconds(pair[1])


def cache(value: Any) -> Any:
    """Read a cachelib cache."""
    has_methods = all(hasattr(value, name) for name in ("get", "set", "add", "delete"))
    need(has_methods, "must be a cachelib cache, such as cachelib.RedisCache()")
    return value


def zone(value: Any) -> tzinfo:
    """Read the name of a time zone."""
    # Imported for those who set one: it takes longer than most of our own modules.
    from zoneinfo import ZoneInfo  # noqa: PLC0415  on demand

    with suppress(LookupError, ValueError, OSError):
        return ZoneInfo(text(value))

    # A machine that knows no zones lacks tzdata.
    raise ValueError("must name a time zone, such as Asia/Yerevan; if it does, install tzdata")


def texts(value: Any, read: Callable[[Any], str] = text) -> Mapping[str, str]:
    """Read a mapping of texts, each with *read*."""
    need(isinstance(value, Mapping), "must map texts to texts; in the environment write JSON")
    return {text(name): read(each) for name, each in value.items()}


def by_language(value: Any, read: Callable[[Any], str] = text) -> ByLanguage:
    """Read a text with *read*, or one for each language; a function is asked for each page."""
    if callable(value):
        return value  # type: ignore[no-any-return]  # a config holds Any

    return texts(value, read) if isinstance(value, Mapping) else read(value)


def links(value: Any) -> ByLanguage:
    """Read a link, or one for each language."""
    return by_language(value, link)


def in_language(value: ByLanguage | None, code: str) -> str | None:
    """Return the text of *value* for the language *code*, or else its first one."""
    if isinstance(value, Mapping):
        return value.get(code) or next(iter(value.values()))

    return str(value(code)) if callable(value) else value
