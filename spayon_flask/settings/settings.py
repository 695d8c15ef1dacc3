"""Settings: the SPAYON_* configuration, checked once, when the app starts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta, tzinfo
from typing import Any
from urllib.parse import urlsplit

from ..domain.redaction import HiddenDict, hides_its_fields
from ..errors import ConfigError
from .reader import ByLanguage, ConfigReader, TokenCache, in_language

# Relies on: base-urls
#: API base URLs (Spayon's documentation, environments).
API_URLS = {
    "production": "https://api.spayon.io",
    "staging": "http://staging-spayon-api.eu-north-1.elasticbeanstalk.com",
}

#: Secrets of the simulator, which everybody can read in our documentation.
PUBLISHED = frozenset({"simulator-secret", "simulator-callback-secret"})

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


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
        object.__setattr__(self, "client_id", read.secret("client_id"))
        object.__setattr__(self, "client_secret", read.secret("client_secret"))
        object.__setattr__(self, "callback_secret", read.secrets("callback_secret"))

        if read.missing:
            raise read.error(" and ".join(read.missing), "must not be empty")

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
    def from_config(
        cls, config: Mapping[str, Any], prefix: str = "SPAYON_", *, of_vendors: bool = False
    ) -> Settings:
        """Read the keys of *config* that begin with *prefix*.

        Settings *of_vendors* have no credentials: see `for_vendor`. Raises `ConfigError`, which
        names the key and says what to do.
        """
        read = ConfigReader(config, prefix)
        environment = read.text("ENVIRONMENT")

        if environment not in (None, *API_URLS):
            raise read.error("ENVIRONMENT", "must be 'production' or 'staging'")

        api_url = read.url("API_URL") or API_URLS[environment or "production"]
        # A simulator is development, unless the shop says production in so many words.
        production = environment == "production" or (environment is None and not is_local(api_url))

        connect, answer = read.seconds("TIMEOUT", 3.05, 10.0)
        made = cls(
            client_id="" if of_vendors else read.secret("CLIENT_ID"),
            client_secret="" if of_vendors else read.secret("CLIENT_SECRET"),
            callback_secrets=() if of_vendors else read.secrets("CALLBACK_SECRET"),
            environment=environment or "production",
            api_url=api_url,
            public_url=read.url("PUBLIC_URL"),
            url_values=read.texts("URL_VALUES"),
            production=production,
            timeout=(connect, answer),
            status_interval=timedelta(seconds=read.seconds("STATUS_INTERVAL", 5.0)[0]),
            token_cache=read.cache("TOKEN_CACHE"),
            language=read.text("LANGUAGE"),
            language_codes=read.texts("LANGUAGE_CODES"),
            available_payment_methods=(methods := read.names("AVAILABLE_PAYMENT_METHODS")),
            default_payment_method=(method := read.text("DEFAULT_PAYMENT_METHOD")),
            ask_details=read.flag("ASK_DETAILS", default=True),
            support=read.text("SUPPORT"),
            shop_name=read.by_language("SHOP_NAME"),
            shop_url=read.by_language("SHOP_URL", links=True),
            timezone=read.zone("TIMEZONE"),
        )

        if method is not None and methods is not None and method not in methods:
            raise read.error("DEFAULT_PAYMENT_METHOD", "must be one of AVAILABLE_PAYMENT_METHODS")

        if production:
            _check_production(made, read)

        _check_missing(read.missing, prefix)
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
    def gateway(self) -> str:
        """The host of the API, with its port if that is not the usual one of its scheme."""
        parts = urlsplit(self.api_url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        host = parts.hostname or ""
        return host if parts.port in (None, usual) else f"{host}:{parts.port}"

    @property
    def simulated(self) -> bool:
        """Whether payments go to a stand-in on this very machine."""
        return is_local(self.api_url)


def is_local(url: str) -> bool:
    """Return True if *url* leads to this very machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _check_production(made: Settings, read: ConfigReader) -> None:
    """Raise `ConfigError` if money or goods would be at stake with these settings."""
    if not made.simulated and not made.api_url.startswith("https:"):
        raise read.error(
            "API_URL", "must be https in production; for a test system set ENVIRONMENT=staging"
        )

    # The Host header of a request could name a stranger's address.
    if made.public_url is None:
        read.missing.append("PUBLIC_URL")

    elif not made.public_url.startswith("https:"):
        raise read.error("PUBLIC_URL", "must be https: Spayon calls nothing else in production")

    _check_secrets(made, read)


def _check_secrets(made: Settings, read: ConfigReader) -> None:
    """Raise `ConfigError` if a shop in production has a secret that everybody knows."""
    for key, secrets in (
        ("CLIENT_SECRET", {made.client_secret}),
        ("CALLBACK_SECRET", set(made.callback_secrets)),
    ):
        if made.production and secrets & PUBLISHED:
            raise read.error(
                key,
                "holds a secret of the simulator, which everybody knows: in production use only "
                "those of Spayon's admin panel (development is API_URL=http://127.0.0.1:5001)",
            )


def _check_missing(keys: Sequence[str], prefix: str) -> None:
    """Raise `ConfigError` if there are *keys*; the message says where each of them is found."""
    if not keys:
        return

    names = [prefix + key for key in dict.fromkeys(keys)]
    are = f"{', '.join(names[:-1])} and {names[-1]} are" if len(names) > 1 else f"{names[0]} is"
    says = []

    if set(keys) - {"PUBLIC_URL"}:
        says.append("copy the secrets from the settings in Spayon's admin panel")

    if "PUBLIC_URL" in keys:
        says.append("set PUBLIC_URL to the address of the shop, such as https://shop.example")

    says.append(f"from the environment app.config.from_prefixed_env() reads FLASK_{names[0]}")
    says.append("in tests set TESTING = True before init_app, and made-up values where you pay")
    raise ConfigError(f"{are} missing: {'; '.join(says)}")
