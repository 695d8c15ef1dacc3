"""The order behind a payment, for the pages that can do without it."""

from __future__ import annotations

import logging
from typing import Any

from werkzeug.exceptions import HTTPException

from ..errors import RegistrationError
from ..loading import load_order
from ..orders import Order
from ..state import AppState


logger = logging.getLogger(__name__)


def order_behind(state: AppState, payment: Any) -> Order | None:
    """Return the order that *payment* is for, as the shop's loader knows it now.

    None if the loader has none, or will not show it to whoever is asking: the payer may be back in
    another browser, and the pages say how the payment stands all the same.
    """
    ids = {"account": state.name, "order_id": payment.order_id}

    try:
        return load_order(state.handlers, payment.order_key or payment.order_id)

    except (HTTPException, RegistrationError):
        return None

    except Exception as error:  # noqa: BLE001  whatever a loader raises; it is logged
        logger.warning("the order could not be loaded: %s", type(error).__name__, extra=ids)
        # A statement that failed leaves a transaction in which nothing more works.
        state.storage.queries.look_again()
        return None
