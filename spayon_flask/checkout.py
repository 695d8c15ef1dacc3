"""Checkout: from an order to a payment session that the payer can be sent to."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from datetime import timezone
from pathlib import Path
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from . import signals
from .client import Client
from .errors import GatewayError
from .errors import GatewayUnavailableError
from .errors import HandlerError
from .errors import OrderNotPayableError
from .errors import UnexpectedAnswerError
from .handlers import Handlers
from .handlers import load_order
from .models import PaymentMixin
from .orders import Order
from .orders import attempt_id
from .reports import Report
from .storage import Claim
from .storage import Storage


logger = logging.getLogger(__name__)

#: Seconds between two looks at a payment session that another request is creating.
_POLL_SECONDS = 0.1

#: Seconds for which a payer waits for that other request.
_WAIT_SECONDS = 15.0

_MAX_CREATIONS = 3

#: If the question about a lapsed payment session took longer than so many seconds, no other session
#: is asked for: the payer is to read of it before a server such as gunicorn ends the worker, after
#: 30 seconds by default. To ask for a token and for a payment session takes up to 26 by itself.
_PATIENCE = 4.0

#: Before any payment was made.
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)

_OURS = str(Path(__file__).parent)


class Links(NamedTuple):
    """The shop's own absolute URLs that a payment session is created with."""

    callback_url: str
    return_url: str
    cancel_url: str


class _InUseError(Exception):
    """Spayon gave out a payment session that another payment has."""


