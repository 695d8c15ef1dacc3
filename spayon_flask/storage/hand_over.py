"""HandOver: callback rows on their way to the shop's dispatcher."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from ..handlers import Handlers
from ..models import CallbackMixin
from .records import DISPATCH_LEASE
from .transactions import with_retries
from .work_statements import WorkStatements


logger = logging.getLogger(__name__)


class HandOver:
    """Give the dispatcher the id of each callback row of *account*: at least once, never lost."""

    def __init__(
        self,
        account: str,
        callback_class: type[CallbackMixin],
        statements: WorkStatements,
        handlers: Handlers,
    ) -> None:
        self._account = account
        self._mapper = inspect(callback_class)
        self._statements = statements
        self._handlers = handlers

    def hand_over(self, session: Session, callback_id: int) -> bool:
        """Call the dispatcher, and say whether it took the row; if it raises, that is logged."""
        dispatcher = self._handlers.dispatcher

        if dispatcher is None:
            return False

        try:
            dispatcher(callback_id)

        except Exception:
            logger.exception(
                "dispatcher failed; reconcile will try again",
                extra={"account": self._account, "callback_id": callback_id},
            )
            return False

        finally:
            # What the dispatcher left in the shop's session is not ours to commit.
            if session.in_transaction():
                session.rollback()

        def work() -> None:
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            connection.execute(self._statements.dispatched, {"the_id": callback_id})
            session.commit()

        with_retries(session, work)
        return True

    def lease(self, session: Session, *, now: datetime, limit: int) -> list[int]:
        """Take at most *limit* rows whose hand-over failed or never finished."""
        if self._handlers.dispatcher is None:
            return []

        def work() -> list[int]:
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            rows = connection.execute(
                self._statements.find_undispatched,
                {"the_account": self._account, "the_now": now, "the_limit": limit},
            ).all()
            leased = []

            for row in rows:
                result = connection.execute(
                    self._statements.lease_dispatch,
                    {
                        "the_id": row.id,
                        "the_dispatch_at": row.dispatch_at,
                        "dispatch_at": now + DISPATCH_LEASE,
                    },
                )

                if result.rowcount == 1:
                    leased.append(row.id)

            session.commit()
            return leased

        return with_retries(session, work)
