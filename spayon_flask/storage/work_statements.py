"""Statements about work that is left: payments to ask about, rows to hand over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer
from sqlalchemy import Table
from sqlalchemy import bindparam
from sqlalchemy import func
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update

from ..verdicts import ENDED


class WorkStatements:
    """Core statements over the tables *payment* and *callback*, for any number of executions."""

    def __init__(self, payment: Table, callback: Table) -> None:
        p, c = payment.c, callback.c
        mine = p.account == bindparam("the_account")
        limit: Any = bindparam("the_limit", type_=Integer())
        quiet = or_(p.checked_at.is_(None), p.checked_at <= bindparam("quiet_since"))
        # A payment that is paid or under review stays so, whatever Spayon would say.
        ended = or_(*(p.status == status for status in ENDED))
        open_ = or_(p.status == "pending", ended)

        #: The right to ask Spayon about one payment.
        self.claim_check: Any = (
            update(payment)
            .where(p.id == bindparam("the_id"), p.status == "pending", quiet)
            .values(checked_at=bindparam("checked_at"))
        )

        #: Payments that reconcile has to ask about.
        self.find_due: Any = (
            select(p.id, p.session_id, p.status, p.expires_at, p.created_at, p.attempts)
            .where(p.due_at <= bindparam("the_now"), mine, open_, quiet)
            .order_by(p.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        self.lease: Any = (
            update(payment)
            .where(p.id.in_(bindparam("the_ids", expanding=True)))
            .values({name: bindparam(name) for name in ("due_at", "checked_at", "attempts")})
        )
        self.postpone: Any = (
            update(payment)
            .where(p.id == bindparam("the_id"), open_)
            .values(due_at=bindparam("due_at"))
        )
        self.count_due: Any = select(func.count()).where(
            p.due_at <= bindparam("the_now"), mine, open_, quiet
        )

        #: The last question about a payment that has ended has had its answer.
        self.close: Any = (
            update(payment).where(p.id == bindparam("the_id"), ended).values(due_at=None)
        )

        #: SQLite has no row locks; a write, even of nothing, takes the lock of the database.
        self.lock_all: Any = update(payment).where(p.id == -1).values(attempts=0)

        #: Callback rows that the dispatcher has yet to be given.
        self.find_undispatched: Any = (
            select(c.id, c.dispatch_at)
            .where(c.dispatch_at <= bindparam("the_now"), c.account == bindparam("the_account"))
            .order_by(c.dispatch_at)
            .limit(limit)
        )
        self.lease_dispatch: Any = (
            update(callback)
            .where(c.id == bindparam("the_id"), c.dispatch_at == bindparam("the_dispatch_at"))
            .values(dispatch_at=bindparam("dispatch_at"))
        )
        self.dispatched: Any = (
            update(callback).where(c.id == bindparam("the_id")).values(dispatch_at=None)
        )
