"""Checkout: from an order to a payment session that the payer can be sent to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from . import signals
from .client import Client
from .domain.handlers import Handlers, load_order, place_of
from .domain.money import plain
from .domain.orders import Order, OrderLine, attempt_id
from .domain.reports import Report
from .domain.transitions import Standing, Wish, is_being_created
from .errors import (
    GatewayError,
    HandlerError,
    OrderNotPayableError,
    StillCreatingError,
    UnexpectedAnswerError,
)
from .storage import Made, NotNewError, Storage
from .storage.models import PaymentMixin

logger = logging.getLogger(__name__)

#: Seconds between two looks at a payment session that another request is creating.
_POLL_SECONDS = 0.1

#: Seconds for which a payer waits for that other request: a worker is held as long.
WAIT_SECONDS = 2.0

#: Seconds that Spayon has to say how the last attempt ended.
PATIENCE = 2.0

#: No request sees an order change so often.
_MAX_TURNS = 10


class Links(NamedTuple):
    """The shop's own absolute URLs that a payment session is created with, under *base_url*."""

    callback_url: str
    return_url: str
    cancel_url: str
    base_url: str


@dataclass(eq=False, repr=False)
class Checkout:
    """Create payment sessions, at most one that can be paid for each order."""

    account: str
    client: Client
    storage: Storage
    #: They know how to load an order again.
    handlers: Handlers
    #: That of the `Reconciler`.
    refresh: Callable[..., object]
    #: Makes the shop's own URLs from a payment's reference and language.
    links: Callable[[str, str | None], Links]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep

    def start(
        self,
        order: Order,
        details: Mapping[str, str] | None = None,
        *,
        loaded_at: datetime | None = None,
    ) -> PaymentMixin:
        """Return the payment that *order* is paid with.

        *details* is what the payer typed, for the shop's `on_details`. Before the order displaces a
        payment of another price that was made after *loaded_at*, it is loaded again: the shop may
        have changed it since. Without *loaded_at* any payment may be newer.

        Raises `OrderNotPayableError` if the order is paid, under review or closed, a `GatewayError`
        if no payment session could be had (the order stays payable then), `StillCreatingError`
        among them, `HandlerError`, and the errors of *links*.
        """
        # Before a row is written, for links that Spayon would not take.
        base_url = self.links("reference", order.language).base_url
        wish = Wish(order, base_url, details, loaded_at)
        polls = iter(range(int(WAIT_SECONDS / _POLL_SECONDS)))

        for _ in range(_MAX_TURNS):
            standing = self._claim(wish)

            match standing.state:
                case "live":
                    return self.storage.queries.get(standing.payment.id)

                case "paid" | "review" | "closed":
                    raise self._not_payable(standing)

                case "created":
                    if (payment := self._create(wish.order, standing.payment)) is not None:
                        return payment

                    # The request that has changed the order knew it no earlier than this one.
                    wish.takes_any = True

                case "creating":
                    self._wait(standing.payment.reference, polls)

                case "ask":
                    self._ask(standing.payment)
                    wish.asked = standing.payment.id

                case "changed":
                    wish.known = standing.payment.id

            # Meanwhile the shop may have changed the order.
            wish.order = self._load_again(wish.order)

        raise StillCreatingError("other requests go on changing the order")

    def _claim(self, wish: Wish) -> Standing:
        try:
            return self.storage.checkouts.claim(wish, now=self.clock())

        except HandlerError as error:
            # What failed may quote what the payer typed, which no log is to hold.
            raise HandlerError(f"{error}{place_of(error.__cause__ or error)}") from None

    def _wait(self, reference: str, polls: Iterator[int]) -> None:
        """Return once another request has ended its creation of the payment *reference*."""
        for _ in polls:
            self.sleep(_POLL_SECONDS)
            self.storage.queries.look_again()
            payment = self.storage.queries.find(reference=reference)

            if payment is None or not is_being_created(payment, self.clock()):
                return

        raise StillCreatingError("another request is still creating the payment session")

    def _ask(self, payment: object) -> None:
        """Ask before the order is paid anew: perhaps only the callback of this attempt is missing.

        A gateway that takes its time would take as long for a new payment session.
        """
        began = time.monotonic()

        try:
            self.refresh(payment, within=PATIENCE)

        except GatewayError as error:
            if time.monotonic() - began >= PATIENCE:
                raise

            logger.warning(
                "no status of the last attempt: %s", error, extra={"account": self.account}
            )

    def _load_again(self, order: Order) -> Order:
        """Return *order* as the shop knows it now, with what the payer has typed."""
        if self.handlers.order_loader is None:
            return order

        found = load_order(self.handlers, order.key or order.order_id)
        # The loader may have counted that the order was seen.
        self.storage.commit_earlier_work()

        if found is None or found.order_id != order.order_id:
            return order

        return replace(
            found,
            email=found.email or order.email,
            full_name=found.full_name or order.full_name,
            language=found.language or order.language,
        )

    def _create(self, order: Order, made: Made) -> PaymentMixin | None:
        """Return the payment, or None if it lost its order while Spayon was asked.

        If Spayon answers with a payment session that it had before, for the same order id perhaps,
        it is asked again with an id that only this attempt has.
        """
        self._check_lines(order)
        own_id = attempt_id(order.order_id, made.reference)
        links = self.links(made.reference, order.language)._asdict()
        del links["base_url"]

        if made.again:
            links["attempt_id"] = own_id

        for order_id in (order.order_id, own_id):
            asked_at = self.clock()

            try:
                answer = self.client.create_session(replace(order, order_id=order_id), **links)

            except Exception as error:
                self.storage.checkouts.release(made.id, was_sent=getattr(error, "sent", True))
                raise

            with suppress(NotNewError):
                early = self.storage.checkouts.settle(
                    made.id, *answer, asked_at=asked_at, now=self.clock()
                )
                return self._finish(made.id, early)

        # Spayon has answered: there is no other session that this row could belong to.
        self.storage.checkouts.release(made.id, was_sent=False)
        raise UnexpectedAnswerError("Spayon gives out payment sessions that are in use already")

    def _finish(self, payment_id: int, early: Sequence[Any]) -> PaymentMixin | None:
        """Apply the reports that were *early*; return the payment if it can be paid now."""
        for row in early:
            # One whose body was removed (`prune --bodies`) is asked about, as any other.
            if row.body:
                self._apply(row)

        payment = self.storage.queries.get(payment_id)

        # Another request has changed the order, or nothing is to be paid any more.
        if payment.status != "pending" or payment.held_order_id is None or payment.superseded:
            return None

        logger.info(
            "payment session created",
            extra={"account": self.account, "session_id": payment.session_id},
        )
        self.storage.outbox.tell(signals.checkout_started, payment=payment)
        return payment

    def _apply(self, row: Any) -> None:
        report = Report.from_json(bytes(row.body))

        try:
            self.storage.recorder.record(
                report, source=row.source, now=self.clock(), secret_index=row.secret_index
            )

        except HandlerError:
            logger.exception(
                "the handler failed on an early report; a status check will repeat it",
                extra={"account": self.account, "session_id": report.session_id},
            )

    def _not_payable(self, standing: Standing) -> OrderNotPayableError:
        if standing.payment is None:
            return OrderNotPayableError("the shop has closed the order", None)

        payment = self.storage.queries.get(standing.payment.id)
        what = "paid already" if payment.status == "paid" else "under review"
        return OrderNotPayableError(f"order {payment.order_id!r} is {what}", payment)

    def _check_lines(self, order: Order) -> None:
        """Log that the lines of *order* do not add up: the payer sees both."""
        lines = [line for line in order.lines if isinstance(line, OrderLine)]
        total = sum((line.total for line in lines), Decimal(0))

        if lines and order.price is not None and total != order.price:
            logger.warning(
                "the lines of the order make %s, but its price is %s",
                plain(total),
                plain(order.price),
                extra={"account": self.account, "order_id": order.order_id},
            )
