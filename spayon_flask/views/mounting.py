"""Mounting: the routes under a prefix that has parts of its own, such as `/<lang>/pay`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import current_app
from flask import has_request_context
from flask import request


#: The parts of our own rules, which belong to one page each. Our views ignore all other parts.
_OURS = ("order_id", "reference", "key", "what", "filename")


def stay_in_place(blueprint: Blueprint) -> None:
    """Have links to *blueprint* keep the parts of the prefix that this request came by.

    A shop that has functions of its own for this (Flask's `url_defaults`) is asked first.
    """

    @blueprint.url_defaults
    def keep(endpoint: str, values: dict[str, Any]) -> None:
        for name, value in (request.view_args or {}).items() if has_request_context() else ():
            if name not in _OURS and current_app.url_map.is_endpoint_expecting(endpoint, name):
                values.setdefault(name, value)
