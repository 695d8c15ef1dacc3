"""Refusals: callbacks that are not Spayon's, told to the log without filling it."""

from __future__ import annotations

import logging
from datetime import datetime
from datetime import timedelta


logger = logging.getLogger(__name__)

#: Anybody can be refused as often as they like; each reason is logged once in that time.
QUIET = timedelta(minutes=1)


class Refusals:
    """Log why callbacks of *account* are refused, each reason once a minute."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._unlogged: dict[str, int] = {}
        self._quiet_until: dict[str, datetime] = {}

    def note(self, reason: str, now: datetime) -> None:
        """Log *reason*, with the number of those that were left out since the last time."""
        until = self._quiet_until.get(reason)

        if until is not None and now < until:
            self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
            return

        self._quiet_until[reason] = now + QUIET
        more = self._unlogged.pop(reason, 0)
        logger.warning(
            "callback refused: %s%s",
            reason,
            f" ({more} more since this was last logged)" if more else "",
            extra={"account": self._account},
        )
