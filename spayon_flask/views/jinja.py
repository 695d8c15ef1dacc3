"""Jinja: whether the shop's templates are read and escaped as ours are written."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from flask.sansio.app import App
from jinja2 import defaults

from ..errors import ConfigError


#: What our templates are written with. Line statements would read some of our lines as their own.
_SYNTAX = {
    "block_start_string": defaults.BLOCK_START_STRING,
    "block_end_string": defaults.BLOCK_END_STRING,
    "variable_start_string": defaults.VARIABLE_START_STRING,
    "variable_end_string": defaults.VARIABLE_END_STRING,
    "comment_start_string": defaults.COMMENT_START_STRING,
    "comment_end_string": defaults.COMMENT_END_STRING,
}

_TEMPLATE = "spayon/return.html"


def check_jinja(blueprint: Blueprint) -> None:
    """Have the registration of *blueprint* refuse an app whose Jinja cannot show our pages."""

    @blueprint.record
    def check(state: BlueprintSetupState) -> None:
        options = _options(state.app)

        for name, ours in _SYNTAX.items():
            if (theirs := options.get(name, ours)) != ours:
                raise ConfigError(
                    f"the app's Jinja has {name} = {theirs!r}, but the payment pages are written "
                    f"with {ours!r}: leave it as it is in app.jinja_options and app.jinja_env, or "
                    "use an overlay of the environment for your own templates"
                )

        escape = options.get("autoescape", state.app.select_jinja_autoescape)

        if not (escape(_TEMPLATE) if callable(escape) else escape):
            raise ConfigError(
                "the app's Jinja does not escape .html templates, so whatever a payer types would "
                "become part of the payment pages: leave autoescape on for names that end in .html"
            )


def _options(app: App) -> dict[str, Any]:
    # Not yet made, as a rule; to make it here would keep the app from changing its options.
    made = vars(app).get("jinja_env")
    return dict(app.jinja_options) if made is None else vars(made)
