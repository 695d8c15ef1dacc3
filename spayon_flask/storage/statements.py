"""Statements: every SQL statement that touches the two tables on a request's way, built once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import insert
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update


#: What a decision needs; the rest of the row is loaded only where a handler asks for it.
NEEDED = (
    "id",
    "account",
    "order_id",
    "reference",
    "session_id",
    "status",
    "review",
    "product_id",
    "product_name",
    "price",
    "currency",
    "held_order_id",
    "superseded",
)


class Statements:
    """Core statements over the tables *payment* and *callback*, for any number of executions.

    Bound parameters that would clash with a column's name begin with `the_`.
    """

    def __init__(self, payment: Table, callback: Table) -> None:
        p, c = payment.c, callback.c
        needed = [p[name] for name in NEEDED]
        mine = p.account == bindparam("the_account")
        self.insert_payment: Any = insert(payment)

        #: The one statement that writes a status. It matches only what was decided upon.
        self.write_status: Any = (
            update(payment)
            .where(
                p.id == bindparam("the_id"),
                p.status == bindparam("the_status"),
                p.superseded == bindparam("the_superseded"),
                or_(p.session_id.is_(None), p.session_id == bindparam("session_id")),
            )
            .values(
                {
                    name: bindparam(name)
                    for name in (
                        "session_id",
                        "status",
                        "review",
                        "price",
                        "currency",
                        "decline_reasons",
                        "held_order_id",
                        "updated_at",
                        "due_at",
                    )
                }
            )
        )

        holder = and_(mine, p.held_order_id == bindparam("the_order_id"))

        #: Whether an order has been paid, by any payment.
        self.find_holder: Any = select(p.id, p.status).where(holder)

        #: A payment session that nobody has paid makes way for one that was.
        self.displace: Any = (
            update(payment).where(holder, p.status == "pending").values(held_order_id=None)
        )

        #: All that stands in the way of a new payment session for an order.
        self.find_standing: Any = select(*needed, p.session_url, p.expires_at, p.created_at).where(
            p.order_id == bindparam("the_order_id"),
            mine,
            or_(p.held_order_id.is_not(None), p.status.in_(("paid", "review"))),
        )

        #: Let go of an order, which only a pending payment does.
        self.let_go: Any = (
            update(payment)
            .where(
                p.id == bindparam("the_id"),
                p.status == "pending",
                p.held_order_id.is_not(None),
            )
            .values(held_order_id=None, superseded=bindparam("superseded"))
        )

        # The parameter of a case takes no type from the column that is written.
        due_at = bindparam("due_at", type_=p.due_at.type)

        #: What Spayon answered to the creation of a payment session.
        self.write_session: Any = (
            update(payment)
            .where(
                p.id == bindparam("the_id"),
                or_(p.session_id.is_(None), p.session_id == bindparam("session_id")),
            )
            .values(
                {
                    name: bindparam(name)
                    for name in ("session_id", "session_url", "expires_at", "updated_at")
                }
                # A callback may have been quicker, and then there is nothing left to ask.
                | {"due_at": case((p.status == "pending", due_at), else_=p.due_at)}
            )
        )

        #: Reports that came before their payment session was known.
        self.find_unknown: Any = select(c.body, c.source, c.secret_index).where(
            c.session_id == bindparam("the_session_id"), c.verdict == "unknown"
        )
