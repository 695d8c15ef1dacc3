"""ReportStatements: what recording a report asks of the two tables, built once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from sqlalchemy import Table
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import insert
from sqlalchemy import literal_column
from sqlalchemy import select
from sqlalchemy import update

from .statements import NEEDED


class ReportStatements:
    """Core statements over the tables *payment* and *callback*, for any number of executions.

    Bound parameters that would clash with a column's name begin with `the_`.
    """

    def __init__(self, payment: Table, callback: Table) -> None:
        self._callback = callback
        p, c = payment.c, callback.c
        needed = [p[name] for name in NEEDED]
        mine = p.account == bindparam("the_account")
        anchor = select(literal_column("1").label("one")).subquery("anchor")

        # Always true, and said only so that SQLAlchemy's linter sees how the tables hang together.
        near_p, near_c = p.id >= anchor.c.one, c.id >= anchor.c.one

        #: The payment of a payment session, of whatever account, and the callback row of this very
        #: report: one row, whatever there is of the two.
        self._anchor = anchor
        self._known = known = anchor.outerjoin(
            payment, and_(p.session_id == bindparam("the_session_id"), near_p)
        ).outerjoin(
            callback,
            and_(
                c.session_id == bindparam("the_session_id"),
                c.status == bindparam("the_status"),
                near_c,
            ),
        )
        self.find_report: Any = select(
            *needed, c.id.label("callback_id"), c.verdict.label("callback_verdict")
        ).select_from(known)

        #: Payments of an order whose answer from Spayon has not come, or was lost.
        self.find_unanswered: Any = select(*needed).where(
            p.order_id == bindparam("the_order_id"), mine, p.session_id.is_(None)
        )

        self.insert_callback: Any = insert(callback)

        #: What a report came to, where it was inserted before that was known.
        self.write_verdict: Any = (
            update(callback)
            .where(c.id == bindparam("the_id"))
            .values({name: bindparam(name) for name in ("verdict", "dispatch_at")})
        )

        #: An unknown report whose payment is known now.
        self.adopt_callback: Any = (
            update(callback)
            .where(c.id == bindparam("the_id"), c.verdict == "unknown")
            .values(
                {
                    name: bindparam(name)
                    for name in (
                        "account",
                        "source",
                        "verdict",
                        "body",
                        "secret_index",
                        "dispatch_at",
                    )
                }
            )
        )

    @cached_property
    def insert_report(self) -> Any:
        """`find_report`, with the callback row inserted unless it is there; for PostgreSQL."""
        # Imported where it is needed: a shop on another database has no use for it.
        from sqlalchemy.dialects.postgresql import insert as insert_unless_there  # noqa: PLC0415  on demand

        c = self._callback.c
        values: dict[str, Any] = {
            name: bindparam(f"the_{name}")
            for name in (
                "account",
                "session_id",
                "status",
                "source",
                "verdict",
                "body",
                "secret_index",
                "received_at",
                "dispatch_at",
            )
        }
        fresh = (
            insert_unless_there(self._callback)
            .values(values)
            .on_conflict_do_nothing(index_elements=[c.session_id, c.status])
            .returning(c.id)
            .cte("fresh")
        )
        return self.find_report.add_columns(fresh.c.id.label("fresh_id")).select_from(
            self._known.outerjoin(fresh, fresh.c.id >= self._anchor.c.one)
        )
