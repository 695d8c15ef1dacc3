"""Mounting: the routes under a prefix that has parts of its own, such as `/<lang>/pay`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint
from flask import current_app
from flask import has_request_context
from flask import request
from flask.typing import ResponseReturnValue


#: The parts of our own rules, which belong to one page each.
_OURS = ("order_id", "reference", "key", "what", "filename")


def add_route(
    blueprint: Blueprint, rule: str, endpoint: str, view: Callable[..., Any], **options: Any
) -> None:
    """Add *view* to *blueprint*; of what stands in the address it gets the parts of *rule*."""

    @wraps(view)
    def call(**values: Any) -> ResponseReturnValue:
        ours = {name: value for name, value in values.items() if name in _OURS}
        return view(**ours)  # type: ignore[no-any-return]  # a view's type names no arguments

    blueprint.add_url_rule(rule, endpoint, call, **options)


def stay_in_place(blueprint: Blueprint) -> None:
    """Have links to *blueprint* keep the parts of the prefix that this request came by.

    A shop that has functions of its own for this (Flask's `url_defaults`) is asked first.
    """

    @blueprint.url_defaults
    def keep(endpoint: str, values: dict[str, Any]) -> None:
        for name, value in (request.view_args or {}).items() if has_request_context() else ():
            if name not in _OURS and current_app.url_map.is_endpoint_expecting(endpoint, name):
                values.setdefault(name, value)
