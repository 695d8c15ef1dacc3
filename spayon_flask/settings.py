"""Settings: the SPAYON_* configuration, checked once, when the app starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta, tzinfo
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .domain import values
from .domain.redaction import HiddenDict, hides_its_fields
from .domain.values import ByLanguage, in_language
from .errors import ConfigError

# Relies on: base-urls
#: API base URLs (Spayon's documentation, environments).
API_URLS = {
    "production": "https://api.spayon.io",
    "staging": "http://staging-spayon-api.eu-north-1.elasticbeanstalk.com",
}

#: Secrets of the simulator, which everybody can read in our documentation.
PUBLISHED = frozenset({"simulator-secret", "simulator-callback-secret"})

T = TypeVar("T")


class ConfigReader:
    """Take values out of a config. An empty text, list or mapping counts as unset."""

    def __init__(self, config: Mapping[str, Any], prefix: str) -> None:
        self._config = config
        self._prefix = prefix
        #: The required keys that are unset.
        self.missing: list[str] = []

    def get(self, key: str, read: Callable[[Any], T]) -> T | None:
        """Return what *read* makes of the value of *key*, or None if the value is unset."""
        value = self._config.get(self._prefix + key)

        if value in (None, "", (), [], {}):
            return None

        try:
            return read(value)

        except ValueError as error:
            raise ConfigError(f"{self._prefix}{key} {error}") from None

    def required(self, key: str, read: Callable[[Any], T], unset: T) -> T:
        """Return the same, or *unset*: `check` raises then."""
        value = self.get(key, read)
        self.missing += [key] if value is None else []
        return unset if value is None else value

    def need(self, fine: object, key: str, what: str) -> None:
        """Raise `ConfigError` unless *key* is *fine*; the message says *what* to do."""
        if not fine:
            raise ConfigError(f"{self._prefix}{key} {what}")

    def check(self, advice: str) -> None:
        """Raise `ConfigError` with *advice* if a required key is unset."""
        names = ", ".join(self._prefix + key for key in self.missing)
        are = "is" if len(self.missing) == 1 else "are"

        if names:
            raise ConfigError(f"{names} {are} missing: {advice}")


@hides_its_fields(ConfigError)
@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """What a vendor takes from Spayon's admin panel; no repr shows it.

    *callback_secret* is one text, or several while secrets are rotated: any of them verifies.
    Raises `ConfigError` if one of the three is missing or no text.
    """

    client_id: str
    client_secret: str
    callback_secret: str | Sequence[str]

    def __post_init__(self) -> None:
        prefix = "Credentials: "
        given = HiddenDict({prefix + name: value for name, value in vars(self).items()})
        read = ConfigReader(given, prefix)
        object.__setattr__(self, "client_id", read.required("client_id", values.secret, ""))
        object.__setattr__(self, "client_secret", read.required("client_secret", values.secret, ""))
        several: tuple[str, ...] = read.required("callback_secret", values.secrets, ())
        object.__setattr__(self, "callback_secret", several)
        read.check("they are in the settings of Spayon's admin panel")

    def __repr__(self) -> str:
        return "Credentials(<hidden>)"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One vendor account, as the shop configured it. No secret shows in its repr."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    callback_secrets: tuple[str, ...] = field(repr=False)
    environment: str
    api_url: str
    #: Whether money and goods are at stake.
    production: bool
    public_url: str | None
    url_values: Mapping[str, str]
    timeout: tuple[float, float]
    status_interval: timedelta
    #: A cachelib cache, or None.
    token_cache: Any = field(repr=False)
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
    def from_config(
        cls, config: Mapping[str, Any], prefix: str = "SPAYON_", *, of_vendors: bool = False
    ) -> Settings:
        """Read the keys of *config* that begin with *prefix*.

        Settings *of_vendors* have no credentials: see `for_vendor`. Raises `ConfigError`, which
        names the key and says what to do.
        """
        read = ConfigReader(config, prefix)
        own = ConfigReader({}, prefix) if of_vendors else read
        environment = read.get("ENVIRONMENT", values.text)
        read.need(
            environment in (None, *API_URLS), "ENVIRONMENT", "must be 'production' or 'staging'"
        )
        api_url = read.get("API_URL", values.url) or API_URLS[environment or "production"]
        made = cls(
            client_id=own.required("CLIENT_ID", values.secret, ""),
            client_secret=own.required("CLIENT_SECRET", values.secret, ""),
            callback_secrets=own.required("CALLBACK_SECRET", values.secrets, ()),
            environment=environment or "production",
            api_url=api_url,
            # A simulator is development, unless the shop says production in so many words.
            production=environment == "production" or not (environment or is_loopback(api_url)),
            public_url=read.get("PUBLIC_URL", values.url),
            url_values=read.get("URL_VALUES", values.texts) or {},
            timeout=read.get("TIMEOUT", values.time_outs) or (3.05, 10.0),
            status_interval=timedelta(seconds=read.get("STATUS_INTERVAL", values.seconds) or 5.0),
            token_cache=read.get("TOKEN_CACHE", values.cache),
            language=read.get("LANGUAGE", values.text),
            language_codes=read.get("LANGUAGE_CODES", values.texts) or {},
            available_payment_methods=read.get("AVAILABLE_PAYMENT_METHODS", values.names),
            default_payment_method=read.get("DEFAULT_PAYMENT_METHOD", values.text),
            ask_details=read.get("ASK_DETAILS", values.flag) is not False,
            support=read.get("SUPPORT", values.text),
            shop_name=read.get("SHOP_NAME", values.by_language),
            shop_url=read.get("SHOP_URL", values.links),
            timezone=read.get("TIMEZONE", values.zone),
        )
        _check(made, read)
        return made

    def for_vendor(self, vendor: str, credentials: Credentials | None) -> Settings:
        """Return these settings as those of *vendor*; without *credentials* they open nothing."""
        if credentials is None:
            return self

        made = replace(
            self,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            callback_secrets=tuple(credentials.callback_secret),
        )
        _check_secrets(made, ConfigReader({}, f"vendor {vendor}: "))
        return made

    def shop_name_for(self, code: str) -> str | None:
        """Return the shop's name in the language *code*: SHOP_NAME, else the host of PUBLIC_URL.

        None if neither is set. A language that SHOP_NAME lacks gets its first entry.
        """
        return in_language(self.shop_name, code) or urlsplit(self.public_url or "").netloc or None

    def shop_url_for(self, code: str) -> str | None:
        """Return where "back to the shop" leads in the language *code*, or None if it is unset."""
        return in_language(self.shop_url, code)

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
    def gateway(self) -> str:
        """The host of the API, with its port if API_URL names one."""
        return urlsplit(self.api_url).netloc.lower()

    @property
    def simulated(self) -> bool:
        """Whether payments go to a stand-in on this very machine."""
        return is_loopback(self.api_url)


def is_loopback(url: str) -> bool:
    """Return True if *url* leads to this very machine."""
    host = urlsplit(url).hostname or ""

    with suppress(ValueError):
        return ip_address(host).is_loopback

    return host == "localhost" or host.endswith(".localhost")


def _check(made: Settings, read: ConfigReader) -> None:
    """Raise `ConfigError` if settings do not go together, or if some are missing."""
    offered = made.available_payment_methods or (made.default_payment_method,)
    is_offered = made.default_payment_method in (None, *offered)
    read.need(is_offered, "DEFAULT_PAYMENT_METHOD", "must be one of AVAILABLE_PAYMENT_METHODS")

    if made.production:
        is_safe = made.simulated or made.api_url.startswith("https:")
        advice = "must be https in production; for a test system set ENVIRONMENT to 'staging'"
        read.need(is_safe, "API_URL", advice)
        # The Host header of a request could name a stranger's address.
        public_url = read.required("PUBLIC_URL", values.url, "https:")
        is_safe = public_url.startswith("https:")
        read.need(is_safe, "PUBLIC_URL", "must be https: Spayon calls nothing else in production")

    _check_secrets(made, read)
    read.check(
        "the secrets are in the settings of Spayon's admin panel; PUBLIC_URL is the address of the "
        "shop, such as https://shop.example; in the environment each name has FLASK_ in front, "
        "for app.config.from_prefixed_env(); in tests set TESTING = True before init_app"
    )


def _check_secrets(made: Settings, read: ConfigReader) -> None:
    """Raise `ConfigError` if everybody knows a secret, and money is at stake."""
    given = {"CLIENT_SECRET": [made.client_secret], "CALLBACK_SECRET": made.callback_secrets}
    advice = (
        "holds a secret of the simulator, which everybody knows: take those of the admin panel, or "
        "for development set API_URL to the simulator, such as http://127.0.0.1:5001"
    )

    for key, secrets in given.items():
        read.need(not made.production or PUBLISHED.isdisjoint(secrets), key, advice)
