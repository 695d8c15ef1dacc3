"""Runs a rehearsal: `python -m spayon_flask.rehearsal`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..errors import ConfigError
from ..settings import Settings
from . import Options, run
from .report import UNSURE

#: Exit code of a program that was called wrongly: EX_USAGE of sysexits.h.
_USAGE = 64

_ABOUT = """Find out what Spayon really does, and whether a shop would take money through it. By
itself it buys tokens and creates about 25 payment sessions, which expire unpaid. The settings are
those of the shop, in the environment: SPAYON_CLIENT_ID or FLASK_SPAYON_CLIENT_ID, and so on. Exits
with 0 only if every payment of a shop would work, 1 if something differs, 2 if it was stopped or
could not tell."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(_USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearse with the settings in the environment; return the exit code."""
    parser = _Parser(prog="python -m spayon_flask.rehearsal", description=_ABOUT)
    add = parser.add_argument
    add("--url", help="the public address that leads to --port of this machine, by a tunnel, say")
    add("--port", type=int, default=5002, help="where to listen (default: 5002)")
    add("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
    add("--pay", action="store_true", help="with a person who pays once, and is declined once")
    add("--wait", action="store_true", help="also wait until sessions expire: half an hour")
    add("--currency", action="append", default=[], help="one that you sell in; may be repeated")
    add("--product-id", type=int, help="a product that is set up in the admin panel")
    add("--report", metavar="FILE", help="where the report goes (default: the current folder)")
    given = vars(parser.parse_args(arguments))
    path, currencies = given.pop("report"), given.pop("currency")

    try:
        settings = settings_from(os.environ, given["url"])
        return run(settings, Options(currencies=currencies, **given), path)

    except ConfigError as error:
        # Here that setting is an option.
        print(str(error).replace("SPAYON_PUBLIC_URL", "--url"), file=sys.stderr)
        return UNSURE


def settings_from(environ: Mapping[str, str], url: str | None) -> Settings:
    """Return the settings in *environ*, read as `Config.from_prefixed_env` reads them."""
    config: dict[str, Any] = {}

    for prefix in ("SPAYON_", "FLASK_SPAYON_"):
        for name, text in environ.items():
            if name.startswith(prefix):
                config[name.removeprefix("FLASK_")] = _value(text)

    needed = ("SPAYON_CLIENT_ID", "SPAYON_CLIENT_SECRET", "SPAYON_CALLBACK_SECRET")

    if missing := [name for name in needed if not config.get(name)]:
        names = " and ".join(missing) + (" are" if len(missing) > 1 else " is")
        raise ConfigError(f"{names} missing: export what the settings in Spayon's panel show")

    # The shop's own address plays no part.
    config["SPAYON_PUBLIC_URL"] = url or "https://example.com"
    return Settings.from_config(config)


def _value(text: str) -> Any:
    try:
        return json.loads(text)

    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
