"""Settings: what a shop configures, and what it is told when that makes no sense."""

from datetime import timedelta
from typing import Any

import pytest
from cachelib import SimpleCache
from flask import Flask

from spayon_flask import ConfigError, Settings

NEEDED = {
    "SPAYON_CLIENT_ID": "id-of-the-shop",
    "SPAYON_CLIENT_SECRET": "hush",
    "SPAYON_CALLBACK_SECRET": "hushhush",
}

PUBLIC = {"SPAYON_PUBLIC_URL": "https://shop.example"}


def settings(**config: Any) -> Settings:
    return Settings.from_config(
        NEEDED | PUBLIC | {f"SPAYON_{key}": value for key, value in config.items()}
    )


def test_four_keys_are_enough() -> None:
    made = settings()

    assert made.api_url == "https://api.spayon.io"
    assert made.production
    assert made.timeout == (3.05, 10.0)
    assert made.status_interval == timedelta(seconds=5)


@pytest.mark.parametrize("key", sorted(NEEDED))
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_key_is_named_with_the_place_to_find_it(key: str, value: str | None) -> None:
    with pytest.raises(ConfigError, match=f"{key} is missing.*admin panel"):
        Settings.from_config(NEEDED | PUBLIC | {key: value})


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("CLIENT_ID", 1.5, "must be text"),
        ("CLIENT_SECRET", "hush\n", "white space"),
        ("CALLBACK_SECRET", [], "missing"),
        ("CALLBACK_SECRET", ["a", ""], "text that is empty"),
        ("CALLBACK_SECRET", ["real", "simulator-callback-secret"], "a secret of the simulator"),
        ("CALLBACK_SECRET", "simulator-callback-secret", "a secret of the simulator"),
        ("CLIENT_SECRET", "simulator-secret", "a secret of the simulator.*API_URL"),
        ("TIMEOUT", "3.05,10", "for a pair"),
        ("URL_VALUES", "lang=en", "must map"),
        ("ENVIRONMENT", "live", "'production' or 'staging'"),
        ("API_URL", "api.spayon.io", "base URL"),
        ("API_URL", "ftp://api.spayon.io", "base URL"),
        ("API_URL", "http://api.spayon.io", "must be https.*staging"),
        ("PUBLIC_URL", "shop.example", "base URL"),
        ("PUBLIC_URL", "https://shop.example/?a=1", "without query"),
        ("PUBLIC_URL", "https://user@shop.example", "user name"),
        ("PUBLIC_URL", "https://shop.example:http", "base URL"),
        ("PUBLIC_URL", "https://shop.example:99999", "base URL"),
        ("PUBLIC_URL", "HTTPS://shop.example", "base URL"),
        ("PUBLIC_URL", "http://shop.example", "must be https"),
        ("PUBLIC_URL", "https://shop.example//evil.example", "base URL"),
        ("TIMEOUT", 0, "more than 0"),
        ("TIMEOUT", "10", "number of seconds"),
        ("TIMEOUT", [1, 2, 3], "a pair"),
        ("TIMEOUT", float("nan"), "more than 0"),
        ("STATUS_INTERVAL", -1, "more than 0"),
        ("STATUS_INTERVAL", True, "number of seconds"),
        ("TOKEN_CACHE", "redis://", "cachelib"),
        ("LANGUAGE", ["en"], "must be text"),
        ("LANGUAGE_CODES", "hy", "must map"),
        ("SHOP_NAME", {"hy": ""}, "text that is empty"),
        ("SHOP_NAME", {"hy": "a\nb"}, "line breaks"),
        ("SHOP_NAME", "Tea\u00a0shop", "no-break spaces"),
        ("SHOP_NAME", 1.5, "must be text"),
        ("SHOP_URL", "javascript:alert(1)", "must be a URL"),
        ("SHOP_URL", "//evil.example", "must be a URL"),
        ("SHOP_URL", {"en": "/en/", "hy": "hy/"}, "must be a URL"),
        ("SUPPORT", ["a@b.example"], "must be text"),
        ("AVAILABLE_PAYMENT_METHODS", "visamaster,,mir", "list of names"),
        ("AVAILABLE_PAYMENT_METHODS", 5, "list of names"),
    ],
)
def test_a_senseless_setting_is_named_with_the_remedy(key: str, value: Any, remedy: str) -> None:
    with pytest.raises(ConfigError, match=f"SPAYON_{key} .*{remedy}") as caught:
        settings(**{key: value})

    assert "hush" not in str(caught.value)


def test_the_default_payment_method_is_one_of_those_on_offer() -> None:
    with pytest.raises(ConfigError, match="SPAYON_DEFAULT_PAYMENT_METHOD must be one of"):
        settings(AVAILABLE_PAYMENT_METHODS="visamaster,mir", DEFAULT_PAYMENT_METHOD="cash")


def test_the_repr_holds_no_secret() -> None:
    shown = repr(settings(TOKEN_CACHE=SimpleCache()))

    assert not [secret for secret in NEEDED.values() if secret in shown]


def test_several_callback_secrets_serve_while_they_are_rotated_and_one_may_hold_a_comma() -> None:
    assert settings(CALLBACK_SECRET=["new", "old"]).callback_secrets == ("new", "old")
    assert settings(CALLBACK_SECRET="hush,hush").callback_secrets == ("hush,hush",)


