"""Settings: the SPAYON_* configuration, checked once, when the app starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta
from datetime import tzinfo
from typing import Any
from urllib.parse import urlsplit

from .config import ByLanguage
from .config import ConfigReader
from .config import TokenCache
from .config import in_language
from .errors import ConfigError


# Relies on: base-urls
#: API base URLs (Spayon's documentation, environments).
API_URLS = {
    "production": "https://api.spayon.io",
    "staging": "http://staging-spayon-api.eu-north-1.elasticbeanstalk.com",
}

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One vendor account, as the shop configured it. No secret shows in its repr."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    callback_secrets: tuple[str, ...] = field(repr=False)
    environment: str
    api_url: str
    public_url: str | None
    url_values: Mapping[str, str]
    production: bool
    timeout: tuple[float, float]
    status_interval: timedelta
    token_cache: TokenCache | None = field(repr=False)
    language: str | None
    language_codes: Mapping[str, str]
    available_payment_methods: tuple[str, ...] | None
    default_payment_method: str | None
    ask_details: bool
    support: str | None
    shop_name: ByLanguage | None
    shop_url: ByLanguage | None
    timezone: tzinfo | None

    @classmethod
    def from_config(cls, config: Mapping[str, Any], prefix: str = "SPAYON_") -> Settings:
        """Read the keys of *config* that begin with *prefix*.

        Raises `ConfigError`, which names the key and says what to do.
        """
        read = ConfigReader(config, prefix)
        environment = read.text("ENVIRONMENT")

        if environment not in (None, *API_URLS):
            raise read.error("ENVIRONMENT", "must be 'production' or 'staging'")

        api_url = read.url("API_URL")
        loopback = api_url is not None and urlsplit(api_url).hostname in _LOOPBACK

        # A simulator is development, unless the shop says production in so many words.
        production = environment == "production" or (environment is None and not loopback)

        if production and api_url and not loopback and not api_url.startswith("https:"):
            raise read.error(
                "API_URL", "must be https in production; for a test system set ENVIRONMENT=staging"
            )

        public_url = read.url("PUBLIC_URL")

        if production and public_url and not public_url.startswith("https:"):
            raise read.error("PUBLIC_URL", "must be https: Spayon calls nothing else in production")

        made = cls(
            client_id=read.secret("CLIENT_ID"),
            client_secret=read.secret("CLIENT_SECRET"),
            callback_secrets=read.secrets("CALLBACK_SECRET"),
            environment=environment or "production",
            api_url=api_url or API_URLS[environment or "production"],
            public_url=public_url,
            url_values=read.texts("URL_VALUES", "parts of the address to values: {'lang': 'en'}"),
            production=production,
            timeout=read.timeout("TIMEOUT"),
            status_interval=timedelta(seconds=read.seconds("STATUS_INTERVAL", 5)),
            token_cache=read.cache("TOKEN_CACHE"),
            language=read.text("LANGUAGE"),
            language_codes=read.texts("LANGUAGE_CODES", "our codes to Spayon's: {'hy': 'am'}"),
            available_payment_methods=(methods := read.names("AVAILABLE_PAYMENT_METHODS")),
            default_payment_method=read.one_of("DEFAULT_PAYMENT_METHOD", methods),
            ask_details=read.flag("ASK_DETAILS", default=True),
            support=read.text("SUPPORT"),
            shop_name=read.by_language("SHOP_NAME"),
            shop_url=read.by_language("SHOP_URL", links=True),
            timezone=read.zone("TIMEZONE"),
        )

        # Flask's own keys: with one of them the host of a request is one of the shop's.
        bounded = config.get("TRUSTED_HOSTS") or config.get("SERVER_NAME")

        if production and not public_url and not bounded:
            read.missing.append("PUBLIC_URL")

        check_missing(read.missing, prefix)
        return made

    def shop_name_for(self, code: str) -> str | None:
        """Return the shop's name in the language *code*: SHOP_NAME, else the host of PUBLIC_URL.

        None if neither is set. A language that SHOP_NAME lacks gets its first entry.
        """
        if self.shop_name is not None:
            return in_language(self.shop_name, code)

        return None if self.public_url is None else urlsplit(self.public_url).netloc

    def shop_url_for(self, code: str) -> str | None:
        """Return where "back to the shop" leads in the language *code*, or None if it is unset."""
        return None if self.shop_url is None else in_language(self.shop_url, code)

    @property
    def support_url(self) -> str | None:
        """The link of SUPPORT: `https:`, `mailto:` or `tel:`; None if SUPPORT is other text."""
        text = self.support or ""

        if text.startswith(("https://", "http://", "mailto:", "tel:")):
            return text

        if re.fullmatch(r"[^@\s/?#]+@[^@\s/?#]+", text):
            return f"mailto:{text}"

        if re.fullmatch(r"\+?[0-9][0-9 ()./-]{3,}", text):
            return "tel:" + re.sub(r"[^0-9+]", "", text)

        return None

    @property
    def simulated(self) -> bool:
        """Whether payments go to a stand-in on this very machine."""
        return urlsplit(self.api_url).hostname in _LOOPBACK


def check_missing(
    keys: Sequence[str], prefix: str, environ: Mapping[str, str] | None = None
) -> None:
    """Raise `ConfigError` if there are *keys*; it says where each of them may be found.

    *environ* is looked at for what never reached the config. Values are not shown.
    """
    if not keys:
        return

    keys = list(dict.fromkeys(keys))
    names = [prefix + key for key in keys]
    hints = [_hint(name, os.environ if environ is None else environ) for name in names]
    raise ConfigError(f"{_list(names)} missing{_where(keys)}{''.join(hints)}")


def _list(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is"

    return f"{', '.join(names[:-1])} and {names[-1]} are"


def _where(keys: Sequence[str]) -> str:
    """Return a hint where to get the values of *keys*."""
    copied = [key for key in keys if key != "PUBLIC_URL"]
    says = []

    if copied:
        what = "it" if len(keys) == 1 else "them" if len(copied) == len(keys) else "the secrets"
        says.append(f"copy {what} from the settings in Spayon's admin panel")

    if "PUBLIC_URL" in keys:
        says.append(
            "set PUBLIC_URL to the address of the shop, such as https://shop.example. In "
            "production the Host header of a request could name a stranger's address (Flask's own "
            "TRUSTED_HOSTS or SERVER_NAME serve as well)"
        )

    return ": " + "; ".join(says)


def _hint(name: str, environ: Mapping[str, str]) -> str:
    """Return a hint that the environment has the setting *name* by another name, if it has."""
    if f"FLASK_{name}" in environ:
        return (
            f". FLASK_{name} is in the environment, but not in app.config: call "
            "app.config.from_prefixed_env() before init_app"
        )

    if name in environ:
        return f". {name} is in the environment: call it FLASK_{name} for from_prefixed_env()"

    return ""
