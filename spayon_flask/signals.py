"""Signals for observers, sent after the commit; for work that must happen, use a handler.

The sender is the name of the `Spayon` object. If the object has many vendors, each signal has the
keyword `vendor` besides. A receiver that raises is logged and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from blinker import NamedSignal, Namespace

logger = logging.getLogger(__name__)

_signals = Namespace()

#: A payment session was created. Keyword: `payment`.
checkout_started = _signals.signal("checkout-started")

#: A payment became paid. Keyword: `payment`.
payment_paid = _signals.signal("payment-paid")

#: A payment became failed. Keyword: `payment`.
payment_failed = _signals.signal("payment-failed")

#: A payment became expired. Keyword: `payment`.
payment_expired = _signals.signal("payment-expired")

#: A payment needs a person. Keyword: `payment`.
payment_review = _signals.signal("payment-review")

#: A report was recorded or known already. Keywords: `source`, `status`, `verdict`, `repeated`.
report_received = _signals.signal("report-received")

#: A callback was refused. Keywords: `status_code`, `reason`.
callback_refused = _signals.signal("callback-refused")

#: A call to Spayon ended. Keywords: `call`, `outcome`, `seconds`.
gateway_called = _signals.signal("gateway-called")


def announce(
    signal: NamedSignal,
    account: str,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
    **values: Any,
) -> None:
    """Send *signal* with *values*; a receiver that raises is logged, and the others still hear.

    Each receiver is called inside *around*.
    """
    if not signal.receivers:
        return

    sender, _, vendor = account.partition("/")
    values |= {"vendor": vendor} if vendor else {}

    for receiver in signal.receivers_for(sender):
        try:
            with around():
                receiver(sender, **values)

        except Exception:
            logger.exception("a receiver of %s failed", signal.name, extra={"account": account})
