"""ReportStatements: what recording a report asks of the two tables, built once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from sqlalchemy import Enum
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import TypeDecorator
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import cast
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import literal_column
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update

from ..verdicts import ENDED
from .prepared_statement import PreparedStatement
from .statements import NEEDED


#: What an unknown report keeps once its payment is known, and what is written anew.
KEPT = ("session_id", "status", "received_at")
ADOPTED = ("account", "source", "verdict", "body", "secret_index", "dispatch_at")

#: What our mixins have no use for, but for the price.
_OWN_TYPES = (TypeDecorator, Enum)


class ReportStatements:
    """Core statements over the tables *payment* and *callback*, for any number of executions.

    Bound parameters that would clash with a column's name begin with `the_`.
    """

    def __init__(self, payment: Table, callback: Table) -> None:
        self._payment = payment
        self._callback = callback
        p, c = payment.c, callback.c

        #: Whether one statement can do: the database says of a payment what a shop's own types of
        #: columns would say, a status is text in both tables, and no columns of the shop's own are
        #: filled in by Python, which SQLAlchemy does only for the last of a statement's parts.
        self.are_plain = not (
            any(isinstance(p[name].type, _OWN_TYPES) for name in NEEDED if name != "price")
            or isinstance(c.status.type, _OWN_TYPES)
            or any(each.default is not None for each in c if each.name not in (*KEPT, *ADOPTED))
            or any(each.onupdate is not None for each in p)
        )
        needed = [p[name] for name in NEEDED]
        mine = p.account == bindparam("the_account")
        anchor = select(literal_column("1").label("one")).subquery("anchor")

        # Always true, and said only so that SQLAlchemy's linter sees how the tables hang together.
        near_p, near_c = p.id >= anchor.c.one, c.id >= anchor.c.one

        #: The payment of a payment session, of whatever account, and the callback row of this very
        #: report: one row, whatever there is of the two.
        known = anchor.outerjoin(
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
            .values({name: bindparam(name) for name in ADOPTED})
        )

    @cached_property
    def insert_report(self) -> PreparedStatement:
        """The callback row and the status in one, as one JSON array; for PostgreSQL.

        The row is inserted unless it is there. Only with it, a payment that is pending is given the
        status, which is what most reports come to; who executes this has yet to decide. Returned
        are the id of the new row, the payment as it was before it was written (both None where
        there was no such thing to do), and id and verdict of the row that was there, or None.
        """
        # Imported where it is needed: a shop on another database has no use for it.
        from sqlalchemy.dialects.postgresql import insert as insert_unless_there  # noqa: PLC0415  on demand

        p, c = self._payment.c, self._callback.c
        session_id: Any = bindparam("the_session_id", type_=c.session_id.type)
        status: Any = bindparam("the_status", type_=c.status.type)
        known = (
            select(c.id, c.verdict)
            .where(c.session_id == session_id, c.status == status)
            .cte("known")
        )
        names = (*KEPT, *ADOPTED)
        # Not VALUES: a duplicate would be made a row, with an id, before it is seen to be one.
        row = [cast(bindparam(f"the_{name}", type_=c[name].type), c[name].type) for name in names]
        fresh = (
            insert_unless_there(self._callback)
            .from_select(names, select(*row).where(~select(known.c.id).exists()))
            .on_conflict_do_nothing(index_elements=[c.session_id, c.status])
            .returning(c.id)
            .cte("fresh")
        )
        # RETURNING knows only what is there now; what it was, the condition says.
        was = {
            "status": _text("pending"),
            "held_order_id": p.order_id,
            "price": cast(p.price, Text),
        }
        before = [was.get(name, p[name]) for name in NEEDED]
        written = (
            update(self._payment)
            .where(
                select(fresh.c.id).exists(),
                p.session_id == session_id,
                # Not `=`: before an ANALYZE, PostgreSQL might go by the index of accounts.
                p.account.is_not_distinct_from(bindparam("the_account")),
                p.status == _text("pending"),
                p.held_order_id == p.order_id,
                p.product_id.is_(None),
                ~p.superseded,
                or_(*(status == _text(each) for each in ("paid", *ENDED))),
            )
            .values(
                status=status,
                held_order_id=case((status == _text("paid"), p.held_order_id)),
                updated_at=bindparam("the_received_at"),
                **{name: bindparam(f"the_{name}") for name in ("decline_reasons", "due_at")},
            )
            .returning(func.json_build_array(*before).label("before"))
            .cte("written")
        )
        # One column, since columns take a driver's time.
        answer = func.json_build_array(
            select(fresh.c.id).scalar_subquery(),
            select(written.c.before).scalar_subquery(),
            select(func.json_build_array(known.c.id, known.c.verdict)).scalar_subquery(),
        )
        return PreparedStatement(select(cast(answer, Text)))


def _text(value: str) -> Any:
    # Not a parameter, of which each is bound anew with each execution.
    return literal_column(f"'{value}'")
