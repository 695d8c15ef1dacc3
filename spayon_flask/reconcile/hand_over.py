"""Hand-over: what the dispatcher has yet to get, given to it once a run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from ..storage import Storage
from .summary import Summary


logger = logging.getLogger(__name__)

_BATCH = 100


def hand_over(
    storage: Storage, clock: Callable[[], datetime], stop: threading.Event, summary: Summary
) -> None:
    """Give the dispatcher each row that waits for it, and count those that it took."""
    seen: set[int] = set()

    while not stop.is_set():
        leased = storage.outbox.lease(now=clock(), limit=_BATCH)

        # Those that it does not take come again, in the next run.
        if seen.intersection(each.callback_id for each in leased) or not leased:
            return

        for each in leased:
            try:
                summary.handed_over += storage.outbox.hand_over(each)

            except Exception:
                summary.failed += 1
                logger.exception(
                    "not handed over; the next run tries again",
                    extra={"callback_id": each.callback_id},
                )

        seen.update(each.callback_id for each in leased)
