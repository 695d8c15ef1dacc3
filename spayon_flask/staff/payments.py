"""Payments: the list, one with all that happened to it, and those of a period for the books."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask import Response
from flask import redirect
from flask import request
from flask import stream_with_context
from flask import url_for
from flask.typing import ResponseReturnValue

from ..errors import GatewayError
from ..errors import SpayonError
from ..exports import amount_of
from ..exports import write_csv
from ..handlers import load_order
from ..orders import MAX_ID_LENGTH
from ..orders import has_control_characters
from ..orders import names_order
from ..reports import read_stored
from ..storage.ledger import Filter
from ..storage.ledger import Key
from .desk import Desk
from .desk import guarded
from .forms import Period
from .forms import read_day
from .forms import read_key
from .forms import write_key
from .story import doubt
from .story import tell


logger = logging.getLogger(__name__)

STATUSES = ("paid", "review", "pending", "failed", "expired")

#: Ids are smaller.
MAX_ID = 2**63

#: Payments on one page.
SHOWN = 50


def find(desk: Desk) -> ResponseReturnValue:
    """List payments, newest first, by what the URL asks for."""
    args = request.args
    text = args.get("q", "").strip()
    status = args.get("status", "")
    period = Period(read_day(args.get("from", "")), read_day(args.get("to", "")), desk.zone)
    usable = len(text) <= MAX_ID_LENGTH and not has_control_characters(text)
    wanted = Filter(
        status=status if status in STATUSES else None,
        since=period.since,
        until=period.until,
        text=text or None,
    )
    after = read_key(args.get("after", ""))
    found = desk.state.storage.ledger.page(wanted, limit=SHOWN, after=after) if usable else None
    rows = found.rows if found else []
    asked = {
        "q": text,
        "status": wanted.status or "",
        "from": period.first or "",
        "to": period.last or "",
    }
    kept: dict[str, Any] = {name: str(value) for name, value in asked.items() if value}
    return desk.page(
        "payments.html",
        asked=asked,
        is_asked=bool(kept),
        statuses=STATUSES,
        payments=rows,
        totals=_totals(rows),
        newest_url=url_for(".payments", **kept) if after else None,
        next_url=_next(found.after if found else None, kept),
        looked_back_to=found and found.looked_back_to,
        whole=found and found.whole,
    )


def _next(after: Key | None, kept: dict[str, Any]) -> str | None:
    return None if after is None else url_for(".payments", **kept, after=write_key(after))


def _totals(rows: Sequence[Any]) -> list[tuple[str, int, Decimal]]:
    """Add up those of *rows* that are paid: currency, how many, how much."""
    sums: dict[str, tuple[int, Decimal]] = {}

    for row in rows:
        amount, currency = amount_of(row)

        if row.status == "paid" and amount is not None and currency is not None:
            number, so_far = sums.get(currency, (0, Decimal(0)))
            sums[currency] = (number + 1, so_far + amount)

    return [(currency, *sums[currency]) for currency in sorted(sums)]


def show(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Show one payment."""
    payment = desk.state.storage.ledger.find(payment_id)

    if payment is None:
        return desk.sorry(404, desk.language.gettext("There is no such payment."))

    return show_payment(desk, payment)


def show_payment(
    desk: Desk, payment: Any, status_code: int = 200, alert: str | None = None
) -> ResponseReturnValue:
    """Return the page of *payment*; *alert* says what went wrong."""
    queries = desk.state.storage.queries
    reports = queries.callbacks(payment.session_id) if payment.session_id else []
    reported_order = _reported_order(reports)
    price, currency = payment.reported_price, payment.reported_currency
    said = request.args.get("said", "")
    return desk.page(
        "payment.html",
        status_code,
        payment=payment,
        alert=alert,
        said=said if said in ("paid", "failed", "expired", "pending", "other") else None,
        doubt=doubt(payment.review, desk.language) if payment.status == "review" else None,
        story=tell(payment, reports, desk.language),
        reported_price=None
        if price is None or currency is None
        else desk.language.price(price, currency),
        reported_order=reported_order,
        price_differs=payment.product_id is None
        and payment.paid_at is not None
        and (price, currency) != (payment.price, payment.currency),
        order_differs=reported_order is not None
        and not names_order(reported_order, payment.order_id, payment.reference),
        attempts=[each for each in queries.attempts(payment.order_id) if each.id != payment.id],
        dispatches=desk.state.handlers.dispatcher is not None,
        # At last: the shop's function may do anything to the session.
        order_url=_order_url(desk, payment),
    )


