"""Standing: how an order stands, as far as anybody knows, with all attempts to pay it.

The pages speak for the order and not for one attempt: a payer decides by them whether to pay again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from typing import Any
from typing import NamedTuple

from ..errors import GatewayError
from ..errors import SpayonError
from ..state import AppState


logger = logging.getLogger(__name__)

#: So many attempts of an order are asked about for one page, the newest first.
_MOST_ASKED = 3

#: Seconds after which no further attempt is asked about for one page.
_PATIENCE = 5.0

#: An attempt whose creation Spayon never answered counts for as long as its session may live.
_UNANSWERED = timedelta(minutes=15)


class Standing(NamedTuple):
    """How an order stands: *state* is one word for the templates.

    `paid`, `failed`, `expired`, `pending`, `review`: the payment of the page. `closed`: the shop
    has refused a payment after a review. `elsewhere`: another payment has paid the order. `second`:
    under review because another payment has paid the order. `begun`: another payment of the order
    is under way. `new`: nothing has been attempted, or nothing that counts any more.

    *payment* is that of the page, as it is now, and *other* the one to look at in its place.
    *sure* is True if Spayon has answered just now about every attempt that could hold money: a page
    may say that nothing was charged then, and only then. *reached* is False if a call has failed,
    *recorded* if Spayon has answered, and what it said could not be recorded. What could not be
    recorded is news, so that a payment which had failed or expired is `pending` then.
    """

    state: str
    payment: Any = None
    other: Any = None
    sure: bool = False
    reached: bool = True
    recorded: bool = True


def standing_of(state: AppState, order_id: str, payment: Any = None) -> Standing:
    """Return how the order *order_id* stands, having asked Spayon as often as that may be done.

    *payment* is the one whose page is shown; the checkout page has none.
    """
    payment_id = None if payment is None else payment.id
    state.storage.commit_earlier_work()
    attempts = state.storage.queries.attempts(order_id)
    heard: set[int] = set()
    asked, began = _Asked(), time.monotonic()

    for each in _worth_asking(attempts, payment_id):
        asked = _ask(state, each)

        if asked.heard:
            heard.add(each)

        # A gateway that is away or slow would keep the payer waiting once more for each attempt.
        if not (asked.reached and asked.recorded) or time.monotonic() - began > _PATIENCE:
            break

    attempts = state.storage.queries.attempts(order_id)
    mine = next((each for each in attempts if each.id == payment_id), None)
    now = state.clock()
    word, other = _judge(mine, attempts, now)

    # Perhaps it was paid after all: this is no time to pay again.
    if not asked.recorded and word in ("failed", "expired"):
        word = "pending"

    sure = word in ("pending", "failed", "expired") and all(
        each.id in heard
        or _has_just_failed(each, now - state.settings.status_interval)
        or not _may_hold_money(each, now)
        for each in attempts
    )
    sure = sure and asked.recorded
    return Standing(word, mine, other, sure, asked.reached, asked.recorded)


def _worth_asking(attempts: Sequence[Any], payment_id: int | None) -> list[int]:
    """Return the ids of the attempts to ask about: that of the page, then the others.

    A bank may be slow: of an attempt that failed or expired Spayon may yet say that it was paid.
    The checkout page claims nothing, so it asks about those alone that are pending. Once the order
    is paid there is nothing to find out but how the payment of this page ends.
    """
    is_paid = any(each.status == "paid" for each in attempts)
    statuses = ("pending",) if payment_id is None or is_paid else ("pending", "failed", "expired")
    open_ = [
        each
        for each in attempts
        if each.session_id is not None
        and each.status in statuses
        and not is_closed(each)
        and (each.id == payment_id or not is_paid)
    ]
    open_.sort(key=lambda each: (each.id != payment_id, each.status != "pending", -each.id))
    return [each.id for each in open_[:_MOST_ASKED]]


class _Asked(NamedTuple):
    """What came of a status call: Spayon has answered, was reached, and its word is recorded."""

    heard: bool = False
    reached: bool = True
    recorded: bool = True


def _ask(state: AppState, payment_id: int) -> _Asked:
    ids = {"account": state.name, "payment_id": payment_id}

    try:
        return _Asked(heard=state.reconciler.look(payment_id))

    except GatewayError as error:
        logger.warning("no status for the page: %s", error, extra=ids)
        return _Asked(reached=False)

    except SpayonError:
        logger.exception("the status for the page could not be recorded", extra=ids)
        return _Asked(recorded=False)


def _judge(mine: Any, attempts: Sequence[Any], now: datetime) -> tuple[str, Any]:
    """Return the word for how the order stands, and the payment to look at in place of *mine*."""
    others = [each for each in attempts if each is not mine]
    paid = _newest(others, "paid")
    status = None if mine is None else mine.status

    if status == "paid":
        return "paid", None

    if paid is not None:
        return ("second" if status == "review" else "elsewhere"), paid

    if status == "review":
        return "review", None

    if (review := _newest(others, "review")) is not None:
        return "review", review

    if status == "pending":
        return "pending", None

    if (begun := _under_way(others, now)) is not None:
        return "begun", begun

    if any(is_closed(each) for each in attempts):
        return "closed", None

    return status or "new", None


def _newest(attempts: Sequence[Any], status: str) -> Any:
    return max(
        (each for each in attempts if each.status == status),
        key=lambda each: each.id,
        default=None,
    )


def _under_way(attempts: Sequence[Any], now: datetime) -> Any:
    return max(
        (each for each in attempts if each.status == "pending" and _may_hold_money(each, now)),
        key=lambda each: (each.session_id is not None, each.id),
        default=None,
    )


def is_closed(payment: Any) -> bool:
    """Return True if a person has refused *payment*: its money may be with the shop or not."""
    return bool(payment.status == "failed" and payment.reviewed_at is not None)


def _has_just_failed(payment: Any, since: datetime) -> bool:
    """Return True if Spayon has said later than *since* that *payment* failed.

    A payer who loads the page again at once should read the same. While a payment is pending this
    does not do: the payer can pay within the interval, and be back.
    """
    return bool(
        payment.status == "failed" and not is_closed(payment) and payment.updated_at > since
    )


def _may_hold_money(payment: Any, now: datetime) -> bool:
    """Return True unless nobody can have paid by *payment*."""
    if payment.session_id is not None:
        return True

    # Nobody knows its session, and by now Spayon takes no money for it any more.
    return bool(payment.status == "pending" and now < payment.created_at + _UNANSWERED)
