"""A payment as a page may show it: asked about, as often as that may be done."""

from __future__ import annotations

import logging
from typing import Any

from ..errors import GatewayError
from ..errors import SpayonError
from ..state import AppState


logger = logging.getLogger(__name__)


def refreshed(state: AppState, payment: Any) -> Any:
    """Return *payment*, asked about if it is pending; whatever goes wrong, pending is the truth."""
    payment_id = payment.id
    ids = {"account": state.name, "session_id": payment.session_id}

    try:
        return state.reconciler.refresh(payment_id)

    except GatewayError as error:
        logger.warning("no status for the page: %s", error, extra=ids)

    except SpayonError:
        logger.exception("the status for the page could not be recorded", extra=ids)

    return state.storage.queries.get(payment_id)