def test_staging_and_a_simulator_on_this_machine_are_no_production_unless_it_is_said() -> None:
    staging = settings(ENVIRONMENT="staging", PUBLIC_URL="http://shop.example")
    local = settings(API_URL="http://127.0.0.1:5001/", PUBLIC_URL="http://127.0.0.1:5000")

    assert staging.api_url.startswith("http://staging-spayon-api.")
    assert not staging.production
    assert (local.api_url, local.production) == ("http://127.0.0.1:5001", False)
    assert settings(API_URL="http://127.0.0.1:5001", ENVIRONMENT="production").production


def test_a_single_timeout_serves_for_connecting_and_reading() -> None:
    assert settings(TIMEOUT=2).timeout == (2.0, 2.0)


def test_settings_come_from_prefixed_environment_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLASK_SPAYON_CLIENT_ID", "12345")
    monkeypatch.setenv("FLASK_SPAYON_CLIENT_SECRET", "hush")
    monkeypatch.setenv("FLASK_SPAYON_CALLBACK_SECRET", '["new", "old"]')
    monkeypatch.setenv("FLASK_SPAYON_PUBLIC_URL", "https://shop.example")
    monkeypatch.setenv("FLASK_SPAYON_TIMEOUT", "[1, 2.5]")
    monkeypatch.setenv("FLASK_SPAYON_AVAILABLE_PAYMENT_METHODS", "visamaster, mir")
    app = Flask(__name__)
    app.config.from_prefixed_env()

    made = Settings.from_config(app.config)

    assert made.client_id == "12345"
    assert made.callback_secrets == ("new", "old")
    assert made.timeout == (1.0, 2.5)
    assert made.available_payment_methods == ("visamaster", "mir")


def test_another_prefix_reads_another_account() -> None:
    config = {key.replace("SPAYON_", "BOOKS_"): value for key, value in (NEEDED | PUBLIC).items()}

    assert Settings.from_config(config, "BOOKS_").client_id == "id-of-the-shop"


def test_a_time_zone_is_read_by_its_name() -> None:
    assert str(settings(TIMEZONE="Asia/Yerevan").timezone) == "Asia/Yerevan"


@pytest.mark.parametrize("name", ["Yerevan", "../etc/passwd", "Asia", "/etc/passwd", "+4"])
def test_a_time_zone_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="SPAYON_TIMEZONE must name a time zone"):
        settings(TIMEZONE=name)


def test_a_shop_has_a_name_and_an_address_for_each_language_or_for_all() -> None:
    one = settings(SHOP_NAME="Maran", SHOP_URL="/tea/")
    each = settings(
        SHOP_NAME={"en": "Maran", "hy": "Մառան"}, SHOP_URL={"en": "/en/", "hy": "https://maran.am/"}
    )
    asked = settings(SHOP_NAME=lambda code: f"Maran {code}", SHOP_URL=lambda code: f"/{code}/")

    assert (one.shop_name_for("hy"), one.shop_url_for("ru")) == ("Maran", "/tea/")
    assert (each.shop_name_for("hy"), each.shop_url_for("hy")) == ("Մառան", "https://maran.am/")
    assert (each.shop_name_for("ru"), each.shop_url_for("ru")) == ("Maran", "/en/")
    assert (asked.shop_name_for("hy"), asked.shop_url_for("hy")) == ("Maran hy", "/hy/")


def test_without_a_name_the_shop_is_called_by_its_public_host() -> None:
    assert settings(PUBLIC_URL="https://shop.example/tea").shop_name_for("en") == "shop.example"
    assert settings(ENVIRONMENT="staging", PUBLIC_URL=None).shop_name_for("en") is None
    assert settings().shop_url_for("en") is None


@pytest.mark.parametrize(
    ("support", "link"),
    [
        ("help@shop.example", "mailto:help@shop.example"),
        ("+374 (10) 12-34-56", "tel:+37410123456"),
        ("https://shop.example/help", "https://shop.example/help"),
        ("Ask at the desk", None),
        ("javascript:alert(1)", None),
        ("a@b.example?bcc=c@d.example", None),
        (None, None),
    ],
)
def test_support_is_an_address_a_telephone_or_a_url(support: str | None, link: str | None) -> None:
    made = settings(SUPPORT=support)

    assert (made.support, made.support_url) == (support, link)


def test_all_that_is_missing_is_said_in_one_error() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_config({})

    assert str(caught.value).startswith(
        "SPAYON_CLIENT_ID, SPAYON_CLIENT_SECRET, SPAYON_CALLBACK_SECRET, "
        "SPAYON_PUBLIC_URL are missing: the secrets are in the settings of Spayon's admin panel;"
    )


@pytest.mark.parametrize(
    "config", [{}, {"SERVER_NAME": "shop.example"}, {"TRUSTED_HOSTS": ["shop.example"]}]
)
def test_in_production_the_address_must_be_said(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"PUBLIC_URL is missing: .*the address of the shop"):
        Settings.from_config(NEEDED | config)


@pytest.mark.parametrize(
    "config", [{"SPAYON_ENVIRONMENT": "staging"}, {"SPAYON_API_URL": "http://127.0.0.1:5001"}]
)
def test_elsewhere_the_address_and_the_simulator_s_secrets_may_do(config: dict[str, Any]) -> None:
    secret = {"SPAYON_CALLBACK_SECRET": "simulator-callback-secret"}

    assert Settings.from_config(NEEDED | secret | config).public_url is None
