"""Checks of the settings: names, secrets, addresses."""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from ...errors import ConfigError
from ...settings import Settings
from ...state import AppState
from ...token_cache import PATIENCE
from ...token_cache import StuckError
from ...token_cache import in_time
from .finding import OK
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import wrong


#: The simulator's credentials, which everybody knows.
_SIMULATORS = ("simulator-secret", "simulator-callback-secret", "simulator-old-callback-secret")

#: How much a name must look like a setting's to be taken for one that was mistyped.
_LIKENESS = 0.85


class _Recorder(dict[str, Any]):
    """A config that notes which keys are asked for."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.asked: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.append(key)
        return super().get(key, default)


def check_settings(state: AppState) -> Iterator[Finding]:
    """Read the settings anew, and compare them with those in use."""
    recorder = _Recorder(current_app.config)

    try:
        now = Settings.from_config(recorder, state.config_prefix)

    except ConfigError as error:
        yield wrong("settings", f"changed after init_app: {error}", "set it before init_app")
        return

    if now != state.settings:
        yield wrong(
            "settings",
            "the app's config was changed after init_app, which does not see that",
            "load the config first, then call spayon.init_app(app)",
        )

    else:
        yield ok("settings", f"complete; the gateway is {now.api_url}")

    yield from _check_names(state, recorder.asked)


def _check_names(state: AppState, known: list[str]) -> Iterator[Finding]:
    """Look for settings that were mistyped, or never reached the config."""
    several = len(current_app.extensions["spayon"]) > 1
    mistyped = False

    for key in sorted(set(current_app.config) - set(known)):
        # The settings of a second account have a prefix of their own.
        if several and key.endswith(tuple(name[len(state.config_prefix) :] for name in known)):
            continue

        likely = difflib.get_close_matches(key, known, 1, _LIKENESS)

        if likely or key.startswith(state.config_prefix):
            mistyped = True
            meant = likely or difflib.get_close_matches(key, known, 1, 0)
            yield wrong("names", f"{key} is no setting", f"did you mean {meant[0]}?")

    for name in known:
        if name in os.environ and current_app.config.get(name) is None:
            mistyped = True
            yield wrong(
                "names",
                f"{name} is in the environment, but not in the app's config",
                f"call it FLASK_{name} for from_prefixed_env, or copy it into app.config",
            )

    if not mistyped:
        yield ok("names", "no mistyped setting")


def check_secrets(state: AppState) -> Iterator[Finding]:
    """Look for secrets that are not secret, or were copied to the wrong place."""
    settings = state.settings
    secrets = settings.callback_secrets

    if settings.client_secret in secrets:
        yield wrong(
            "secrets",
            "CALLBACK_SECRET is the same as CLIENT_SECRET",
            "copy the callback secret from the settings in Spayon's admin panel",
        )

    elif len(set(secrets)) < len(secrets):
        yield wrong("secrets", "CALLBACK_SECRET holds a secret twice", "remove one of the two")

    elif not settings.simulated and {settings.client_secret, *secrets} & set(_SIMULATORS):
        yield wrong(
            "secrets",
            "the simulator's secrets are in use with the real gateway: everybody knows them",
            "copy yours from the settings in Spayon's admin panel",
        )

    else:
        number = len(secrets)
        yield ok("secrets", f"{number} callback secret{'s' if number > 1 else ''} set")


def check_environment(state: AppState) -> Iterator[Finding]:
    """Look for a test system that says production, and the other way round."""
    settings = state.settings
    prefix = state.config_prefix
    unsafe = [name for name in ("DEBUG", "TESTING") if current_app.config.get(name)]

    if settings.production and settings.simulated:
        yield wrong(
            "environment",
            "this is production, but API_URL leads to a stand-in on this machine",
            f"remove {prefix}API_URL",
        )

    elif settings.production and unsafe:
        names = " and ".join(unsafe)
        yield wrong("environment", f"{names} on in production", f"turn off {names}")

    else:
        yield ok("environment", "production" if settings.production else "not production")


def check_public_url(state: AppState) -> Iterator[Finding]:
    """Look at the address under which Spayon and the payers are to reach the shop."""
    settings, key = state.settings, f"{state.config_prefix}PUBLIC_URL"
    url = settings.public_url

    if url is None:
        yield unknown(
            "public URL",
            "not set: it is taken from each request, and cannot be looked at from here",
            f"set {key} to the address of the shop",
        )

    elif not settings.simulated and _is_private(urlsplit(url).hostname or ""):
        yield wrong(
            "public URL",
            f"{url} is known on this network only, and Spayon calls from outside",
            f"set {key} to the public address",
        )

    else:
        yield ok("public URL", url)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global

    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def check_token_cache(state: AppState) -> Iterator[Finding]:
    """Put something into the shared cache, and look whether it is there."""
    cache, key = state.settings.token_cache, "spayon:doctor"

    if cache is None:
        return

    def try_it() -> bool:
        cache.set(key, "here", timeout=10)
        kept: bool = cache.get(key) == "here"
        cache.delete(key)
        return kept

    # Three calls, of which the first opens the connection.
    patience = 3 * PATIENCE

    try:
        works = in_time(try_it, patience)

    except StuckError:
        yield wrong(
            "token cache",
            f"TOKEN_CACHE accepts calls and gives no answer for {patience:g} s",
            "look at its server, and give its client a socket_timeout; until then each process "
            "buys its own token",
        )
        return

    except Exception as error:  # noqa: BLE001  each backend has its own
        yield wrong(
            "token cache",
            f"TOKEN_CACHE fails with {type(error).__name__}",
            "look whether its server runs; until then each process buys its own token",
        )
        return

    if works:
        yield ok("token cache", "works")

    else:
        yield wrong("token cache", "TOKEN_CACHE forgets at once", "use one that keeps what it gets")


def check_rehearsal(state: AppState) -> Iterator[Finding]:
    """Mention what only `rehearse` finds out. Never a failure: payments work without it."""
    environment = "simulator" if state.settings.simulated else state.settings.environment
    found = state.rehearsals.report(environment)

    if found is None:
        yield Finding(
            "rehearsal",
            OK,
            f"no report on Spayon's {environment} yet",
            f"`flask {state.name} rehearse` finds out what Spayon really does",
        )

    else:
        yield ok("rehearsal", f"the report is {found.name}")
