"""Checkouts: the payment of an order, from the payer's click to Spayon's answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.handlers import Handlers
from ..domain.transitions import BARRING, SESSION_LIFETIME, UNKNOWN, Standing, Wish, judge
from ..errors import HandlerError
from .guard import guarded
from .queries import Queries
from .status import NEEDED
from .transactions import LostRaceError, Part, Source, statement, transaction


class Made(NamedTuple):
    """A new payment; *again* is True if there are earlier payments of its order."""

    id: int
    reference: str
    again: bool


class NotNewError(Exception):
    """Spayon gave out a payment session that it had before."""


class Checkouts(Part):
    """Give each order at most one payment that can be paid, and tell *handlers* who pays."""

    def __init__(self, source: Source, handlers: Handlers, queries: Queries) -> None:
        super().__init__(source)
        self._handlers = handlers
        self._queries = queries

    @transaction
    def claim(self, connection: Connection, wish: Wish, *, now: datetime) -> Standing:
        """Return what stands for the order of *wish*.

        If nothing does, a pending payment is committed: the state is `created` then, the payment
        one that is `Made`, and the caller is to ask Spayon for its payment session. Raises
        `HandlerError` if the shop's function for what the payer typed fails.
        """
        key = {"the_order_id": wish.order.order_id, **self.mine}
        rows = connection.execute(self._find_attempts, key)
        # Whoever locks several of them locks them in this order.
        attempts = sorted(rows, key=lambda row: row.id)
        standing = judge(attempts, wish, gateway=self.source.gateway, now=now)
        payment = standing.payment

        # The shop's function for it has to see what is there once our first write has waited.
        if wish.details:
            self.see_present(connection)

        for row in standing.superseded:
            # Somebody decides about this payment at this moment, on what was true until now.
            if connection.execute(self._write_superseded, {"the_id": row.id}).rowcount != 1:
                raise LostRaceError

        if standing.state == "creating" and payment.created_at > now:
            # A host whose clock is ahead would block the order for longer than the limit.
            connection.execute(self._write_created, {"the_id": payment.id, "created_at": now})

        if standing.state == "free":
            # Not held any more since we looked: the payment is paid, perhaps.
            if payment is not None and not self._let_go(connection, payment.id):
                raise LostRaceError

            payment = self._insert(connection, wish, now, again=bool(attempts))
            standing = Standing("created", payment)

        if standing.state in ("created", "live"):
            self._tell(connection, payment.id, wish.details)

        return standing

    @statement
    def _find_attempts(self) -> Any:
        """All payments of an order, those of other gateways too."""
        p = self.payment.c
        judged = (*NEEDED, "gateway", "base_url")
        return select(*(p[name] for name in judged)).where(
            p.order_id == bindparam("the_order_id"), self.is_mine
        )

    def _change(self, *conditions: Any, **values: Any) -> Any:
        """Return an UPDATE that writes *values* to one payment if *conditions* hold."""
        is_it = self.payment.c.id == bindparam("the_id")
        return update(self.payment).where(is_it, *conditions).values(values)

    @statement
    def _write_superseded(self) -> Any:
        return self._change(self.payment.c.status.not_in(BARRING), superseded=True)

    @statement
    def _write_created(self) -> Any:
        return self._change(created_at=bindparam("created_at"))

    def _let_go(self, connection: Connection, payment_id: int) -> bool:
        """Let go of an order, which only a pending payment does. Return True if it did."""
        return bool(connection.execute(self._write_let_go, {"the_id": payment_id}).rowcount == 1)

    @statement
    def _write_let_go(self) -> Any:
        p = self.payment.c
        return self._change(p.status == "pending", p.held_order_id.is_not(None), held_order_id=None)

    def _insert(self, connection: Connection, wish: Wish, now: datetime, *, again: bool) -> Made:
        order = wish.order
        # Unguessable: it opens the cancel page.
        reference = secrets.token_urlsafe(24)
        row = {
            "account": self.account,
            "gateway": self.source.gateway,
            "order_id": order.order_id,
            "order_key": order.key,
            "base_url": wish.base_url,
            "held_order_id": order.order_id,
            "reference": reference,
            "status": "pending",
            "product_id": order.product_id,
            "product_name": order.product_name,
            "price": order.price,
            "currency": order.currency,
            "language": order.language,
            "created_at": now,
            "updated_at": now,
            "due_at": now + SESSION_LIFETIME,
            "superseded": False,
        }

        try:
            result: Any = connection.execute(self._insert_payment, row)
        except IntegrityError as error:
            raise LostRaceError from error

        return Made(int(result.inserted_primary_key[0]), reference, again)

    @statement
    def _insert_payment(self) -> Any:
        return insert(self.payment)

    def _tell(
        self, connection: Connection, payment_id: int, details: Mapping[str, str] | None
    ) -> None:
        """Hand *details* to the shop, in the transaction that writes or shares the payment."""
        if not details or not self._handlers.details:
            return

        payment = self._queries.get(payment_id)

        with guarded(self.session, connection):
            for handler in self._handlers.details:
                self._handlers.run(handler, payment, dict(details))

    @transaction
    def settle(
        self,
        connection: Connection,
        payment_id: int,
        session_id: str,
        session_url: str,
        *,
        asked_at: datetime,
        now: datetime,
    ) -> Sequence[Any]:
        """Commit Spayon's answer to a question of *asked_at*; return the reports that came before.

        They are rows with `body`, `source` and `secret_index`. Raises `NotNewError` if another
        payment has this payment session, or if it was over before the question.
        """
        values = {
            "the_id": payment_id,
            "session_id": session_id,
            "session_url": session_url,
            # The payment session began when we asked, at the earliest. To count from the answer
            # would promise the payer time that there is not.
            "expires_at": asked_at + SESSION_LIFETIME,
            "due_at": now,
            "updated_at": now,
        }

        try:
            is_written = connection.execute(self._write_session, values).rowcount == 1
        except IntegrityError as error:
            raise NotNewError from error

        # The payment may have taken over another payment session, by a report that came before.
        if not is_written:
            self._let_go(connection, payment_id)
            return []

        key = {"the_session_id": session_id, **self.mine}
        reports = connection.execute(self._find_reports, key).all()
        since = asked_at - SESSION_LIFETIME

        # No payment session lives so long: it was over when we asked for a new one.
        if any(row.received_at < since for row in reports):
            raise NotNewError

        return [row for row in reports if row.verdict == UNKNOWN]

    @statement
    def _write_session(self) -> Any:
        p = self.payment.c
        # The parameter of a case takes no type from the column that is written.
        due_at = bindparam("due_at", type_=p.due_at.type)
        names = ("session_id", "session_url", "expires_at", "updated_at")
        return self._change(
            or_(p.session_id.is_(None), p.session_id == bindparam("session_id")),
            **{name: bindparam(name) for name in names},
            # A callback may have been quicker, and then there is nothing left to ask.
            due_at=case((p.status == "pending", due_at), else_=p.due_at),
        )

    @statement
    def _find_reports(self) -> Any:
        c = self.callback.c
        names = (c.body, c.source, c.secret_index, c.verdict, c.received_at)
        return select(*names).where(
            c.session_id == bindparam("the_session_id"),
            c.account == bindparam("the_account"),
        )

    def release(self, payment_id: int, *, was_sent: bool = True) -> None:
        """Let go of the order of a payment whose creation failed: the payer may try again at once.

        If the question reached Spayon (*was_sent*), Spayon may have created the payment session all
        the same. Then a row stays pending, to which a report can belong: one for each order and
        price, however often the payer tries. Any other row is removed, unless a row of the shop
        refers to it.
        """
        try:
            self._release(payment_id, was_sent=was_sent)
        except (IntegrityError, HandlerError):
            # The shop's `on_details` wrote that row, for instance.
            self._keep(payment_id)

    @transaction
    def _keep(self, connection: Connection, payment_id: int) -> None:
        self._let_go(connection, payment_id)

    @transaction
    def _release(self, connection: Connection, payment_id: int, *, was_sent: bool) -> None:
        key = {"the_id": payment_id}
        is_wanted = was_sent and connection.execute(self._find_twin, key).first() is None

        # A report may have been quicker than the answer, and then it stays.
        if is_wanted or connection.execute(self._remove_unanswered, key).rowcount != 1:
            self._let_go(connection, payment_id)

    @statement
    def _find_twin(self) -> Any:
        """Another payment without an answer that asks for the same, and may wait for a report."""
        p, twin = self.payment.c, self.payment.alias("twin").c
        # PostgreSQL takes no index for IS NOT DISTINCT FROM, so only for what may be NULL.
        names = ("account", "gateway", "order_id", "superseded")
        may_be_null = ("product_id", "price", "currency")
        return select(twin.id).where(
            p.id == bindparam("the_id"),
            twin.id != p.id,
            *(twin[name] == p[name] for name in names),
            *(twin[name].is_not_distinct_from(p[name]) for name in may_be_null),
            *_waits_for_answer(twin),
            # Not one that is being created at this moment, which may be removed as well.
            twin.held_order_id.is_(None),
        )

    @statement
    def _remove_unanswered(self) -> Any:
        p = self.payment.c
        return delete(self.payment).where(p.id == bindparam("the_id"), *_waits_for_answer(p))


def _waits_for_answer(payment: Any) -> tuple[Any, Any]:
    """Return the conditions that Spayon has not answered the creation of a payment."""
    return payment.session_id.is_(None), payment.status == "pending"
