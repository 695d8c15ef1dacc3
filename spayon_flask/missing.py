"""Missing: the settings that must be there and are not, all in one error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence

from .errors import ConfigError


PUBLIC_URL = "PUBLIC_URL"


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
    copied = [key for key in keys if key != PUBLIC_URL]
    says = []

    if copied:
        what = "it" if len(keys) == 1 else "them" if len(copied) == len(keys) else "the secrets"
        says.append(f"copy {what} from the settings in Spayon's admin panel")

    if PUBLIC_URL in keys:
        says.append(
            f"set {PUBLIC_URL} to the address of the shop, such as https://shop.example. In "
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
