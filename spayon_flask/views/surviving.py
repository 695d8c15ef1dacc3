"""Surviving: a page for the payer even if the database is away."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import wraps
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..state import Current
from ..storage.database_errors import database_trouble
from .pages import render_error


logger = logging.getLogger(__name__)


def surviving(current: Current, view: RouteCallable) -> RouteCallable:
    """Return *view* as one that answers 503 with a friendly page if the database fails.

    The page says that nothing is lost, and leads to the same address again.
    """

    @wraps(view)
    def page(**values: Any) -> ResponseReturnValue:
        try:
            return view(**values)  # type: ignore[return-value]  # none of ours is a coroutine

        except Exception as error:
            trouble = database_trouble(error)

            if trouble is None:
                raise

            state = current()
            logger.exception("a page failed: %s", trouble, extra={"account": state.name})

            # What failed leaves a transaction in which nothing more works.
            with suppress(Exception):
                state.storage.queries.look_again()

            again = request.full_path.rstrip("?")
            return render_error(state, "misconfigured", 503, f"{request.script_root}{again}")

    return page