def _reported_order(reports: Sequence[Any]) -> str | None:
    """Return the order that the report of a payment names."""
    for report in reports:
        if report.status == "paid" and report.body:
            told = read_stored(report.body)
            return told and told.order_id

    return None


def _order_url(desk: Desk, payment: Any) -> str | None:
    """Return where the shop shows the order, if its loader tells the staff."""
    try:
        order = load_order(desk.state.handlers, payment.order_key or payment.order_id)

    except Exception:  # noqa: BLE001  `abort(403)` means "not yours", and the rest no link
        desk.state.storage.queries.look_again()
        return None

    url = order.url if order is not None else None
    is_link = url is not None and url.startswith(("https://", "http://", "/"))
    return url if is_link else None


def ask(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Ask Spayon about a payment, and record the answer."""
    _ = desk.language.gettext
    payment = desk.state.storage.ledger.find(payment_id)

    if payment is None:
        return desk.sorry(404, _("There is no such payment."))

    ids = {"account": desk.state.name, "session_id": payment.session_id}

    try:
        answer = desk.state.reconciler.ask_now(payment_id)

    except GatewayError as error:
        logger.warning("no status for the desk: %s", error, extra=ids)
        alert = _("Spayon gives no usable answer just now. Try again in a minute.")
        return show_payment(desk, payment, 503, alert)

    except SpayonError:
        logger.exception("the status for the desk could not be recorded", extra=ids)
        alert = _("The shop’s program failed, so nothing was changed. Its log says why.")
        return show_payment(desk, payment, 500, alert)

    if not answer.asked:
        return redirect(url_for(".payment", payment_id=payment_id, done="busy"), 303)

    known = ("paid", "failed", "expired", "pending")
    said = answer.status if answer.status in known else "other"
    return redirect(url_for(".payment", payment_id=payment_id, said=said), 303)


def hand_over(desk: Desk, callback_id: int) -> ResponseReturnValue:
    """Give the dispatcher a callback row again, and go back to its payment."""
    taken = desk.state.storage.outbox.hand_over_again(callback_id, now=desk.now)
    done = "handed_over" if taken else "nothing"
    payment_id = request.form.get("payment", 0, int)

    if not 0 < payment_id < MAX_ID:
        return redirect(url_for(".today", done=done), 303)

    return redirect(url_for(".payment", payment_id=payment_id, done=done), 303)


def export(desk: Desk) -> ResponseReturnValue:
    """Show the totals of a period; of the last month, if the URL names none."""
    period = _period(desk)
    wanted = Filter(paid_since=period.since, paid_until=period.until)
    totals = desk.state.storage.totals.add_up(wanted)
    return desk.page(
        "export.html",
        period=period,
        totals=totals,
        number=sum(each.number for each in totals),
    )


def export_csv(desk: Desk) -> ResponseReturnValue:
    """Send the payments of a period as CSV, row by row."""
    period = _period(desk)
    books = desk.state.storage.ledger.books(period.since, period.until)
    response = Response(
        stream_with_context(write_csv(books, desk.language)), content_type="text/csv; charset=utf-8"
    )
    name = f"payments-{period.first}-{period.last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return guarded(response)


def _period(desk: Desk) -> Period:
    first, last = _month_before(desk.today)
    first = read_day(request.args.get("from", "")) or first
    last = read_day(request.args.get("to", "")) or (last if first <= last else desk.today)

    # From the later day to the earlier one is a slip, and not nothing.
    first, last = min(first, last), max(first, last)
    return Period(first, last, desk.zone)


def _month_before(day: date) -> tuple[date, date]:
    """Return the first and the last day of the month before that of *day*."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last
