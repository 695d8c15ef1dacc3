"""Signals for observers, sent after the commit; for work that must happen, use a handler.

The sender is the name of the `Spayon` object. A receiver that raises is logged and changes nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from blinker import NamedSignal
from blinker import Namespace


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


def announce(signal: NamedSignal, account: str, **values: Any) -> None:
    """Send *signal* with *values*; a receiver that raises is logged, and the others still hear."""
    if not signal.receivers:
        return

    for receiver in signal.receivers_for(account):
        try:
            receiver(account, **values)

        except Exception:
            logger.exception("a receiver of %s failed", signal.name, extra={"account": account})
