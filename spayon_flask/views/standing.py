"""Standing: how an order stands, as far as anybody knows, with all attempts to pay it.

The pages speak for the order and not for one attempt: a payer decides by them whether to pay again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from ..errors import GatewayError, SpayonError
from ..state import AppState

logger = logging.getLogger(__name__)

#: So many attempts of an order are asked about for one page, the newest first.
_MOST_ASKED = 3

#: Seconds for which one page asks Spayon, about all attempts together: it holds a worker meanwhile.
_PATIENCE = 2.0

#: An attempt whose creation Spayon never answered is under way as long as its session may live.
_UNANSWERED = timedelta(minutes=15)


class OrderState(str, Enum):
    """How an order stands. The templates know these by their values; `parts.html` has the words.

    The first four are about what a payer can do: they are for the checkout and the cancel page.
    """

    #: The order, or the payment of the page, can be paid.
    PAYABLE = "payable"
    #: The order can be paid by a payment session that is open already.
    RESUME = "resume"
    #: The order is not any more what the payment of the page asks for.
    CHANGED = "changed"
    #: The shop has closed the order.
    CLOSED = "closed"
    #: Spayon has not told how the payment of the page ended, or that could not be recorded.
    PENDING = "pending"
    #: The payment of the page has paid the order.
    PAID = "paid"
    #: Spayon has said so of the payment of the page, and no other payment is under way.
    FAILED = "failed"
    EXPIRED = "expired"
    #: A person has to look at the payment of the page, or at another one of the order.
    REVIEW = "review"
    #: A person has to look at the payment of the page: another one has paid the order.
    SECOND = "second"
    #: A person has refused a payment of the order: its money may be with the shop or not.
    REFUSED = "refused"
    #: Another payment has paid the order.
    ELSEWHERE = "elsewhere"
    #: Another payment of the order is under way.
    BEGUN = "begun"


class Certainty(str, Enum):
    """What the state of an order rests on."""

    #: Spayon has just answered about every attempt. Only now may a page say "nothing was charged".
    SURE = "sure"
    UNSURE = "unsure"
    #: Spayon was asked and gave no answer.
    UNREACHED = "unreached"
    #: Spayon has answered, and the answer could not be recorded: a handler failed.
    UNRECORDED = "unrecorded"


class Standing(NamedTuple):
    """How an order stands, and what that rests on.

    *payment* is that of the page, as it is now, and *other* the one to look at in its place.
    """

    state: OrderState
    certainty: Certainty
    payment: Any = None
    other: Any = None


def standing_of_order(state: AppState, order_id: str) -> Standing:
    """Return how the order *order_id* stands by our tables; Spayon is not asked.

    Its payment is the last one, if that has failed and no other is the one to look at.
    """
    attempts = state.storage.queries.attempts(order_id)
    found, other = _judge(None, attempts, state.clock())
    last = attempts[-1] if attempts and other is None and attempts[-1].status == "failed" else None
    return Standing(found, Certainty.UNSURE, last, other)


def standing_of_payment(state: AppState, attempts: Sequence[Any], mine: Any) -> Standing:
    """Return how the order of the payment *mine* stands, having asked Spayon if that may be done.

    *attempts* are the rows of all payments of the order, *mine* is one of them.
    """
    queries = state.storage.queries
    state.storage.commit_earlier_work()
    asked = _worth_asking(attempts, mine)
    heard, trouble = _ask(state, asked)

    if any(each.status != heard.get(each.id) for each in asked):
        attempts = queries.attempts(mine.order_id)
        mine = next(each for each in attempts if each.id == mine.id)

    now = state.clock()
    found, other = _judge(mine, attempts, now)
    since = now - state.settings.status_interval
    certainty = trouble or Certainty.UNSURE

    # Perhaps the payment was paid after all: this is no time to pay again.
    if trouble is Certainty.UNRECORDED and found in (OrderState.FAILED, OrderState.EXPIRED):
        found = OrderState.PENDING

    if trouble is not Certainty.UNRECORDED and all(
        _is_known(each, heard, since) for each in attempts
    ):
        certainty = Certainty.SURE

    return Standing(found, certainty, queries.loaded(mine), other and queries.loaded(other))


def _worth_asking(attempts: Sequence[Any], mine: Any) -> list[Any]:
    """Return the attempts to ask about: that of the page, then the others.

    A bank may be slow: of an attempt that failed or expired Spayon may yet say that it was paid.
    Once the order is paid there is nothing to find out but how the payment of this page ends.
    """
    is_paid = any(each.status == "paid" for each in attempts)
    statuses = ("pending",) if is_paid else ("pending", "failed", "expired")
    open_ = [
        each
        for each in attempts
        if each.session_id is not None
        and each.status in statuses
        and not is_refused(each)
        and (each is mine or not is_paid)
    ]
    open_.sort(key=lambda each: (each is not mine, each.status != "pending", -each.id))
    return open_[:_MOST_ASKED]


def _ask(state: AppState, attempts: Sequence[Any]) -> tuple[dict[int, str], Certainty | None]:
    """Ask Spayon about *attempts*; return the status of each by its id, and what went wrong.

    If somebody has asked about one just now, its answer is in the tables, and it has no status.
    """
    heard: dict[int, str] = {}
    give_up_at = time.monotonic() + _PATIENCE

    for each in attempts:
        ids = {"account": state.name, "payment_id": each.id}
        left = give_up_at - time.monotonic()

        try:
            if left > 0 and (status := state.reconciler.refresh(each, within=left).status):
                heard[each.id] = status

        except GatewayError as error:
            logger.warning("no status for the page: %s", error, extra=ids)
            return heard, Certainty.UNREACHED

        except SpayonError:
            logger.exception("the status for the page could not be recorded", extra=ids)
            return heard, Certainty.UNRECORDED

    return heard, None


def _judge(mine: Any, attempts: Sequence[Any], now: datetime) -> tuple[OrderState, Any]:
    """Return how the order stands, and the payment to look at in place of *mine*.

    *attempts* are ordered, the oldest first.
    """
    others = [each for each in attempts if each is not mine]
    paid, review = _newest(others, "paid"), _newest(others, "review")
    status = "payable" if mine is None else mine.status

    if status == "paid":
        return OrderState.PAID, None

    if paid is not None:
        return (OrderState.SECOND if status == "review" else OrderState.ELSEWHERE), paid

    if status == "review":
        return OrderState.REVIEW, None

    if review is not None:
        return OrderState.REVIEW, review

    if status == "pending":
        return OrderState.PENDING, None

    if (begun := _under_way(others, now)) is not None:
        return OrderState.BEGUN, begun

    return OrderState.REFUSED if any(map(is_refused, attempts)) else OrderState(status), None


def _newest(attempts: Sequence[Any], status: str) -> Any:
    return next((each for each in reversed(attempts) if each.status == status), None)


def _under_way(attempts: Sequence[Any], now: datetime) -> Any:
    """Return the attempt by which the order may be paid at this moment, or None."""
    pending = [each for each in reversed(attempts) if each.status == "pending"]
    known = [each for each in pending if each.session_id is not None]
    unanswered = [each for each in pending if now < each.created_at + _UNANSWERED]
    return next(iter(known + unanswered), None)


def is_refused(payment: Any) -> bool:
    """Return True if a person has refused *payment*: its money may be with the shop or not."""
    return bool(payment.status == "failed" and payment.reviewed_at is not None)


def _is_known(payment: Any, heard: Mapping[int, str], since: datetime) -> bool:
    """Return True if Spayon has just told about *payment*: one of *heard*, or failed after *since*.

    A payer who loads the page of a failed payment again at once should read the same. While a
    payment is pending this does not do: the payer can pay within the interval, and be back. Of an
    attempt without a session id nobody knows anything, however long ago it was.
    """
    if payment.session_id is None or is_refused(payment):
        return False

    return payment.id in heard or (payment.status == "failed" and payment.updated_at > since)