class Checkout:
    """Create payment sessions through *client*, at most one that can be paid for each order.

    *refresh* asks Spayon about the payment with an id, as often as it may. *handlers* knows how to
    load an order again. *links* makes the shop's own URLs from a payment's reference and language.
    """

    def __init__(
        self,
        account: str,
        client: Client,
        storage: Storage,
        handlers: Handlers,
        refresh: Callable[[int], object],
        links: Callable[[str, str | None], Links],
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account = account
        self._client = client
        self._storage = storage
        self._handlers = handlers
        self._refresh = refresh
        self._links = links
        self._clock = clock
        self._sleep = sleep

    def start(
        self,
        order: Order,
        details: Mapping[str, str] | None = None,
        *,
        was_loaded: bool = False,
    ) -> PaymentMixin:
        """Return the payment that *order* is paid with.

        *details* is what the payer typed, for the shop's `on_details`. An order that *was_loaded*
        is loaded again before it displaces a payment of another price: the shop may have changed
        the order since. Raises `OrderNotPayableError` if the order is paid or under review, a
        `GatewayError` if no payment session could be had (the order stays payable then),
        `HandlerError`, and the errors of *links*.
        """
        # Before a row is written, for links that Spayon would not take.
        host = urlsplit(self._links("reference", order.language).callback_url).netloc
        loaded_at = _LONG_AGO if was_loaded else self._clock()
        known = 0
        given_up: int | None = None
        creations = 0
        is_in_use = False
        waited = 0.0

        while waited < _WAIT_SECONDS and creations < _MAX_CREATIONS:
            claim = self._claim(
                order,
                host=host,
                loaded_at=loaded_at,
                known=known,
                give_up=given_up,
                details=details,
            )

            if claim.state == "live":
                return self._storage.queries.get(claim.payment_id)

            if claim.state in ("paid", "review"):
                raise self._not_payable(claim.payment_id)

            if claim.state == "created":
                creations += 1

                try:
                    payment = self._create(order, claim, with_own_id=is_in_use)

                except _InUseError:
                    is_in_use = True

                else:
                    if payment is not None:
                        return payment

            elif claim.state == "lapsed":
                began = time.monotonic()
                self._ask(claim.payment_id)
                given_up = claim.payment_id

                if time.monotonic() - began > _PATIENCE:
                    raise GatewayUnavailableError("Spayon answers too slowly")

            elif claim.state == "changed":
                known = claim.payment_id

            else:
                self._sleep(_POLL_SECONDS)
                waited += _POLL_SECONDS

            # Meanwhile the shop may have changed the order.
            order = self._load_again(order)

        if creations:
            raise UnexpectedAnswerError("Spayon gives out payment sessions that are in use already")

        raise GatewayUnavailableError("another request is still creating the payment session")

    def _claim(self, order: Order, **options: Any) -> Claim:
        try:
            return self._storage.checkouts.claim(order, now=self._clock(), **options)

        except HandlerError as error:
            # What failed may quote what the payer typed, which no log is to hold.
            raise HandlerError(f"{error}{_place(error.__cause__)}") from None

    def _load_again(self, order: Order) -> Order:
        """Return *order* as the shop knows it now, with what the payer has typed."""
        if self._handlers.order_loader is None:
            return order

        found = load_order(self._handlers, order.key or order.order_id)

        if found is None or found.order_id != order.order_id:
            return order

        return replace(
            found,
            email=found.email or order.email,
            full_name=found.full_name or order.full_name,
            language=found.language or order.language,
        )

    def _create(self, order: Order, claim: Claim, *, with_own_id: bool) -> PaymentMixin | None:
        """Return the payment, or None if it lost its order while Spayon was asked.

        Raises `_InUseError` if Spayon answers with the payment session of another payment: perhaps
        the one that Spayon had for the order id before. *with_own_id* asks with an order id that
        only this attempt has.
        """
        own_id = attempt_id(order.order_id, claim.reference) if claim.again else None

        if with_own_id and own_id is not None:
            order = replace(order, order_id=own_id)

        urls = self._links(claim.reference, order.language)
        asked_at = self._clock()

        try:
            answer = self._client.create_session(
                order,
                callback_url=urls.callback_url,
                return_url=urls.return_url,
                cancel_url=urls.cancel_url,
                attempt_id=own_id,
            )

        except GatewayError as error:
            was_sent = not isinstance(error, GatewayUnavailableError) or error.sent
            self._storage.creations.release(claim.payment_id, was_sent=was_sent)
            raise

        early = self._storage.creations.settle(
            claim.payment_id,
            answer.session_id,
            answer.session_url,
            asked_at=asked_at,
            now=self._clock(),
        )

        if early is None:
            # Spayon has answered: there is no other session that this row could belong to.
            self._storage.creations.release(claim.payment_id, was_sent=False)
            raise _InUseError

        for each in early:
            self._apply(each.body, each.source, each.secret_index)

        payment = self._storage.queries.get(claim.payment_id)

        if payment.status in ("paid", "review"):
            raise self._not_payable(payment.id)

        # Another request has changed the order, or nothing is to be paid any more.
        if payment.status != "pending" or payment.held_order_id is None or payment.superseded:
            return None

        logger.info(
            "payment session created",
            extra={"account": self._account, "session_id": payment.session_id},
        )
        signals.announce(signals.checkout_started, self._account, payment=payment)
        return payment

    def _apply(self, body: bytes, source: str, secret_index: int | None) -> None:
        report = Report.from_json(body)

        try:
            self._storage.recorder.record(
                report, source=source, now=self._clock(), secret_index=secret_index
            )

        except HandlerError:
            logger.exception(
                "the handler failed on an early report; a status check will repeat it",
                extra={"account": self._account, "session_id": report.session_id},
            )

    def _ask(self, payment_id: int) -> None:
        # Before the order is paid anew: perhaps only the callback of the last attempt is missing.
        try:
            self._refresh(payment_id)

        except GatewayError as error:
            logger.warning(
                "no status of the lapsed payment session: %s",
                error,
                extra={"account": self._account, "payment_id": payment_id},
            )

    def _not_payable(self, payment_id: int) -> OrderNotPayableError:
        payment = self._storage.queries.get(payment_id)
        what = "paid already" if payment.status == "paid" else "under review"
        return OrderNotPayableError(f"order {payment.order_id!r} is {what}", payment)


def _place(error: BaseException | None) -> str:
    """Return the line at which *error* was raised in the shop's code: `, at shop.py:12`."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else ()
    last = ""

    for frame in frames:
        if "site-packages" not in frame.filename and _OURS not in frame.filename:
            last = f", at {Path(frame.filename).name}:{frame.lineno}"

    return last
