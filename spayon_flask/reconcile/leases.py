"""Leases: the payments that a run has taken on, and those that it gives back."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime

from ..storage import Due
from ..storage import Storage


logger = logging.getLogger(__name__)


class Leases:
    """Take at most *limit* payments that were due at the outset, few at a time."""

    def __init__(
        self, storage: Storage, clock: Callable[[], datetime], *, limit: int | None
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._left = limit
        # Of payments that become due later there is no end: another run takes those.
        self._began = clock()
        self._ready: deque[Due] = deque()

    def next(self, *, wanted: int) -> Due | None:
        """Return a payment that nobody else has, or None where there are no more.

        Where there is none at hand, *wanted* are taken at once: not more than are soon begun, since
        a lease does not last long.
        """
        if not self._ready and self._left != 0:
            batch = wanted if self._left is None else min(wanted, self._left)
            now = self._clock()
            self._ready.extend(
                self._storage.schedule.lease_due(now=now, due_by=self._began, limit=batch)
            )

            if not self._ready:
                # What others have taken is theirs: it is no use to look again in this run.
                self._left = 0

            elif self._left is not None:
                self._left -= len(self._ready)

        return self._ready.popleft() if self._ready else None

    def again(self, due: Due) -> None:
        """Let `next` return a payment once more that was not asked about."""
        self._ready.appendleft(due)

    def unused(self) -> list[Due]:
        """Return the payments that were taken and nobody has asked about."""
        left = list(self._ready)
        self._ready.clear()
        return left

    def postpone(self, due: Due, until: datetime) -> None:
        """Let a payment be due again no earlier than *until*."""
        try:
            self._storage.schedule.postpone(due.payment_id, until=until)

        except Exception:
            logger.exception(
                "not put back; it is due again by itself", extra={"payment_id": due.payment_id}
            )
